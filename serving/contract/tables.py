"""The published tables: names, columns, DuckDB types and keys. Plain values only."""

from collections.abc import Mapping

SCHEMA_VERSION = "1.0"

COMPONENTS = (
    "location", "tags", "engagement", "recency", "poster_quality", "collaborative", "content", "skills", "experience",
    "salary", "location_match", "culture", "growth", "neighbours", "also_applied", "affinity", "trending",
)  # fmt: skip
LANGUAGES = ("en", "ru")
FEED_SOURCES = ("personal", "profile", "segment", "global")
TRENDING_WINDOWS = ("24h", "7d")
GLOBAL_AREA = "all"
GLOBAL_SEGMENT = "all"

_COMPONENTS_TYPE = "struct(" + ", ".join(f"{name} float" for name in COMPONENTS) + ")"
_ITEM_TYPE = (
    "struct(rank smallint, job_id varchar, score float, confidence float, seen boolean, explored boolean,"
    " propensity float, reasons struct(code varchar, ref varchar, value float)[],"
    f" components {_COMPONENTS_TYPE})"
)
_TIMESTAMP = "timestamp with time zone"

# Table -> column -> type, in order. The first columns up to KEYS[table] are unique together.
TABLES: Mapping[str, Mapping[str, str]] = {
    "feeds": {
        "user_id": "varchar",
        "generated_at": _TIMESTAMP,
        "recipe": "varchar",
        "arm": "varchar",
        "source": "varchar",
        "items": f"{_ITEM_TYPE}[]",
    },
    "fallback_feeds": {"segment": "varchar", "items": f"{_ITEM_TYPE}[]"},
    "reason_templates": {"code": "varchar", "language": "varchar", "template": "varchar"},
    "recipes": {"recipe": "varchar", "component": "varchar", "weight": "double", "neutral": "double"},
    "jobs": {
        "job_id": "varchar",
        "source": "varchar",
        "source_id": "varchar",
        "url": "varchar",
        "title": "varchar",
        "company": "varchar",
        "company_id": "varchar",
        "description": "varchar",
        "language": "varchar",
        "city": "varchar",
        "region": "varchar",
        "country": "varchar",
        "latitude": "double",
        "longitude": "double",
        "work_format": "varchar",
        "employment_type": "varchar",
        "experience_min_years": "double",
        "experience_max_years": "double",
        "career_level": "varchar",
        "salary_min": "double",
        "salary_max": "double",
        "salary_currency": "varchar",
        "salary_period": "varchar",
        "salary_gross": "boolean",
        "salary_monthly_usd_min": "double",
        "salary_monthly_usd_max": "double",
        "skills": "varchar[]",
        "tags": "varchar[]",
        "professional_roles": "varchar[]",
        "published_at": _TIMESTAMP,
        "first_seen_at": _TIMESTAMP,
        "last_seen_at": _TIMESTAMP,
        "expires_at": _TIMESTAMP,
        "closed_at": _TIMESTAMP,
        "status": "varchar",
        "duplicate_of": "varchar",
        "content_hash": "varchar",
    },
    "similar_jobs": {"job_id": "varchar", "items": "struct(job_id varchar, score float)[]"},
    "trending": {"window": "varchar", "area": "varchar", "rank": "integer", "job_id": "varchar", "score": "double"},
    "nearby": {"cell": "varchar", "rank": "integer", "job_id": "varchar"},
    "digests": {
        "user_id": "varchar",
        "digest_date": "date",
        "title": "varchar",
        "summary": "varchar",
        "html": "varchar",
        "text": "varchar",
        "top_jobs": "struct(job_id varchar, rank smallint, match_percent smallint)[]",
        "total_new_jobs": "integer",
        "total_matches": "integer",
        "market_trends": "struct(name varchar, n_jobs bigint, change double)[]",
        "skill_recommendations": "varchar[]",
        "generation_time_seconds": "double",
    },
    "preferences": {
        "user_id": "varchar",
        "dimension": "varchar",
        "value": "varchar",
        "affinity": "float",
        "confidence": "float",
        "n": "integer",
    },
    "market_trends": {
        "dimension": "varchar",
        "value": "varchar",
        "area": "varchar",
        "week": "date",
        "n_jobs": "bigint",
        "salary_monthly_usd_median": "double",
        "change": "double",
    },
    "skill_demand": {
        "skill": "varchar",
        "area": "varchar",
        "n_jobs": "bigint",
        "share": "double",
        "salary_monthly_usd_median": "double",
        "change": "double",
    },
    "skill_gaps": {
        "user_id": "varchar",
        "role": "varchar",
        "has": "varchar[]",
        "partial": "varchar[]",
        "missing": "struct(skill varchar, impact float, priority varchar, estimated_hours integer)[]",
        "coverage_share": "float",
        "estimated_hours": "integer",
        "verdict": "varchar",
    },
    "metrics": {
        "metric": "varchar",
        "recipe": "varchar",
        "arm": "varchar",
        "surface": "varchar",
        "value": "double",
        "lower": "double",
        "upper": "double",
        "n": "bigint",
    },
}

KEYS: Mapping[str, tuple[str, ...]] = {
    "feeds": ("user_id",),
    "fallback_feeds": ("segment",),
    "reason_templates": ("code", "language"),
    "recipes": ("recipe", "component"),
    "jobs": ("job_id",),
    "similar_jobs": ("job_id",),
    "trending": ("window", "area", "rank"),
    "nearby": ("cell", "rank"),
    "digests": ("user_id", "digest_date"),
    "preferences": ("user_id", "dimension", "value"),
    "market_trends": ("dimension", "value", "area", "week"),
    "skill_demand": ("skill", "area"),
    "skill_gaps": ("user_id", "role"),
    "metrics": ("metric", "recipe", "arm", "surface"),
}

# The `ref` of these reasons is a job: readers see its title.
JOB_REFERENCE_CODES = ("similar_to_saved", "similar_to_applied", "similar_to_viewed", "also_applied")

# What lists show of a job.
JOB_CARD_COLUMNS = (
    "job_id", "title", "company", "city", "country", "work_format", "employment_type", "career_level", "salary_min",
    "salary_max", "salary_currency", "salary_period", "skills", "url", "source", "published_at", "status",
)  # fmt: skip
