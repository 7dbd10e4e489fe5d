"""Examples of the responses for the API's description, made from their types and the values below."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from serving.contract.tables import SCHEMA_VERSION

IDENTIFIERS = {
    "user_id": "anna", "job_id": "hh:98765432", "application_id": "app-9281746508132",
    "company_id": "name:example", "other_id": "name:other example",
}  # fmt: skip

_AS_OF = "2026-03-01T02:00:00Z"
# Values of fields that mean the same in every response.
_SHARED: Mapping[str, Any] = {
    **IDENTIFIERS,
    "generation": "20260301T020000Z-0a1b2c3d", "as_of": _AS_OF, "generated_at": _AS_OF,
    "recipe": "marketplace", "arm": "default", "area": "all", "skill": "Python", "rank": 1, "match_percent": 87,
    "salary_monthly_usd_median": 3000.0, "n_salaries": 60, "n_jobs": 120, "change": 0.05, "estimated_hours": 40,
}  # fmt: skip
_CARD: Mapping[str, Any] = {
    "title": "Python developer", "company": "Example LLP", "country": "KZ", "work_format": "remote",
    "employment_type": "full_time", "career_level": "middle", "salary_min": 900_000, "salary_max": 1_200_000,
    "salary_currency": "KZT", "salary_period": "month", "skills": ["Python", "SQL"],
    "url": "https://hh.ru/vacancy/98765432", "source": "hh", "board": "HeadHunter",
    "published_at": "2026-02-27T09:00:00Z", "status": "open", "city": "Almaty",
}  # fmt: skip
_APPLIED: Mapping[str, Any] = {
    "title": "Python developer", "company": "Example LLP", "url": "https://hh.ru/vacancy/98765432",
    "state": "interview",
}  # fmt: skip
_TALK: Mapping[str, Any] = {
    "kind": "video", "starts_at": "2026-03-02T09:00:00Z", "utc_offset_minutes": 300, "duration_minutes": 60,
    "outcome": "unknown",
}  # fmt: skip
_OF_TYPE: Mapping[str, Mapping[str, Any]] = {
    "JobCard": _CARD,
    "CardTexts": {
        "country": "Kazakhstan", "work_format": "remote", "employment_type": "full time", "career_level": "mid-level",
        "salary": "KZT 900,000–1,200,000 a month",
    },
    "Job": {
        **_CARD,
        "source_id": "98765432", "description": "We look for a developer who likes data.", "language": "en",
        "latitude": 43.24, "longitude": 76.89, "salary_gross": True, "first_seen_at": "2026-02-27T09:05:00Z",
        "last_seen_at": _AS_OF,
    },
    "Location": {"city": "Almaty", "region": "Almaty", "country": "KZ", "latitude": 43.24, "longitude": 76.89},
    "Reason": {"code": "skills", "ref": "Python, SQL", "text": "Matches your skills: Python, SQL"},
    "FeedItem": {"score": 0.8731, "confidence": 0.9, "seen": False, "explored": False, "propensity": 1.0},
    "Match": {
        "compatibility": 82, "confidence": 0.9, "skills_score": 0.6667, "experience_score": 1.0, "location_score": 1.0,
        "salary_score": None, "culture_score": 0.41,
        "reasoning": "Strong match (82 of 100): you have Python, SQL (2 of 3 skills asked for); you can work remotely. "
        "Against it: you lack Docker.",
        "reasoning_source": "rules",
    },
    "MatchFactor": {"code": "remote", "text": "You can work remotely"},
    "Matches": {"language": "en"},
    "Feed": {"source": "personal", "language": "en", "limit": 20, "offset": 0, "total": 100,
             "next": "/v1/users/anna/feed?limit=20&offset=20&lang=en"},
    "DigestTrend": {"name": "Python"},
    "Digest": {
        "digest_date": "2026-03-01", "title": "3 new jobs for you", "summary": "The best of 12 new matches.",
        "html": "<!doctype html>…", "text": "…", "total_new_jobs": 40, "total_matches": 12,
        "skill_recommendations": ["Docker"], "generation_time_seconds": 0.01,
    },
    "Preference": {"dimension": "skill", "value": "Python", "affinity": 0.5, "confidence": 0.3, "n": 2},
    "MissingSkill": {"skill": "Docker", "impact": 0.4, "priority": "high"},
    "SkillGap": {
        "role": "python_developer", "has": ["Python", "SQL"], "partial": [], "coverage_share": 0.8,
        "verdict": "apply_now",
    },
    "Application": {
        **_APPLIED, "company_id": "1455", "state_since": "2026-02-27T11:00:00Z", "applied_at": "2026-02-20T10:00:00Z",
        "last_event_at": "2026-02-27T11:00:00Z", "is_silent": False, "next_action": "interview",
        "next_action_at": "2026-03-02T09:00:00Z",
    },
    "FunnelStep": {
        "dimension": "all", "value": "all", "step": "interview", "position": 5, "n_users": 1, "n_applications": 12,
        "n_reached": 4, "conversion": 0.8, "share": 0.3333, "lower": 0.138, "upper": 0.609, "median_days": 9.5,
    },
    "ApplicationEvent": {
        **_APPLIED, "position": 2, "event_id": "e-2", "occurred_at": "2026-02-27T11:00:00Z", "event_type": "interview",
        "state_before": "applied", "asked_state": "interview", "is_refused": False, "interview_id": "i-1",
        "action": "scheduled", **_TALK,
    },
    "Interview": {
        "interview_id": "i-1", "status": "scheduled", **_TALK, "revision": 0, "updated_at": "2026-02-27T11:00:00Z",
    },
    "Offer": {
        "offer_id": "o-1", "status": "received", "salary": 1_300_000.0, "currency": "KZT", "period": "month",
        "monthly_usd": 2600.0, "deadline": "2026-03-10", "market_percentile": 0.72, "n_compared": 48,
        "updated_at": "2026-02-28T11:00:00Z",
    },
    "FollowUp": {
        "sequence": "after_application", "ref": "e-1", "step": 1, "template": "application_first",
        "begins_at": "2026-02-26T10:00:00Z", "due_at": "2026-03-01T05:00:00Z", "is_due": True,
        "expires_at": "2026-03-05T05:00:00Z", "channel": "email", "language": "en",
        "subject": "My application: Python developer", "text": "Hello, … Kind regards, {name}", "status": "due",
        "why": "applied", "revision": 2, "updated_at": "2026-02-26T10:00:00Z",
    },
    "LearningResource": {
        "name": "Docker: get started", "url": "https://docs.docker.com/get-started/", "hours": 12, "language": "en",
    },
    "LearningStep": {
        "role": "python_developer", "skill": "Docker", "estimated_hours": 12, "n_jobs_opened": 9, "n_jobs_open": 40,
        "n_jobs_reachable": 120,
    },
    "SkillProgress": {
        "role": "python_developer", "skill": "SQL", "noticed_on": "2026-02-20", "before": "missing", "after": "has",
    },
    "SimilarJobs": {"score": 0.91},
    "TrendingJobs": {"window": "24h", "score": 35.2},
    "NearbyJobs": {"lat": 43.25, "lon": 76.9, "radius_km": 25.0},
    "NearbyItem": {"distance_km": 1.3},
    "MarketTrend": {"dimension": "skill", "value": "Python", "week": "2026-02-23"},
    "SkillDemand": {"share": 0.2},
    "Names": {
        "language": "en", "names": {"role": {"python_developer": "Python Developer"}, "place": {"KZ": "Kazakhstan"}},
    },
    "Metric": {
        "metric": "apply_rate", "arm": "all", "surface": "feed", "value": 0.05, "lower": 0.04, "upper": 0.06,
        "n": 30_000,
    },
    "CompanyProfile": {
        "company": "Example LLP", "n_open_jobs": 12, "completeness": 0.8, "n_salaries": 7, "salary_ratio": 1.12,
        "market_salary_monthly_usd_median": 2700.0, "repost_share": 0.05, "n_applications": 40, "answer_share": 0.62,
        "answer_days_median": 4.2,
    },
    "Counted": {"value": "python_developer", "n_jobs": 6, "share": 0.5},
    "AskedSkill": {"n_jobs": 6, "share": 0.5, "is_new": False},
    "WeekCount": {"week": "2026-02-23", "n_jobs": 3},
    "SimilarCompany": {"company_id": "name:other example", "company": "Other Example", "score": 0.71},
    "Common": {"both": ["Python"], "only_first": ["Go"], "only_second": ["SQL"]},
    "CompanyFact": {
        "fact": "headcount", "value": "120", "source": "company site", "url": "https://example.org/about",
        "observed_at": "2026-02-20T00:00:00Z",
    },
    "CompanyNews": {
        "title": "Example opens an office", "url": "https://example.org/news/1", "source": "example.org",
        "published_at": "2026-02-20T00:00:00Z",
    },
    "CompanyEntry": {"company": "Example LLP", "n_open_jobs": 12},
    "Insight": {
        "code": "pays_more",
        "text_en": "Pays 12 % more than the market for the same roles and countries (jobs compared: 7).",
        "text_ru": "Платит на 12 % больше рынка за те же роли в тех же странах (сравнено вакансий: 7).",
    },
    "GenerationInfo": {
        "created_at": "2026-03-01T02:11:00Z", "schema_version": SCHEMA_VERSION, "code_version": "0.2.0",
        "high_water_marks": {"hh": _AS_OF},
        "tables": {"feeds": {"rows": 1_000_000, "bytes": 5_000_000_000, "sha256": "0" * 64}},
    },
    "Readiness": {
        "status": "ready", "verified": True, "age_seconds": 3600.0, "seconds_since_check": 0.2, "reasons": [],
    },
    "Problem": {
        "type": "about:blank", "title": "Bad Request", "status": 400,
        "detail": "parameter 'limit': received '0'; allowed: an integer from 1 to 100",
        "request_id": "5f0c2b9a1d7e-1", "parameter": "limit", "allowed": "an integer from 1 to 100",
    },
}  # fmt: skip


def example(response: type[msgspec.Struct]) -> dict[str, Any]:
    """An example of a response as plain values; None for a field without a value above."""
    return _struct(inspect.type_info(response), {})


def _struct(kind: Any, outer: Mapping[str, Any]) -> dict[str, Any]:
    """An example of a struct. Values of the type itself come before those of the struct around it."""
    own = {**outer, **_OF_TYPE.get(kind.cls.__name__, {})}
    made = {}
    for field in kind.fields:
        if field.name in own or field.required:
            made[field.name] = own.get(field.name, _SHARED.get(field.name, _nested(field.type, own)))
    return made


def _nested(kind: Any, outer: Mapping[str, Any]) -> Any:
    """An example of a field that holds a struct or a list of structs; None for other fields."""
    if isinstance(kind, inspect.Metadata):
        return _nested(kind.type, outer)
    if isinstance(kind, inspect.UnionType):
        return _nested(kind.types[0], outer)
    if isinstance(kind, inspect.ListType):
        nested = _nested(kind.item_type, outer)
        return None if nested is None else [nested]
    return _struct(kind, outer) if isinstance(kind, inspect.StructType) else None
