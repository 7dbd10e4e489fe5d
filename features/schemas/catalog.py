"""Typed and de-duplicated jobs, users and interactions."""

from collections.abc import Mapping

import polars as pl

from features.schemas.bronze import (
    CONTENT_HASH,
    PERSONAL_COLUMNS,
    POSTING_CONTENT,
    POSTING_IDENTITY,
    RESUME_COLUMNS,
    UPDATED_AT,
    USER_PROFILE_COLUMNS,
)
from features.schemas.table import UTC_TIMESTAMP, Column, Table, dtype_of, published
from serving.contract import tables as contract

WORK_FORMATS = ("on_site", "hybrid", "remote")
EMPLOYMENT_TYPES = ("full_time", "part_time", "contract", "project", "internship", "volunteer", "temporary")
CAREER_LEVELS = ("intern", "junior", "middle", "senior", "lead", "executive")
SALARY_PERIODS = ("hour", "day", "week", "month", "year", "shift", "service", "fly_in_fly_out")
JOB_STATUSES = ("open", "expired", "closed")

LOCATION = dtype_of([contract.LOCATION]).inner  # type: ignore[union-attr]
JOBS = published("jobs", "Jobs, open or not; one row per job")

_NAMES = list(JOBS.described)
# What one version of a posting says; from `published_at` on, JOBS holds what is decided over all versions of a job.
JOB_CONTENT: Mapping[str, Column] = {
    name: JOBS.described[name] for name in _NAMES[_NAMES.index("url") : _NAMES.index("published_at")]
}

JOB_CHANGES = Table(
    "job_changes",
    "Which change of the catalog was the last of each job; one row per job that was ever in it",
    {
        "job_id": JOBS.described["job_id"],
        "profiled_digest": Column(
            pl.UInt64, "Digest of what profiles of its users learn from it; null once it is gone"
        ),
        "learned_digest": Column(pl.UInt64, "Digest of what preferences learn from it; null once it is gone"),
        "described_digest": Column(pl.UInt64, "Digest of what applications say of it; null once it is gone"),
        "ranked_digest": Column(pl.UInt64, "Digest of all of it but its last sighting; null once it is gone"),
        "profiled_in": Column(pl.Int64, "Number of the change in which `profiled_digest` came about"),
        "learned_in": Column(pl.Int64, "Number of the change in which `learned_digest` came about"),
        "described_in": Column(pl.Int64, "Number of the change in which `described_digest` came about"),
        "ranked_in": Column(pl.Int64, "Number of the change in which `ranked_digest` came about"),
    },
    key=("job_id",),
)

JOB_VERSIONS = Table(
    "job_versions",
    "Versions of postings, cleaned and typed; one row per job and content",
    {
        **POSTING_IDENTITY,
        "content_hash": CONTENT_HASH,
        "normaliser": Column(pl.String, "Version of the code and the vocabulary that cleaned it"),
        "seen_at": Column(UTC_TIMESTAMP, "Instant of the run that first saw it"),
        **{
            name: POSTING_CONTENT[name]
            for name in (
                "is_complete", "is_archived", "initial_created_at", "published_at", "expires_at", "closed_at",
            )
        },
        **JOB_CONTENT,
    },
    key=("job_id", "content_hash"),
)  # fmt: skip

USERS = Table(
    "users",
    "What users stated, completed by the resume and by defaults; one row per user",
    {
        "user_id": Column(pl.String, "User, by the id that the app gave"),
        "updated_at": UPDATED_AT,
        **USER_PROFILE_COLUMNS,
        **RESUME_COLUMNS,
        "language": Column(pl.String, "Language of texts for the user (ISO 639-1)"),
        "salary_monthly_usd_min": Column(pl.Float64, "Least pay", "USD per month"),
        "has_resume": Column(pl.Boolean, "Whether a resume was read"),
    },
    key=("user_id",),
    personal=PERSONAL_COLUMNS,
)

_USER_AND_JOB: Mapping[str, Column] = {
    "user_id": USERS.described["user_id"],
    "job_id": JOBS.described["job_id"],
}
_COUNTERS: Mapping[str, Column] = {
    "n_impressions": Column(pl.Int32, "Times that the job was shown"),
    "n_views": Column(pl.Int32, "Views"),
    "n_clicks": Column(pl.Int32, "Clicks"),
    "n_saves": Column(pl.Int32, "Saves"),
    "n_unsaves": Column(pl.Int32, "Saves that were taken back"),
    "n_shares": Column(pl.Int32, "Shares"),
    "n_applies": Column(pl.Int32, "Applications"),
    "n_dismissals": Column(pl.Int32, "Events of the types dismiss, reject and ignore"),
    "n_relevant": Column(pl.Int32, "Feedback that the job is relevant"),
    "n_not_relevant": Column(pl.Int32, "Feedback that the job is not relevant"),
    "dwell_seconds": Column(pl.Float64, "Time that the user spent on the job", "seconds"),
    "weight": Column(pl.Int32, "Sum of the interaction weights"),
}
_FIRST_AT = Column(UTC_TIMESTAMP, "First event")
_LAST_AT = Column(UTC_TIMESTAMP, "Last event")

DAILY_INTERACTIONS = Table(
    "daily_interactions",
    "Counts of events without those of bots, a part per date; one row per UTC date, user and job",
    {
        "date": Column(pl.Date, "Day of the events (UTC)"),
        **_USER_AND_JOB,
        **_COUNTERS,
        "last_at": _LAST_AT,
        "first_at": _FIRST_AT,
        "last_saved_at": Column(UTC_TIMESTAMP, "Last save"),
        "last_unsaved_at": Column(UTC_TIMESTAMP, "Last save that was taken back"),
    },
    key=("date", "user_id", "job_id"),
)
DAILY_JOB_COUNTS = Table(
    "daily_job_counts",
    "Daily interactions summed over users, a part per date; one row per UTC date and job",
    {
        "date": Column(pl.Date, "Day of the events (UTC)"),
        "job_id": Column(pl.String, "Job"),
        "n_impressions": Column(pl.Int64, "Impressions"),
        "n_applies": Column(pl.Int64, "Applications"),
        "n_dismissals": Column(pl.Int64, "Dismissals, rejections and jobs ignored"),
        "weight": Column(pl.Int64, "Sum of the weights of events"),
        "last_at": _LAST_AT,
    },
    key=("date", "job_id"),
)
INTERACTIONS = Table(
    "interactions",
    "Sums of all kept days; one row per user and job",
    {
        **_USER_AND_JOB,
        **_COUNTERS,
        "is_seen": Column(pl.Boolean, "Viewed or clicked"),
        "is_saved": Column(pl.Boolean, "Saved, and not unsaved since"),
        "is_applied": Column(pl.Boolean, "Applied to"),
        "is_dismissed": Column(pl.Boolean, "Dismissed, rejected, ignored or marked as not relevant"),
        "first_at": _FIRST_AT,
        "last_at": _LAST_AT,
    },
    key=("user_id", "job_id"),
)
APPLICATIONS = published("applications")
APPLICATION_EVENTS = published("application_events")
INTERVIEWS = published("interviews")
OFFERS = published("offers")
FOLLOW_UPS = published("follow_ups")
