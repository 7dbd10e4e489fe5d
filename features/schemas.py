"""Columns, dtypes and keys of every lake table, once.

Nothing here computes; a column name that two modules use is declared here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from features.errors import JobfeedError

UTC_TIMESTAMP = pl.Datetime("us", "UTC")
STRINGS = pl.List(pl.String)
RATED_SKILL = pl.Struct({"name": pl.String, "level": pl.String, "years": pl.Float64})


class SchemaError(JobfeedError, ValueError):
    """A frame does not have the columns that its table declares."""


@dataclass(frozen=True)
class Table:
    """One lake table: `columns` in order, `key` (its grain), and the columns that hold personal data."""

    name: str
    columns: Mapping[str, pl.DataType | type[pl.DataType]]
    key: tuple[str, ...]
    personal: frozenset[str] = field(default_factory=frozenset)

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with the declared dtypes."""
        return pl.DataFrame(schema=dict(self.columns))

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` with exactly the declared columns, in order and cast; absent columns become null.

        Raises SchemaError on a column that the table does not declare, so that a misspelt name is never dropped.
        """
        unknown = [name for name in frame.columns if name not in self.columns]
        if unknown:
            raise SchemaError(f"{self.name}: unknown columns {unknown}; it declares {list(self.columns)}")
        if not frame.columns:
            return self.empty()  # a selection of literals alone would make one row
        present = set(frame.columns)
        return frame.select(
            pl.col(name).cast(dtype) if name in present else pl.lit(None, dtype).alias(name)
            for name, dtype in self.columns.items()
        )

    def validate(self, frame: pl.DataFrame | pl.LazyFrame) -> None:
        """Raises SchemaError unless `frame` has the declared columns and dtypes, in order."""
        actual, expected = dict(frame.collect_schema()), pl.Schema(dict(self.columns))
        if list(actual.items()) != list(expected.items()):
            wrong = {
                n: (actual.get(n), expected.get(n))
                for n in actual.keys() | expected.keys()
                if actual.get(n) != expected.get(n)
            }
            raise SchemaError(f"{self.name}: column -> (received, expected): {wrong or 'order differs'}")


# --- ingest (bronze) -------------------------------------------------------------------------------------------------

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

# --- catalog ---------------------------------------------------------------------------------------------------------

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

# --- features --------------------------------------------------------------------------------------------------------

# Grain: user_id; no personal data. What ranking needs of a user, resolved and normalised.
USER_PROFILES = Table(
    "user_profiles",
    {
        "user_id": pl.String,
        "language": pl.String,
        "city": pl.String,
        "country": pl.String,
        "latitude": pl.Float64,
        "longitude": pl.Float64,
        "max_distance_km": pl.Float64,
        "remote": pl.String,
        "skills": STRINGS,  # canonical names, sorted
        "skill_levels": pl.List(pl.Float32),  # beside skills, in (0, 1]; 1 = expert, null = not told
        "avoided_skills": STRINGS,
        "interest_tags": STRINGS,  # stated and learned, lower case, sorted
        "blocked_tags": STRINGS,
        "blocked_companies": STRINGS,  # company_id or normalised name
        "roles": STRINGS,  # desired roles, professions, resume titles
        "years_of_experience": pl.Float64,
        "career_level": pl.String,
        "salary_monthly_usd_min": pl.Float64,
        "job_types": STRINGS,
        "summary": pl.String,  # for the culture component; contacts removed
        "has_profile": pl.Boolean,
        "personalization_enabled": pl.Boolean,
    },
    key=("user_id",),
)
# Grain: job_id; every job of the catalog.
JOB_FEATURES = Table(
    "job_features",
    {
        "job_id": pl.String,
        "age_days": pl.Float64,
        "n_impressions": pl.Int64,
        "n_applies": pl.Int64,
        "engagement_score": pl.Float64,  # 10 * ln(1 + max(0, sum of weights))
        "engagement": pl.Float32,
        "trending_24h": pl.Float32,
        "trending_7d": pl.Float32,
        "recency": pl.Float32,
        "poster_quality": pl.Float32,
        "completeness": pl.Float32,
    },
    key=("job_id",),
)
COMPANIES = Table(
    "companies",
    {
        "company_id": pl.String,
        "company": pl.String,
        "n_jobs": pl.Int64,
        "n_open_jobs": pl.Int64,
        "n_impressions": pl.Int64,
        "n_applies": pl.Int64,
        "n_dismissals": pl.Int64,
        "repost_share": pl.Float64,
        "poster_quality": pl.Float64,
    },
    key=("company_id",),
)
SKILL_WEIGHTS = Table("skill_weights", {"skill": pl.String, "n_jobs": pl.Int64, "rarity": pl.Float32}, key=("skill",))
PREFERENCE_DIMENSIONS = ("company", "role", "skill", "city", "career_level", "keyword")
PREFERENCES = Table(
    "preferences",
    {
        "user_id": pl.String,
        "dimension": pl.String,
        "value": pl.String,
        "affinity": pl.Float32,  # in [-1, 1]
        "confidence": pl.Float32,  # n / (n + 5)
        "n": pl.Int32,
    },
    key=("user_id", "dimension", "value"),
)
TRENDING_WINDOWS = ("24h", "7d")
GLOBAL_AREA = "all"
TRENDING = Table(
    "trending",
    {"window": pl.String, "area": pl.String, "rank": pl.Int32, "job_id": pl.String, "score": pl.Float64},
    key=("window", "area", "rank"),
)
NEARBY = Table("nearby", {"cell": pl.String, "rank": pl.Int32, "job_id": pl.String}, key=("cell", "rank"))

# --- training --------------------------------------------------------------------------------------------------------

EMBEDDING_DIMENSIONS = 512
# Grain: one distinct text for one embedding model; the text itself is not stored.
TEXT_EMBEDDINGS = Table(
    "text_embeddings",
    {"text_hash": pl.String, "vector": pl.Array(pl.Float32, EMBEDDING_DIMENSIONS)},
    key=("text_hash",),
)
SCORED_JOB = pl.Struct({"job_id": pl.String, "score": pl.Float32})
SIMILAR_JOBS = Table("similar_jobs", {"job_id": pl.String, "items": pl.List(SCORED_JOB)}, key=("job_id",))

# --- ranking ---------------------------------------------------------------------------------------------------------

COMPONENTS = (
    "location", "tags", "engagement", "recency", "poster_quality", "collaborative", "content", "skills", "experience",
    "salary", "location_match", "culture", "growth", "neighbours", "also_applied", "affinity", "trending",
)  # fmt: skip
FEED_SOURCES = ("personal", "profile", "segment", "global")
REASON_CODES = (
    "similar_to_saved", "similar_to_applied", "similar_to_viewed", "also_applied", "neighbours", "skills", "role",
    "nearby", "same_city", "remote", "popular_in_area", "trending", "new", "salary", "tags", "experience", "company",
    "exploration",
)  # fmt: skip
REASON = pl.Struct({"code": pl.String, "ref": pl.String, "value": pl.Float32})
FEED_ITEM = pl.Struct(
    {
        "rank": pl.Int16,
        "job_id": pl.String,
        "score": pl.Float32,
        "confidence": pl.Float32,
        "seen": pl.Boolean,
        "explored": pl.Boolean,
        "propensity": pl.Float32,
        "reasons": pl.List(REASON),
        "components": pl.Struct(dict.fromkeys(COMPONENTS, pl.Float32)),
    }
)
# Grain: user_id. Partitioned by shard.
FEEDS = Table(
    "feeds",
    {
        "user_id": pl.String,
        "generated_at": UTC_TIMESTAMP,
        "recipe": pl.String,
        "arm": pl.String,
        "source": pl.String,
        "items": pl.List(FEED_ITEM),
    },
    key=("user_id",),
)
# Grain: shard, replacement, user_id: what a partial run changed in a shard; the items are null where the feed went.
FEED_CHANGES = Table(
    "feed_changes",
    {
        **FEEDS.columns,
        "is_removed": pl.Boolean,
        "existed": pl.Boolean,
        "identity_before": pl.String,
        "identity_after": pl.String,
    },
    key=("user_id",),
)
# Grain: segment: "all", "country=RU", "country=RU/role=<role>".
FALLBACK_FEEDS = Table("fallback_feeds", {"segment": pl.String, "items": pl.List(FEED_ITEM)}, key=("segment",))

# --- digests and insight ---------------------------------------------------------------------------------------------

DIGESTS = Table(
    "digests",
    {
        "user_id": pl.String,
        "digest_date": pl.Date,
        "title": pl.String,
        "summary": pl.String,
        "html": pl.String,
        "text": pl.String,
        "top_jobs": pl.List(pl.Struct({"job_id": pl.String, "rank": pl.Int16, "match_percent": pl.Int16})),
        "total_new_jobs": pl.Int32,
        "total_matches": pl.Int32,
        "market_trends": pl.List(pl.Struct({"name": pl.String, "n_jobs": pl.Int64, "change": pl.Float64})),
        "skill_recommendations": STRINGS,
        "generation_time_seconds": pl.Float64,
    },
    key=("user_id", "digest_date"),
)
# Grain: user, job that was in a digest. Partitioned by the UTC date of the run that made the digest.
DIGEST_ITEMS = Table(
    "digest_items",
    {"user_id": pl.String, "job_id": pl.String, "digest_date": pl.Date, "made_at": UTC_TIMESTAMP},
    key=("user_id", "digest_date", "job_id"),
)
# Grain: dimension (skill, role, company, salary), value, area, week (Monday, UTC).
MARKET_TRENDS = Table(
    "market_trends",
    {
        "dimension": pl.String,
        "value": pl.String,
        "area": pl.String,
        "week": pl.Date,
        "n_jobs": pl.Int64,
        "salary_monthly_usd_median": pl.Float64,
        "change": pl.Float64,  # of n_jobs against the week before, as a share; null without one
    },
    key=("dimension", "value", "area", "week"),
)
SKILL_DEMAND = Table(
    "skill_demand",
    {
        "skill": pl.String,
        "area": pl.String,
        "n_jobs": pl.Int64,
        "share": pl.Float64,
        "salary_monthly_usd_median": pl.Float64,
        "change": pl.Float64,
    },
    key=("skill", "area"),
)
SKILL_GAPS = Table(
    "skill_gaps",
    {
        "user_id": pl.String,
        "role": pl.String,
        "has": STRINGS,
        "partial": STRINGS,
        "missing": pl.List(
            pl.Struct({"skill": pl.String, "impact": pl.Float32, "priority": pl.String, "estimated_hours": pl.Int32})
        ),
        "coverage_share": pl.Float32,
        "estimated_hours": pl.Int32,
        "verdict": pl.String,  # apply_now, learn_first, reconsider
    },
    key=("user_id", "role"),
)
METRICS = Table(
    "metrics",
    {
        "metric": pl.String,
        "recipe": pl.String,
        "arm": pl.String,
        "surface": pl.String,
        "value": pl.Float64,
        "lower": pl.Float64,
        "upper": pl.Float64,
        "n": pl.Int64,
    },
    key=("metric", "recipe", "arm", "surface"),
)
