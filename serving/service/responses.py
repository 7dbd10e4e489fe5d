"""What the service answers: one type per response. They encode the answers and describe them in the OpenAPI document.

A job, and a list that is stored as it is sent, stay encoded (`msgspec.Raw`) on their way from the look-up file; tests
decode every endpoint's answer into its type.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Score = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Language = Literal["en", "ru"]
Source = Literal["personal", "profile", "segment", "global"]


class JobCard(Struct, gc=False):
    """What lists show of a job."""

    job_id: str
    title: str | None
    company: str | None
    city: str | None
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
    published_at: str | None
    status: str | None


class Job(Struct, gc=False):
    """Every column of a job. Salaries are in `salary_currency` per `salary_period`, experience in years."""

    job_id: str
    source: str | None
    source_id: str | None
    url: str | None
    title: str | None
    company: str | None
    company_id: str | None
    description: str | None
    language: str | None
    city: str | None
    region: str | None
    country: str | None
    latitude: float | None
    longitude: float | None
    work_format: str | None
    employment_type: str | None
    experience_min_years: float | None
    experience_max_years: float | None
    career_level: str | None
    salary_min: float | None
    salary_max: float | None
    salary_currency: str | None
    salary_period: str | None
    salary_gross: bool | None
    salary_monthly_usd_min: float | None
    salary_monthly_usd_max: float | None
    skills: list[str] | None
    tags: list[str] | None
    professional_roles: list[str] | None
    published_at: str | None
    first_seen_at: str | None
    last_seen_at: str | None
    expires_at: str | None
    closed_at: str | None
    status: str | None
    duplicate_of: str | None
    content_hash: str | None


class Reason(Struct, gc=False):
    """Why an item is in the list; `text` is in the language of the answer, `ref` and `value` are what it names."""

    code: str
    ref: str | None
    value: float | None
    text: str


class FeedItem(Struct, gc=False):
    """One job in a feed. `rank` is its place in the whole feed; `propensity` the chance with which it was drawn."""

    rank: Annotated[int, Meta(ge=1)]
    job_id: str
    score: Score
    match_percent: Percent
    confidence: Score
    seen: bool
    explored: bool
    propensity: Score
    reasons: list[Reason]
    job: JobCard
    components: dict[str, float | None] | UnsetType = UNSET


class Feed(Struct):
    """A page of a user's feed. `source` says whose: personal, profile (no history yet), segment or global (unknown)."""

    user_id: str
    generation: str
    generated_at: str | None
    recipe: str
    arm: str
    source: Source
    language: Language
    limit: int
    offset: int
    items: list[FeedItem]
    weights: dict[str, float] | UnsetType = UNSET


class CardItem(Struct, gc=False):
    """One job in a list that is nobody's own; `score` orders the list."""

    job_id: str
    score: float
    job: JobCard


class SimilarJobs(Struct):
    """Open jobs like this one, the most similar first."""

    generation: str
    job_id: str
    items: list[CardItem]


class TrendingJobs(Struct):
    """Open jobs that are trending, the most first."""

    generation: str
    window: Literal["24h", "7d"]
    area: str
    items: list[CardItem]


class NearbyItem(Struct, gc=False):
    """One job near a point."""

    job_id: str
    distance_km: Annotated[float, Meta(ge=0)]
    job: JobCard


class NearbyJobs(Struct):
    """Open jobs within the radius, the nearest first."""

    generation: str
    lat: float
    lon: float
    radius_km: float
    items: list[NearbyItem]


class TopJob(Struct, gc=False):
    """A job in a digest."""

    job_id: str
    rank: int
    match_percent: int


class DigestTrend(Struct, gc=False):
    """How the number of jobs of a kind changed."""

    name: str | None
    n_jobs: int | None
    change: float | None


class Digest(Struct):
    """A user's digest of one day, rendered in the user's language."""

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

    dimension: str
    value: str
    affinity: float
    confidence: float
    n: int


class Preferences(Struct):
    """What was learned of a user."""

    user_id: str
    generation: str
    preferences: list[Preference]


class MissingSkill(Struct, gc=False):
    """A skill that a role asks for and the user lacks."""

    skill: str
    impact: float
    priority: Literal["critical", "high", "medium", "low"]
    estimated_hours: int


class SkillGap(Struct, gc=False):
    """A user against one wanted role."""

    role: str
    has: list[str] | None
    partial: list[str] | None
    missing: list[MissingSkill] | None
    coverage_share: float | None
    estimated_hours: int | None
    verdict: str | None


class SkillGaps(Struct):
    """A user's skill gaps by wanted role."""

    user_id: str
    generation: str
    skill_gaps: list[SkillGap]


class MarketTrend(Struct, gc=False):
    """Open jobs of a value in a week, and the change against the week before."""

    dimension: str
    value: str
    area: str
    week: str
    n_jobs: int | None
    salary_monthly_usd_median: float | None
    change: float | None


class SkillDemand(Struct, gc=False):
    """How many jobs ask for a skill."""

    skill: str
    area: str
    n_jobs: int | None
    share: float | None
    salary_monthly_usd_median: float | None
    change: float | None


class MarketOverview(Struct):
    """Trends of the last weeks and the demand for skills."""

    market_trends: list[MarketTrend] | None
    skill_demand: list[SkillDemand] | None


class Market(Struct):
    """The market in this generation."""

    generation: str
    market: MarketOverview


class Metric(Struct, gc=False):
    """One metric with its interval."""

    metric: str
    recipe: str
    arm: str
    surface: str
    value: float | None
    lower: float | None
    upper: float | None
    n: int | None


class Metrics(Struct):
    """Recommendation metrics per recipe, arm and surface."""

    generation: str
    metrics: list[Metric]


class PublishedTable(Struct, gc=False):
    """One table of the generation."""

    rows: int
    bytes: int
    sha256: str


class GenerationInfo(Struct):
    """The served generation: when it was made, for which instant, from what."""

    generation: str
    parent: str | None
    created_at: str
    as_of: str
    schema_version: str
    code_version: str
    high_water_marks: Mapping[str, str]
    tables: Mapping[str, PublishedTable]


class Health(Struct):
    """The process lives."""

    status: Literal["ok"]


class Readiness(Struct):
    """Whether answers are given and how old they are.

    `stale`: the announced generation was refused, the pointer is no longer followed, or the data is older than allowed.
    `verified`: every byte was read and found right; for moments after a cold start it is not yet.
    """

    status: Literal["ready", "stale", "not ready"]
    generation: str | None
    as_of: str | None
    verified: bool
    age_seconds: float | None
    refused: str | None
    seconds_since_check: float
    reasons: list[str]


class Problem(Struct, omit_defaults=True):
    """An error (RFC 9457). `parameter` and `allowed` say which parameter was wrong and what would be right."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    parameter: str | UnsetType = UNSET
    allowed: str | UnsetType = UNSET
    job_id: str | UnsetType = UNSET
