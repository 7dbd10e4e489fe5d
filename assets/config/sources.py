"""The settings of `sources.yaml`: feeds, HeadHunter and the limits of HTTP requests."""

import re
from collections.abc import Sequence
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import Field, HttpUrl, field_validator, model_validator

from assets.config.yaml_files import Name, Strict
from assets.ingest.hh.query_vocabulary import HHIds, parameter_problems
from features.sources.events.validation import EventRules
from features.sources.feeds.formats import FORMATS
from features.sources.postings import RESERVED_SOURCES

_TITLE_GROUPS = frozenset({"title", "company", "location", "salary", "details"})
Id = Annotated[str, Field(coerce_numbers_to_str=True)]  # 160 is read as "160"
# The value of a header: printable ASCII.
UserAgent = Annotated[str, Field(min_length=8, pattern=r"^[!-~]([ -~]*[!-~])?$")]


def _refuse_repeated(one: str, many: str, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{many}: the names {repeated} occur more than once; each {one} needs its own")


class FeedSource(Strict):
    """One feed.

    `title_pattern` is a regular expression with the group `title` and optionally `company`, `location`, `salary` and
    `details` (places and pay in any order). With `lists_all_open_jobs`, a job that is missing from a successful fetch
    is closed. Formats with pages (such as lever) are read up to `max_pages`. Some list the newest jobs first
    (himalayas, arbeitnow, adzuna); the first fetch goes back `max_age_days`. Formats with an answer of its own for each
    job (smartrecruiters, bamboohr, jsonld) ask for up to `max_job_pages` of them in a run, new and changed ones first;
    of a sitemap, only for addresses that match `page_pattern`. `board` is the name that readers see; by default the
    company, or `name` in words.
    """

    name: Name
    url: HttpUrl
    format: str = "rss"
    language: str | None = Field(None, pattern=r"^[a-z]{2}$")
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    company: str | None = None
    board: str | None = Field(None, min_length=1, max_length=60)
    title_pattern: str | None = None
    min_interval_minutes: int = Field(60, ge=1, le=10080)
    stale_after_days: int = Field(30, ge=1, le=400)
    lists_all_open_jobs: bool = False
    max_pages: int = Field(100, ge=1, le=1000)
    max_job_pages: int = Field(500, ge=0, le=10_000)
    page_pattern: str | None = None
    max_age_days: int = Field(3, ge=1, le=400)
    enabled: bool = True
    terms: str | None = None

    @property
    def shown_as(self) -> str:
        """The name that readers see."""
        words = self.name.replace("-", " ").replace("_", " ")
        return self.board or self.company or words[:1].upper() + words[1:]

    @field_validator("format")
    @classmethod
    def _format_is_known(cls, name: str) -> str:
        if name not in FORMATS:
            raise ValueError(f"{name!r} is no known format; known are {', '.join(FORMATS)}")
        return name

    @field_validator("page_pattern")
    @classmethod
    def _page_pattern_is_a_regular_expression(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
        return pattern

    @field_validator("title_pattern")
    @classmethod
    def _pattern_is_a_regular_expression_with_known_groups(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        try:
            groups = set(re.compile(pattern, re.DOTALL).groupindex)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
        if "title" not in groups or groups - _TITLE_GROUPS:
            allowed = ", ".join(sorted(_TITLE_GROUPS))
            raise ValueError(f"has the groups {sorted(groups)}; it must have title, and may have {allowed}")
        return pattern


class CompanySource(Strict):
    """What is read about one employer: a news feed (RSS or Atom) and its public organisation on GitHub.

    The employer is named as in postings (`company`), or by its id there (`company_id`). GitHub is asked once a day.
    """

    name: Name
    company: str | None = Field(None, min_length=1, max_length=200)
    company_id: str | None = Field(None, min_length=1, max_length=300)
    news: HttpUrl | None = None
    github: str | None = Field(None, pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?$")
    min_interval_minutes: int = Field(360, ge=1, le=10080)
    enabled: bool = True
    terms: str | None = None

    @model_validator(mode="after")
    def _names_a_company_and_a_source(self) -> Self:
        if not self.company and not self.company_id:
            raise ValueError("names no employer; set company (its name in postings) or company_id")
        if self.news is None and self.github is None:
            raise ValueError("names no source; set news (address of a feed) or github (name of an organisation)")
        host = (self.news.host or "") if self.news is not None else ""
        if host == "linkedin.com" or host.endswith(".linkedin.com"):
            raise ValueError("news: LinkedIn is never read; name a feed of the employer's own")
        return self


class HttpLimits(Strict):
    """Limits of every request: seconds, bytes of the decoded body, attempts.

    After `source_deadline_seconds` no further page of a source is requested.
    """

    user_agent: UserAgent = "jobfeed/1.0 (+https://example.org/jobfeed; jobs@example.org)"
    connect_timeout_seconds: float = Field(10, gt=0, le=60)
    total_deadline_seconds: float = Field(60, gt=0, le=600)
    source_deadline_seconds: float = Field(300, gt=0, le=3600)
    max_body_bytes: int = Field(20_000_000, ge=1_000, le=200_000_000)
    max_attempts: int = Field(4, ge=1, le=10)
    max_redirects: int = Field(5, ge=0, le=10)
    max_parallel_sources: int = Field(16, ge=1, le=64)
    requests_per_host_per_second: float = Field(1, gt=0, le=50)
    allowed_private_hosts: list[str] = Field([])


class HHQuery(Strict):
    """One search, read to its end; ids as in HH's dictionaries. `extra`: other parameters of the search by name."""

    name: Name
    text: str | None = None
    area: list[Id] = Field([])
    professional_role: list[Id] = Field([])
    period_days: int = Field(30, ge=1, le=30)
    extra: dict[str, Id | list[Id]] = Field({})

    @field_validator("extra")
    @classmethod
    def _extra_holds_search_parameters(cls, extra: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        found = parameter_problems(extra)
        if found:
            raise ValueError("; ".join(found))
        return extra


class HHSource(Strict):
    """`hh` in `sources.yaml`."""

    enabled: bool = False
    base_url: HttpUrl = HttpUrl("https://api.hh.ru")
    user_agent: UserAgent = "jobfeed/1.0 (jobs@example.org)"
    queries: list[HHQuery] = Field([])
    details: bool = True
    max_details_per_run: int = Field(20_000, ge=0)
    requests_per_second: float = Field(4, gt=0, le=10)
    max_parallel_requests: int = Field(4, ge=1, le=10)
    max_minutes_per_run: float = Field(15, gt=0, le=600)
    stale_after_days: int = Field(30, ge=1, le=400)

    @model_validator(mode="after")
    def _query_names_are_unique(self) -> Self:
        _refuse_repeated("query", "queries", [query.name for query in self.queries])
        return self


class Interactions(Strict):
    """What is taken for granted of event files that leave something out.

    `timezone`: the zone of times that state none; without it they are refused. `derive_event_ids`: events without an
    event_id get one from user, type, job and time, so that equal ones count once; without it they are refused.
    """

    timezone: str | None = None
    derive_event_ids: bool = False

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            raise ValueError(f"{name!r} is no time zone; give a name of IANA such as Europe/Moscow")
        return name

    @property
    def rules(self) -> EventRules:
        """As the readers of events take them."""
        return EventRules(self.timezone, self.derive_event_ids)


class Sources(Strict):
    """`sources.yaml`."""

    http: HttpLimits = HttpLimits()
    interactions: Interactions = Interactions()
    feeds: list[FeedSource] = Field([])
    hh: HHSource = HHSource()
    companies: list[CompanySource] = Field([])
    github_api: HttpUrl = HttpUrl("https://api.github.com")
    file_stale_after_days: int = Field(60, ge=1, le=400)

    @property
    def boards(self) -> dict[str, str]:
        """The name that readers see of each source; job files have none."""
        return {feed.name: feed.shown_as for feed in self.feeds} | {"hh": "HeadHunter"}

    @model_validator(mode="after")
    def _feed_names_are_unique_and_free(self) -> Self:
        names = [feed.name for feed in self.feeds]
        _refuse_repeated("feed", "feeds", names)
        if taken := sorted(RESERVED_SOURCES.intersection(names)):
            raise ValueError(f"feeds: the names {taken} are reserved for HeadHunter and job files; give others")
        _refuse_repeated("company", "companies", [company.name for company in self.companies])
        return self


def unknown_hh_ids(queries: Sequence[HHQuery], ids: HHIds) -> list[str]:
    """A message for each id in `queries` that is not a known id of HH, with similar ids."""
    found = []
    for number, query in enumerate(queries):
        for key, values, known, like in (
            ("area", query.area, ids.areas["area_id"], ids.areas_like),
            ("professional_role", query.professional_role, ids.roles["role_id"], ids.roles_like),
        ):
            wanted = set(known)
            for value in values:
                if value not in wanted:
                    near = "; did you mean " + " or ".join(hints) + "?" if (hints := like(value)) else ""
                    found.append(
                        f"hh.queries.{number}.{key}: {value!r} is not one of the {len(wanted)} ids known{near} "
                        "(jobfeed config dictionaries asks HH for the newest ids)"
                    )
    return found
