"""Answers of GitHub's REST API about a public organisation, fetched or landed, as facts of a company."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from features.errors import SourceError
from features.schemas.companies import COMPANY_FACTS
from features.sources.timestamps import read_timestamp
from features.sources.values import NotJsonError, decode_json, flag, items, link, mapping, number, visible
from features.text.normalise import company_id_of_name

REPOSITORIES_PER_PAGE = 100
MAX_PAGES = 10
_MOST_LANGUAGES = 5
_MOST_CHARACTERS = 40
SOURCE = "GitHub"


class GitHubAnswerError(SourceError):
    """A body is not what the API of GitHub answers; the message says what is missing and quotes nothing."""


@dataclass(frozen=True)
class Organisation:
    """A public organisation: its page, and how many public repositories it has."""

    url: str | None
    n_repositories: int


@dataclass
class Repositories:
    """Sums over the public repositories that were read; forks and archived ones are not counted."""

    n_read: int = 0
    n_stars: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    pushed_at: datetime | None = None


def parse_organisation(body: bytes) -> Organisation:
    """The answer to /orgs/{org}. Raises GitHubAnswerError."""
    return _organisation(_decoded(body))


def _organisation(answer: object) -> Organisation:
    stated = mapping(answer)
    n_repositories = number(stated.get("public_repos"))
    if not visible(stated.get("login")) or n_repositories is None or n_repositories < 0:
        raise GitHubAnswerError("the answer about an organisation has no login or no number of public repositories")
    return Organisation(link(stated.get("html_url")), int(n_repositories))


def add_repositories(sums: Repositories, body: bytes) -> int:
    """Adds a page of /orgs/{org}/repos to the sums; returns how many it lists. Raises GitHubAnswerError."""
    return _add_page(sums, _decoded(body))


def read_answers(answers: Mapping[str, object]) -> tuple[Organisation, Repositories]:
    """What `organisation`, the answer to /orgs/{org}, and `repositories`, that to /orgs/{org}/repos, say.

    `repositories` may be several pages, each a list; as many are read as are fetched. Raises GitHubAnswerError.
    """
    listed, sums = answers.get("repositories"), Repositories()
    if not isinstance(listed, list):
        raise GitHubAnswerError("repositories is no list")
    are_pages = bool(listed) and all(isinstance(one, list) for one in listed)
    repositories = [one for page in listed for one in page] if are_pages else listed
    for start in range(0, min(len(repositories), MAX_PAGES * REPOSITORIES_PER_PAGE), REPOSITORIES_PER_PAGE):
        _add_page(sums, repositories[start : start + REPOSITORIES_PER_PAGE])
    return _organisation(answers.get("organisation")), sums


def _add_page(sums: Repositories, listed: object) -> int:
    if not isinstance(listed, list):
        raise GitHubAnswerError("the answer about repositories is no list")
    page: Sequence[Mapping[str, object]] = [mapping(one) for one in items(listed)[:REPOSITORIES_PER_PAGE]]
    for one in page:
        if flag(one.get("private")) or flag(one.get("fork")) or flag(one.get("archived")):
            continue
        sums.n_stars += max(0, int(number(one.get("stargazers_count")) or 0))
        language = (visible(one.get("language")) or "")[:_MOST_CHARACTERS]
        if language:
            sums.languages[language] += 1
        pushed_at = read_timestamp(one.get("pushed_at"))
        if pushed_at is not None and (sums.pushed_at is None or pushed_at > sums.pushed_at):
            sums.pushed_at = pushed_at
    sums.n_read += len(page)
    return len(page)


def organisation_facts(
    organisation: Organisation, sums: Repositories, *, company: str | None, company_id: str | None, as_of: datetime
) -> pl.DataFrame:
    """COMPANY_FACTS rows of what `stated_facts` says."""
    facts = stated_facts(organisation, sums, as_of=as_of)
    frame = pl.DataFrame({"fact": list(facts), "value": list(facts.values())})
    stated = pl.coalesce(pl.lit(company_id, pl.String), company_id_of_name(pl.lit(company, pl.String)))
    return COMPANY_FACTS.conform(
        frame.with_columns(
            company_id=stated,
            source=pl.lit(SOURCE),
            url=pl.lit(organisation.url, pl.String),
            observed_at=pl.lit(as_of),
        )
    )


def stated_facts(organisation: Organisation, sums: Repositories, *, as_of: datetime) -> dict[str, str]:
    """Fact -> value: public repositories, stars, languages and the last push, as far as they are known."""
    commonest = sorted(sums.languages.items(), key=lambda one: (-one[1], one[0]))[:_MOST_LANGUAGES]
    said = {
        "github_repositories": str(organisation.n_repositories),
        "github_stars": str(sums.n_stars),
        "github_languages": ", ".join(f"{language} ({n})" for language, n in commonest),
        "github_last_push": min(sums.pushed_at, as_of).date().isoformat() if sums.pushed_at else "",
    }
    return {fact: value for fact, value in said.items() if value}


def _decoded(body: bytes) -> object:
    try:
        return decode_json(body)
    except NotJsonError:
        raise GitHubAnswerError("the answer is no JSON") from None
