"""Typed and de-duplicated jobs, users and interactions."""

from collections.abc import Mapping

import polars as pl

from features.schemas.bronze import _PERSONAL, USER_PROFILE_COLUMNS
from features.schemas.table import STRINGS, UTC_TIMESTAMP, Table

WORK_FORMATS = ("on_site", "hybrid", "remote")
EMPLOYMENT_TYPES = ("full_time", "part_time", "contract", "project", "internship", "volunteer", "temporary")
CAREER_LEVELS = ("intern", "junior", "middle", "senior", "lead", "executive")
SALARY_PERIODS = ("hour", "day", "week", "month", "year", "shift", "service", "fly_in_fly_out")
JOB_STATUSES = ("open", "expired", "closed")

# SPEC section 4, in its order. Grain: job_id.
JOBS = Table(
    "jobs",
    {
        "job_id": pl.String,
        "source": pl.String,
        "source_id": pl.String,
        "url": pl.String,
        "title": pl.String,
        "company": pl.String,
        "company_id": pl.String,
        "description": pl.String,
        "language": pl.String,
        "city": pl.String,
        "region": pl.String,
        "country": pl.String,
        "latitude": pl.Float64,
        "longitude": pl.Float64,
        "work_format": pl.String,
        "employment_type": pl.String,
        "experience_min_years": pl.Float64,
        "experience_max_years": pl.Float64,
        "career_level": pl.String,
        "salary_min": pl.Float64,
        "salary_max": pl.Float64,
        "salary_currency": pl.String,
        "salary_period": pl.String,
        "salary_gross": pl.Boolean,
        "salary_monthly_usd_min": pl.Float64,
        "salary_monthly_usd_max": pl.Float64,
        "skills": STRINGS,
        "tags": STRINGS,
        "professional_roles": STRINGS,
        "published_at": UTC_TIMESTAMP,
        "first_seen_at": UTC_TIMESTAMP,
        "last_seen_at": UTC_TIMESTAMP,
        "expires_at": UTC_TIMESTAMP,
        "closed_at": UTC_TIMESTAMP,
        "status": pl.String,
        "duplicate_of": pl.String,
        "content_hash": pl.String,
    },
    key=("job_id",),
)

_FIRST_DECIDED = list(JOBS.columns).index("published_at")
# What one version of a posting says; from `published_at` on, JOBS holds what is decided over all versions of a job.
JOB_CONTENT: Mapping[str, pl.DataType | type[pl.DataType]] = dict(
    list(JOBS.columns.items())[list(JOBS.columns).index("url") : _FIRST_DECIDED]
)

# Grain: one posting version, cleaned and typed; `normaliser` names the code and vocabulary that did it.
JOB_VERSIONS = Table(
    "job_versions",
    {
        "job_id": pl.String,
        "source": pl.String,
        "source_id": pl.String,
        "content_hash": pl.String,
        "normaliser": pl.String,
        "seen_at": UTC_TIMESTAMP,
        "is_complete": pl.Boolean,
        "is_archived": pl.Boolean,
        "initial_created_at": UTC_TIMESTAMP,
        "published_at": UTC_TIMESTAMP,
        "expires_at": UTC_TIMESTAMP,
        "closed_at": UTC_TIMESTAMP,
        **JOB_CONTENT,
    },
    key=("job_id", "content_hash"),
)

# Grain: user_id. What the user stated, completed by the resume, with defaults filled in and places resolved.
USERS = Table(
    "users",
    {
        "user_id": pl.String,
        "updated_at": UTC_TIMESTAMP,
        **USER_PROFILE_COLUMNS,
        "titles": STRINGS,
        "companies": STRINGS,
        "language": pl.String,
        "salary_monthly_usd_min": pl.Float64,
        "has_resume": pl.Boolean,
    },
    key=("user_id",),
    personal=_PERSONAL,
)

_COUNTERS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "n_impressions": pl.Int32,
    "n_views": pl.Int32,
    "n_clicks": pl.Int32,
    "n_saves": pl.Int32,
    "n_unsaves": pl.Int32,
    "n_shares": pl.Int32,
    "n_applies": pl.Int32,
    "n_dismissals": pl.Int32,  # dismiss, reject and ignore
    "n_relevant": pl.Int32,
    "n_not_relevant": pl.Int32,
    "dwell_seconds": pl.Float64,
    "weight": pl.Int32,  # sum of interaction weights, SPEC section 5
}
# Grain: date of occurrence (UTC), user, job. Bots excluded. Partitioned by date.
DAILY_INTERACTIONS = Table(
    "daily_interactions",
    {
        "date": pl.Date,
        "user_id": pl.String,
        "job_id": pl.String,
        **_COUNTERS,
        "last_at": UTC_TIMESTAMP,
        "first_at": UTC_TIMESTAMP,
        "last_saved_at": UTC_TIMESTAMP,
        "last_unsaved_at": UTC_TIMESTAMP,
    },
    key=("date", "user_id", "job_id"),
)
# Grain: user, job; all kept days up to as_of.
INTERACTIONS = Table(
    "interactions",
    {
        "user_id": pl.String,
        "job_id": pl.String,
        **_COUNTERS,
        "is_seen": pl.Boolean,  # viewed or clicked
        "is_saved": pl.Boolean,  # saved and not unsaved since
        "is_applied": pl.Boolean,
        "is_dismissed": pl.Boolean,  # dismissed, rejected, ignored or told irrelevant
        "first_at": UTC_TIMESTAMP,
        "last_at": UTC_TIMESTAMP,
    },
    key=("user_id", "job_id"),
)
