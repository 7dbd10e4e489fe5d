"""The types of responses about matches, skills, the market and metrics; see responses.py."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from serving.contract import insight_tables, tables
from serving.contract.tables import DESCRIBED
from serving.service.responses import Card, Columns, Generation, Language, Score, UserId


class MatchFactor(Struct, gc=False):
    """What speaks for or against a job."""

    columns: ClassVar[Columns] = tables.MATCH_FACTOR
    code: str
    text: Annotated[str, Meta(description="The factor in the language of the answer")]


class Match(Struct, gc=False):
    """How well one job matches the user. A score is null if it is unknown."""

    columns: ClassVar[Columns] = DESCRIBED["matches"].columns
    job_id: str
    rank: Annotated[int, Meta(ge=1)]
    compatibility: Annotated[int, Meta(ge=0, le=100)]
    confidence: Score
    skills_score: Score | None
    experience_score: Score | None
    location_score: Score | None
    salary_score: Score | None
    culture_score: Score | None
    match_factors: list[MatchFactor]
    mismatch_factors: list[MatchFactor]
    reasoning: Annotated[str, Meta(description="What speaks for and against the job, in the language of the answer")]
    reasoning_source: Literal["rules", "model", "rules_after_model_failed"]
    job: Card


class Matches(Struct):
    """How well the first jobs of a user's feed match."""

    user_id: UserId
    generation: Generation
    language: Language
    items: Annotated[list[Match], Meta(description="The best match first; empty if none is good enough")]


class MissingSkill(Struct, gc=False):
    """A skill that a role asks for and the user lacks."""

    columns: ClassVar[Columns] = insight_tables.MISSING_SKILL
    skill: str
    impact: float
    priority: Literal["critical", "high", "medium", "low"]
    estimated_hours: int


class SkillGap(Struct, gc=False):
    """A user's skills compared with one wanted role."""

    columns: ClassVar[Columns] = DESCRIBED["skill_gaps"].columns
    role: str
    has: list[str] | None
    partial: list[str] | None
    missing: list[MissingSkill] | None
    coverage_share: float | None
    estimated_hours: int | None
    verdict: str | None


class LearningResource(Struct, gc=False):
    """Where a skill can be learned for free."""

    columns: ClassVar[Columns] = insight_tables.LEARNING_RESOURCE
    name: str
    url: str
    hours: int | None
    language: str | None


class LearningStep(Struct, gc=False):
    """A skill to learn for a wanted role."""

    columns: ClassVar[Columns] = DESCRIBED["learning_plans"].columns
    role: str
    rank: Annotated[int, Meta(ge=1)]
    skill: str
    estimated_hours: int
    n_jobs_opened: int
    n_jobs_open: int
    n_jobs_reachable: int
    resources: list[LearningResource]


class SkillProgress(Struct, gc=False):
    """A skill that was in a gap and is there no more."""

    columns: ClassVar[Columns] = DESCRIBED["skill_progress"].columns
    role: str
    skill: str
    noticed_on: str
    before: Literal["missing", "partial"]
    after: Literal["partial", "has"]


class SkillGaps(Struct):
    """A user's skill gaps by wanted role, what to learn first, and what was learned."""

    user_id: UserId
    generation: Generation
    skill_gaps: Annotated[list[SkillGap], Meta(description="One per wanted role; empty if no role is wanted")]
    learning_plan: Annotated[list[LearningStep], Meta(description="Skills to learn by role, the best first")]
    progress: Annotated[list[SkillProgress], Meta(description="What was learned, the newest first")]


class MarketTrend(Struct, gc=False):
    """Open jobs of a value in a week, and the change against the week before."""

    columns: ClassVar[Columns] = DESCRIBED["market_trends"].columns
    dimension: str
    value: str
    area: str
    week: str
    n_jobs: int | None
    salary_monthly_usd_median: float | None
    n_salaries: int | None
    change: float | None


class SkillDemand(Struct, gc=False):
    """How many jobs ask for a skill."""

    columns: ClassVar[Columns] = DESCRIBED["skill_demand"].columns
    skill: str
    area: str
    n_jobs: int | None
    share: float | None
    salary_monthly_usd_median: float | None
    n_salaries: int | None
    change: float | None


class MarketOverview(Struct):
    """Trends of the last weeks and the demand for skills."""

    market_trends: Annotated[list[MarketTrend] | None, Meta(description="New jobs by week")]
    skill_demand: Annotated[list[SkillDemand] | None, Meta(description="What the open jobs ask for")]


class Market(Struct):
    """The market of an area in this generation."""

    generation: Generation
    area: Annotated[str, Meta(description="The parameter `area`")]
    market: Annotated[MarketOverview, Meta(description="Trends and the demand for skills")]


class Metric(Struct, gc=False):
    """One metric with its interval."""

    columns: ClassVar[Columns] = DESCRIBED["metrics"].columns
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

    generation: Generation
    metrics: Annotated[list[Metric], Meta(description="One per metric, recipe, arm and surface")]
