"""The types of all responses. They encode the answers and describe them in the OpenAPI document.

A property that is a column of a published table takes its description from that table: `columns` holds its columns. A
job, and a list that is stored as it is sent, stay encoded (`msgspec.Raw`) on their way from the look-up file; tests
decode every endpoint's answer into its type.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serving.contract import tables
from serving.contract.columns import Column, sql_type
from serving.contract.tables import DESCRIBED

Columns = Mapping[str, Column]
Score = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[int, Meta(ge=0, le=100, description="The score as whole percent")]
Generation = Annotated[str, Meta(description="Generation that the answer comes from")]
UserId = Annotated[str, Meta(description="The user in the path")]
Language = Annotated[Literal["en", "ru"], Meta(description="Language of cards and reasons")]


class CardTexts(Struct, gc=False):
    """The facts of a card as a reader sees them, in the language of the answer."""

    country: Annotated[str | None, Meta(description="Name of the country")]
    work_format: Annotated[str | None, Meta(description="Where the work is done")]
    employment_type: Annotated[str | None, Meta(description="Kind of employment")]
    career_level: Annotated[str | None, Meta(description="Seniority")]
    salary: Annotated[str | None, Meta(description="Pay, its currency and period")]


class JobCard(Struct, gc=False):
    """What lists show of a job: codes for programs, and `city` and `texts` for readers, in the answer's language."""

    columns: ClassVar[Columns] = DESCRIBED["jobs"].columns
    job_id: str
    title: str | None
    company: str | None
    company_id: str | None
    country: str | None
    work_format: str | None
    employment_type: str | None
    career_level: str | None
    salary_min: float | None
    salary_max: float | None
    salary_currency: str | None
    salary_period: str | None
    skills: list[str] | None
    url: str | None
    source: str | None
    board: str | None
    published_at: str | None
    status: str | None
    city: Annotated[str | None, Meta(description="City, by its name in the language of the answer")]
    texts: Annotated[CardTexts, Meta(description="The card's facts as texts")]


Card = Annotated[JobCard, Meta(description="What lists show of the job")]


class Location(Struct, gc=False):
    """One place of a job."""

    columns: ClassVar[Columns] = tables.LOCATION
    city: str | None
    region: str | None
    country: str | None
    latitude: float | None
    longitude: float | None


def _job_fields() -> list[tuple[str, object]]:
    types: Mapping[str, object] = {
        "double": float | None,
        "boolean": bool | None,
        "varchar[]": list[str] | None,
        sql_type([tables.LOCATION]): list[Location] | None,
    }
    columns = tables.TABLES["jobs"].items()
    return [(name, str if name == "job_id" else types.get(kind, str | None)) for name, kind in columns]


Job = msgspec.defstruct(
    "Job",
    _job_fields(),
    gc=False,
    namespace={
        "__doc__": "Every column of a job. Salaries are in `salary_currency` per `salary_period`, experience in years.",
        "columns": DESCRIBED["jobs"].columns,
    },
)


class Reason(Struct, gc=False):
    """Why an item is in the list. `text` is in the language of the answer; `ref` and `value` are what it names."""

    columns: ClassVar[Columns] = tables.REASON
    code: str
    ref: str | None
    value: float | None
    text: Annotated[str, Meta(description="The reason in the language of the answer")]


class FeedItem(Struct, gc=False):
    """One job in a feed. `rank` is its position in the whole feed, `propensity` the chance with which it was drawn."""

    columns: ClassVar[Columns] = tables.FEED_ITEM
    rank: Annotated[int, Meta(ge=1)]
    job_id: str
    score: Score
    match_percent: Percent
    confidence: Score
    seen: bool
    explored: bool
    propensity: Score
    reasons: list[Reason]
    job: Card
    components: dict[str, float | None] | UnsetType = UNSET


class Feed(Struct):
    """A page of a user's feed. `source`: personal, profile (no history yet), segment or global (unknown user)."""

    columns: ClassVar[Columns] = DESCRIBED["feeds"].columns
    user_id: UserId
    generation: Generation
    generated_at: str | None
    recipe: str
    arm: str
    source: Literal["personal", "profile", "segment", "global"]
    language: Language
    limit: Annotated[int, Meta(description="The parameter `limit`")]
    offset: Annotated[int, Meta(description="The parameter `offset`")]
    total: Annotated[int, Meta(description="Items of the whole feed, before filters and jobs that are no longer open")]
    next: Annotated[str | None, Meta(description="Path and query of the next page; null after the last")]
    items: list[FeedItem]
    weights: Annotated[dict[str, float], Meta(description="The recipe's weight of each component")] | UnsetType = UNSET


class CardItem(Struct, gc=False):
    """One job in a list that is the same for all users; `score` orders the list."""

    job_id: Annotated[str, Meta(description="Job, as <source>:<source_id>")]
    score: Annotated[float, Meta(description="Similarity, or how much the job is trending")]
    job: Card


class SimilarJobs(Struct):
    """Open jobs like this one, the most similar first."""

    generation: Generation
    job_id: Annotated[str, Meta(description="The job in the path")]
    items: Annotated[list[CardItem], Meta(description="The most similar job first")]


class TrendingJobs(Struct):
    """Open jobs that are trending, the strongest first."""

    generation: Generation
    window: Annotated[Literal["24h", "7d"], Meta(description="The parameter `window`")]
    area: Annotated[str, Meta(description="The parameter `area`")]
    items: Annotated[list[CardItem], Meta(description="The job that is trending most comes first")]


