"""Examples of the responses for the API's description, made of the types that encode them."""

from typing import Any

import msgspec

from serving.contract.tables import SCHEMA_VERSION
from serving.service.responses import (
    CardItem,
    Digest,
    DigestTrend,
    Feed,
    FeedItem,
    GenerationInfo,
    Job,
    JobCard,
    Market,
    MarketOverview,
    MarketTrend,
    Metric,
    Metrics,
    MissingSkill,
    NearbyItem,
    NearbyJobs,
    Preference,
    Preferences,
    Problem,
    PublishedTable,
    Readiness,
    Reason,
    SimilarJobs,
    SkillDemand,
    SkillGap,
    SkillGaps,
    TopJob,
    TrendingJobs,
)

IDENTIFIERS = {"user_id": "anna", "job_id": "hh:98765432"}

_GENERATION = "20260301T020000Z-0a1b2c3d"
_AS_OF = "2026-03-01T02:00:00Z"
_CARD = JobCard(
    job_id="hh:98765432",
    title="Python developer",
    company="Example LLP",
    city="Almaty",
    country="KZ",
    work_format="remote",
    employment_type="full_time",
    career_level="middle",
    salary_min=900_000,
    salary_max=1_200_000,
    salary_currency="KZT",
    salary_period="month",
    skills=["Python", "SQL"],
    url="https://hh.ru/vacancy/98765432",
    source="hh",
    published_at="2026-02-27T09:00:00Z",
    status="open",
)
_JOB = msgspec.convert(
    dict.fromkeys(Job.__struct_fields__)
    | msgspec.to_builtins(_CARD)
    | {
        "source_id": "98765432",
        "description": "We look for a developer who likes data.",
        "language": "en",
        "latitude": 43.24,
        "longitude": 76.89,
        "salary_gross": True,
        "first_seen_at": "2026-02-27T09:05:00Z",
        "last_seen_at": _AS_OF,
    },
    Job,
)
_ITEM = FeedItem(
    rank=1,
    job_id=_CARD.job_id,
    score=0.8731,
    match_percent=87,
    confidence=0.9,
    seen=False,
    explored=False,
    propensity=1.0,
    reasons=[Reason("skills", "Python, SQL", None, "Matches your skills: Python, SQL")],
    job=_CARD,
)
_GAP = SkillGap(
    role="python_developer",
    has=["Python", "SQL"],
    partial=[],
    missing=[MissingSkill("Docker", 0.4, "high", 40)],
    coverage_share=0.8,
    estimated_hours=40,
    verdict="apply_now",
)
_DIGEST = Digest(
    user_id="anna",
    digest_date="2026-03-01",
    title="3 new jobs for you",
    summary="The best of 12 new matches.",
    html="<!doctype html>…",
    text="…",
    top_jobs=[TopJob(_CARD.job_id, 1, 87)],
    total_new_jobs=40,
    total_matches=12,
    market_trends=[DigestTrend("Python", 120, 0.05)],
    skill_recommendations=["Docker"],
    generation_time_seconds=0.01,
)
_MARKET = MarketOverview(
    [MarketTrend("skill", "Python", "all", "2026-02-23", 120, 3000.0, 0.05)],
    [SkillDemand("Python", "all", 120, 0.2, 3000.0, 0.05)],
)
_INFO = GenerationInfo(
    generation=_GENERATION,
    parent=None,
    created_at="2026-03-01T02:11:00Z",
    as_of=_AS_OF,
    schema_version=SCHEMA_VERSION,
    code_version="0.2.0",
    high_water_marks={"hh": _AS_OF},
    tables={"feeds": PublishedTable(1_000_000, 5_000_000_000, "0" * 64)},
)
_RESPONSES: tuple[msgspec.Struct, ...] = (
    Feed("anna", _GENERATION, _AS_OF, "marketplace", "default", "personal", "en", 20, 0, [_ITEM]),
    _DIGEST,
    Preferences("anna", _GENERATION, [Preference("skill", "Python", 0.5, 0.3, 2)]),
    SkillGaps("anna", _GENERATION, [_GAP]),
    _JOB,
    SimilarJobs(_GENERATION, _CARD.job_id, [CardItem(_CARD.job_id, 0.91, _CARD)]),
    TrendingJobs(_GENERATION, "24h", "all", [CardItem(_CARD.job_id, 35.2, _CARD)]),
    NearbyJobs(_GENERATION, 43.25, 76.9, 25.0, [NearbyItem(_CARD.job_id, 1.3, _CARD)]),
    Market(_GENERATION, _MARKET),
    Metrics(_GENERATION, [Metric("apply_rate", "marketplace", "all", "feed", 0.05, 0.04, 0.06, 30_000)]),
    _INFO,
    Readiness("ready", _GENERATION, _AS_OF, True, 3600.0, None, 0.2, []),
    Problem(
        "about:blank",
        "Bad Request",
        400,
        "parameter 'limit': received '0'; allowed: an integer from 1 to 100",
        "5f0c2b9a1d7e-1",
        "limit",
        "an integer from 1 to 100",
    ),
)
# Response type -> an example of it as plain values.
EXAMPLES: dict[type[msgspec.Struct], Any] = {type(made): msgspec.to_builtins(made) for made in _RESPONSES}
