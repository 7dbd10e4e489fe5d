"""What was read of the sources: postings, events, profiles and resumes, and what became of each read."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from features.schemas.table import STRINGS, UTC_TIMESTAMP, Table

RATED_SKILL = pl.Struct({"name": pl.String, "level": pl.String, "years": pl.Float64})

QUARANTINE = Table(
    "quarantine",
    {
        "source": pl.String,
        "file": pl.String,
        "entry": pl.String,
        "reason": pl.String,
        "detail": pl.String,
        "raw": pl.String,
        "seen_at": UTC_TIMESTAMP,
    },
    key=("source", "file", "entry", "reason"),
)
QUARANTINE_RAW_BYTES = 4096

# Grain: one ingest run that read something of one source, or failed to; `attempt` counts runs of the same instant.
# n_read = n_new + n_changed + n_unchanged + n_quarantined, and n_parsed = n_read - n_quarantined.
INGEST_RUNS = Table(
    "ingest_runs",
    {
        "kind": pl.String,  # the table that was written: feed_postings, events ...
        "source": pl.String,
        "ran_at": UTC_TIMESTAMP,
        "attempt": pl.Int32,
        "status": pl.String,
        "is_failed": pl.Boolean,
        "n_fetched": pl.Int64,  # answers and landed files
        "n_read": pl.Int64,  # entries in them
        "n_parsed": pl.Int64,
        "n_new": pl.Int64,
        "n_changed": pl.Int64,
        "n_unchanged": pl.Int64,
        "n_quarantined": pl.Int64,
        "reasons": pl.List(pl.Struct({"reason": pl.String, "n": pl.Int64})),
        "n_listed": pl.Int64,  # jobs in one whole listing of the source; null where this run read none
        "seconds": pl.Float64,
    },
    key=("kind", "source", "ran_at", "attempt"),
)

# Grain: one landed file under one name; what was read of it and when. `scope` is what else decides how it is parsed.
LANDING_FILES = Table(
    "landing_files",
    {
        "kind": pl.String,
        "path": pl.String,  # relative to landing/; a digest of it where the name tells a user id (resumes)
        "scope": pl.String,
        "size_bytes": pl.Int64,
        "mtime_ns": pl.Int64,
        "digest": pl.String,
        "n_rows": pl.Int64,
        "n_rejects": pl.Int64,
        "ingested_at": UTC_TIMESTAMP,
        "retry_at": UTC_TIMESTAMP,  # from when on to read it again, for entries that lay in the future; else null
    },
    key=("kind", "path"),
)

# What a source said of a job, in the source's own words; typing and cleaning belong to the catalog.
POSTING_CONTENT: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "is_complete": pl.Boolean,  # false for a search-page item that lacks description and skills
    "url": pl.String,
    "title": pl.String,
    "company": pl.String,
    "company_id": pl.String,
    "description": pl.String,  # HTML or plain text
    "location_text": pl.String,
    "area_id": pl.String,  # HH area
    "city": pl.String,
    "region": pl.String,
    "country": pl.String,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    "work_format": pl.String,  # any of: REMOTE, remote, fullDay, hybrid, "Anywhere in the World" ...
    "employment_type": pl.String,
    "experience": pl.String,  # HH id (between1And3) or text
    "career_level": pl.String,
    "salary_min": pl.Float64,
    "salary_max": pl.Float64,
    "salary_currency": pl.String,
    "salary_period": pl.String,  # month, year, hour, day, week, shift, service, fly_in_fly_out
    "salary_gross": pl.Boolean,
    "salary_text": pl.String,
    "skills": STRINGS,
    "tags": STRINGS,
    "professional_roles": STRINGS,
    "language": pl.String,
    "published_at": UTC_TIMESTAMP,
    "initial_created_at": UTC_TIMESTAMP,
    "expires_at": UTC_TIMESTAMP,
    "closed_at": UTC_TIMESTAMP,
    "is_archived": pl.Boolean,
}

# Grain: one version of one posting, at the run that first saw that version.
POSTINGS = Table(
    "postings",
    {
        "job_id": pl.String,
        "source": pl.String,
        "source_id": pl.String,
        "seen_at": UTC_TIMESTAMP,
        "origin": pl.String,
        "content_hash": pl.String,
        **POSTING_CONTENT,
    },
    key=("job_id", "content_hash"),
)

FEED_POSTINGS = replace(POSTINGS, name="feed_postings")
HH_POSTINGS = replace(POSTINGS, name="hh_postings")
FILE_POSTINGS = replace(POSTINGS, name="file_postings")

# What HH's API says of its own ids. Grain: one area of its tree; names are in the language of the answer.
HH_AREAS = Table(
    "hh_areas",
    {
        "area_id": pl.String,
        "parent_id": pl.String,
        "name": pl.String,
        "latitude": pl.Float64,
        "longitude": pl.Float64,
        "utc_offset": pl.String,  # +05:00
    },
    key=("area_id",),
)
# Grain: one professional role.
HH_ROLES = Table(
    "hh_roles", {"role_id": pl.String, "name": pl.String, "is_search_deprecated": pl.Boolean}, key=("role_id",)
)
# Grain: one currency (ISO 4217) on a day on which the API was asked; the columns of currencies.csv.
HH_RATES = Table(
    "hh_rates",
    {"currency": pl.String, "as_of_date": pl.Date, "units_per_usd": pl.Float64},
    key=("currency", "as_of_date"),
)

# Grain: one run's sighting of a job in a source (also of an unchanged one), or its explicit end (is_gone).
SIGHTINGS = Table(
    "sightings",
    {"job_id": pl.String, "source": pl.String, "seen_at": UTC_TIMESTAMP, "is_gone": pl.Boolean},
    key=("job_id", "seen_at", "is_gone"),  # listed and then gone, both in one run: the end counts
)

EVENT_TYPES = (
    "impression", "view", "click", "save", "unsave", "share", "apply", "dismiss", "reject", "ignore", "feedback",
)  # fmt: skip
SURFACES = ("feed", "search", "digest", "similar", "trending", "external")

EVENTS = Table(
    "events",
    {
        "event_id": pl.String,
        "user_id": pl.String,
        "event_type": pl.String,
        "occurred_at": UTC_TIMESTAMP,
        "job_id": pl.String,
        "dwell_seconds": pl.Float64,
        "surface": pl.String,
        "position": pl.Int32,
        "generation": pl.String,
        "session_id": pl.String,
        "device_type": pl.String,
        "latitude": pl.Float64,
        "longitude": pl.Float64,
        "value": pl.Float64,
        "is_relevant": pl.Boolean,
        "rating": pl.Int8,
        "skill_match_feedback": pl.String,
        "location_feedback": pl.String,
        "salary_feedback": pl.String,
        "is_bot": pl.Boolean,  # a crawler, a tool or a prefetch: kept, and counted nowhere
        "event_hash": pl.UInt64,  # of event_id, set as the event is stored: what later events are compared with
    },
    key=("event_id",),
    personal=frozenset({"latitude", "longitude"}),
)

USER_PROFILE_COLUMNS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "full_name": pl.String,
    "email": pl.String,
    "phone": pl.String,
    "locale": pl.String,
    "timezone": pl.String,
    "city": pl.String,
    "country": pl.String,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    "max_distance_km": pl.Float64,
    "remote": pl.String,  # only, ok, no
    "skills": pl.List(RATED_SKILL),
    "skill_categories": STRINGS,
    "desired_roles": STRINGS,
    "professions": STRINGS,
    "years_of_experience": pl.Float64,
    "career_level": pl.String,
    "salary_min": pl.Float64,
    "salary_max": pl.Float64,
    "salary_currency": pl.String,
    "salary_period": pl.String,
    "job_types": STRINGS,
    "preferred_tags": STRINGS,
    "blocked_tags": STRINGS,
    "blocked_companies": STRINGS,
    "strengths": STRINGS,
    "weaknesses": STRINGS,
    "education": STRINGS,
    "languages": STRINGS,
    "summary": pl.String,
    "work_authorization": STRINGS,
    "digest_frequency": pl.String,  # none, daily, weekly
    "digest_hour": pl.Int8,
    "personalization_enabled": pl.Boolean,
}
_PERSONAL = frozenset({"full_name", "email", "phone", "latitude", "longitude", "summary"})

# Grain: one version of one user's profile as the app stated it.
USER_RECORDS = Table(
    "user_records",
    {"user_id": pl.String, "updated_at": UTC_TIMESTAMP, "content_hash": pl.String, **USER_PROFILE_COLUMNS},
    key=("user_id", "updated_at", "content_hash"),
    personal=_PERSONAL,
)
# Grain: what was extracted from one user's newest resume; the file itself is never stored.
RESUMES = Table(
    "resumes",
    {
        "user_id": pl.String,
        "parsed_at": UTC_TIMESTAMP,
        "content_hash": pl.String,
        "titles": STRINGS,
        "companies": STRINGS,
        **USER_PROFILE_COLUMNS,
    },
    key=("user_id", "content_hash"),
    personal=_PERSONAL,
)
ERASURES = Table("erasures", {"user_id": pl.String, "requested_at": UTC_TIMESTAMP}, key=("user_id",))
