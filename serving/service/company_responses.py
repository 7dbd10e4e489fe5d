"""The types of the responses about companies; see responses.py."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from serving.contract import company_tables as tables
from serving.service.responses import Columns, Generation


class Counted(Struct, gc=False):
    """How many of a company's open postings have a value."""

    columns: ClassVar[Columns] = tables.COUNTED
    value: str
    n_jobs: int
    share: float


class AskedSkill(Struct, gc=False):
    """How many of a company's open postings ask for a skill."""

    columns: ClassVar[Columns] = tables.ASKED_SKILL
    skill: str
    n_jobs: int
    share: float
    is_new: bool


class WeekCount(Struct, gc=False):
    """New postings of a week."""

    columns: ClassVar[Columns] = tables.WEEK_COUNT
    week: str
    n_jobs: int


class SimilarCompany(Struct, gc=False):
    """A company that seeks the like."""

    columns: ClassVar[Columns] = tables.SIMILAR_COMPANY
    company_id: str
    company: str | None
    score: float


class CompanyFact(Struct, gc=False):
    """What a source said of a company."""

    columns: ClassVar[Columns] = tables.COMPANY_FACT
    fact: str
    value: str
    source: str
    url: str | None
    observed_at: str


class CompanyNews(Struct, gc=False):
    """An entry of a company's news feed."""

    columns: ClassVar[Columns] = tables.COMPANY_NEWS
    title: str
    url: str
    source: str
    published_at: str


class Insight(Struct, gc=False):
    """A sentence about what stands out."""

    columns: ClassVar[Columns] = tables.INSIGHT
    code: str
    text_en: str
    text_ru: str


class CompanyProfile(Struct):
    """What is known of a company."""

    columns: ClassVar[Columns] = tables.COMPANY_PROFILES.columns
    company_id: str
    company: str | None
    as_of: str
    n_jobs: int
    n_open_jobs: int
    weeks: list[WeekCount]
    change: float | None
    roles: list[Counted]
    cities: list[Counted]
    countries: list[Counted]
    work_formats: list[Counted]
    employment_types: list[Counted]
    career_levels: list[Counted]
    languages: list[Counted]
    skills: list[AskedSkill]
    n_salaries: int
    salary_monthly_usd_median: float | None
    market_salary_monthly_usd_median: float | None
    salary_ratio: float | None
    repost_share: float | None
    n_applications: int | None
    answer_share: float | None
    answer_days_median: float | None
    similar_companies: list[SimilarCompany]
    facts: list[CompanyFact]
    news: list[CompanyNews]
    completeness: float
    insights: list[Insight]


class Common(Struct):
    """What two companies seek."""

    both: Annotated[list[str], Meta(description="Sought by both")]
    only_first: Annotated[list[str], Meta(description="Sought by the first alone")]
    only_second: Annotated[list[str], Meta(description="Sought by the second alone")]


class CompanyComparison(Struct):
    """Two companies side by side."""

    generation: Generation
    companies: Annotated[list[CompanyProfile], Meta(description="The two profiles, in the order of the path")]
    roles: Annotated[Common, Meta(description="Their roles")]
    skills: Annotated[Common, Meta(description="Their skills")]


class CompanyEntry(Struct, gc=False):
    """A company in the list."""

    columns: ClassVar[Columns] = tables.COMPANY_PROFILES.columns
    company_id: str
    company: str | None
    n_open_jobs: int


class Companies(Struct):
    """The companies that hire most."""

    generation: Generation
    companies: Annotated[list[CompanyEntry], Meta(description="The one with most open postings first")]