class NearbyItem(Struct, gc=False):
    """One job near a point."""

    job_id: Annotated[str, Meta(description="Job, as <source>:<source_id>")]
    distance_km: Annotated[float, Meta(ge=0, description="Distance from the point (km)")]
    job: Card


class NearbyJobs(Struct):
    """Open jobs within the radius, the nearest first."""

    generation: Generation
    lat: Annotated[float, Meta(description="The parameter `lat`")]
    lon: Annotated[float, Meta(description="The parameter `lon`")]
    radius_km: Annotated[float, Meta(description="The parameter `radius_km`")]
    items: Annotated[list[NearbyItem], Meta(description="The nearest job first")]


class TopJob(Struct, gc=False):
    """A job in a digest."""

    columns: ClassVar[Columns] = tables.DIGEST_JOB
    job_id: str
    rank: int
    match_percent: int


class DigestTrend(Struct, gc=False):
    """How the number of jobs of a kind changed."""

    columns: ClassVar[Columns] = tables.DIGEST_TREND
    name: str | None
    n_jobs: int | None
    change: float | None


class Digest(Struct):
    """A user's digest of one day, rendered in the user's language."""

    columns: ClassVar[Columns] = DESCRIBED["digests"].columns
    user_id: str
    digest_date: str
    title: str | None
    summary: str | None
    html: str | None
    text: str | None
    top_jobs: list[TopJob] | None
    total_new_jobs: int | None
    total_matches: int | None
    market_trends: list[DigestTrend] | None
    skill_recommendations: list[str] | None
    generation_time_seconds: float | None


class Preference(Struct, gc=False):
    """How much a user likes a value of a dimension (−1 to 1), learned from `n` events."""

    columns: ClassVar[Columns] = DESCRIBED["preferences"].columns
    dimension: str
    value: str
    affinity: float
    confidence: float
    n: int


class Preferences(Struct):
    """What was learned of a user."""

    user_id: UserId
    generation: Generation
    preferences: Annotated[list[Preference], Meta(description="Learned preferences; empty if nothing was learned")]


class Names(Struct):
    """What readers see in place of the skills, roles, tags, countries and towns in the tables."""

    generation: Generation
    language: Language
    names: Annotated[dict[str, dict[str, str]], Meta(description="Kind -> name in the tables -> name for readers")]


class PublishedTable(Struct, gc=False):
    """One table of the generation."""

    rows: Annotated[int, Meta(description="Number of rows")]
    bytes: Annotated[int, Meta(description="Size of its files (bytes)")]
    sha256: Annotated[str, Meta(description="Hash of its content")]


class GenerationInfo(Struct):
    """The served generation: when it was made, for which instant, from what."""

    generation: Generation
    parent: Annotated[str | None, Meta(description="Generation that was served before it")]
    created_at: Annotated[str, Meta(description="When it was made")]
    as_of: Annotated[str, Meta(description="Instant that it was computed for")]
    schema_version: Annotated[str, Meta(description="Version of the tables' schema")]
    code_version: Annotated[str, Meta(description="Version of jobfeed that made it")]
    high_water_marks: Annotated[Mapping[str, str], Meta(description="Newest sighting or event of each source")]
    tables: Annotated[Mapping[str, PublishedTable], Meta(description="Size and hash of each table")]


class Health(Struct):
    """The process is alive."""

    status: Annotated[Literal["ok"], Meta(description="Always ok")]


class Readiness(Struct):
    """Whether answers are given and how old they are.

    `stale`: the announced generation was refused, the pointer is no longer followed, or the data is older than allowed
    or of the future.
    `verified`: all files match their checksums; false for a moment after a cold start.
    """

    status: Annotated[Literal["ready", "stale", "not ready"], Meta(description="Whether answers are given and fresh")]
    generation: Annotated[str | None, Meta(description="The served generation")]
    as_of: Annotated[str | None, Meta(description="Instant that it was computed for")]
    verified: Annotated[bool, Meta(description="Whether all of its files were compared with their checksums")]
    age_seconds: Annotated[float | None, Meta(description="Time since as_of (seconds)")]
    refused: Annotated[str | None, Meta(description="Why the announced generation is not served")]
    seconds_since_check: Annotated[float, Meta(description="Time since the pointer was last read (seconds)")]
    reasons: Annotated[list[str], Meta(description="Why the status is not ready")]


class Problem(Struct, omit_defaults=True):
    """An error (RFC 9457). `parameter` names the wrong parameter, `allowed` describes what is accepted."""

    type: Annotated[str, Meta(description="Always about:blank: the status is the kind of problem")]
    title: Annotated[str, Meta(description="Name of the status")]
    status: Annotated[int, Meta(description="HTTP status")]
    detail: Annotated[str, Meta(description="What is wrong")]
    request_id: Annotated[str, Meta(description="Id of the request, also in the log")]
    parameter: Annotated[str, Meta(description="Parameter that is wrong")] | UnsetType = UNSET
    allowed: Annotated[str, Meta(description="What the parameter may be")] | UnsetType = UNSET
    job_id: Annotated[str, Meta(description="Job that does not exist")] | UnsetType = UNSET
    company_id: Annotated[str, Meta(description="Company that does not exist")] | UnsetType = UNSET
