"""What ingest read from the sources: postings, events, profiles and resumes, and the outcome of each run."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from features.schemas.table import STRINGS, UTC_TIMESTAMP, Column, Table

RATED_SKILL = pl.Struct({"name": pl.String, "level": pl.String, "years": pl.Float64})
QUARANTINE_RAW_BYTES = 4096
EVENT_TYPES = (
    "impression", "view", "click", "save", "unsave", "share", "apply", "dismiss", "reject", "ignore", "feedback",
)  # fmt: skip
# What the log of applications tells of: an application, its first interview, its first offer. No landed event is of
# these types.
RECORDED_APPLICATION, RECORDED_INTERVIEW, RECORDED_OFFER = "applied", "interviewed", "offered"
SURFACES = ("feed", "search", "digest", "similar", "trending", "external")

_SOURCE = Column(pl.String, "Feed, API or folder that it comes from")
_SEEN_AT = Column(UTC_TIMESTAMP, "Instant of the run that saw it")
_JOB_ID = Column(pl.String, "Job, as <source>:<source_id>")
_USER_ID = Column(pl.String, "User, by the id that the app gave")

QUARANTINE = Table(
    "quarantine",
    "What could not be used; one row per source, file, entry and reason",
    {
        "source": _SOURCE,
        "file": Column(pl.String, "Landed file, or the URL without its query"),
        "entry": Column(pl.String, "Line, row or entry in the file"),
        "reason": Column(pl.String, "Code of what is wrong"),
        "detail": Column(pl.String, "What was received and what was expected"),
        "raw": Column(pl.String, f"First {QUARANTINE_RAW_BYTES} bytes of the entry"),
        "seen_at": _SEEN_AT,
    },
    key=("source", "file", "entry", "reason"),
)

# n_read = n_new + n_changed + n_unchanged + n_quarantined, and n_parsed = n_read - n_quarantined.
INGEST_RUNS = Table(
    "ingest_runs",
    "What ingest runs read; one row per run and source that was read or failed",
    {
        "kind": Column(pl.String, "Table that was written, such as feed_postings or events"),
        "source": _SOURCE,
        "ran_at": Column(UTC_TIMESTAMP, "Instant that the run was for"),
        "attempt": Column(pl.Int32, "Earlier runs of the same instant"),
        "status": Column(pl.String, "How it ended"),
        "is_failed": Column(pl.Boolean, "Whether the source failed"),
        "n_fetched": Column(pl.Int64, "Answers and landed files"),
        "n_read": Column(pl.Int64, "Entries in them"),
        "n_parsed": Column(pl.Int64, "Entries that could be used"),
        "n_new": Column(pl.Int64, "Entries that were not known before"),
        "n_changed": Column(pl.Int64, "Entries that differ from the known ones"),
        "n_unchanged": Column(pl.Int64, "Entries that were known as they are"),
        "n_quarantined": Column(pl.Int64, "Entries that could not be used"),
        "reasons": Column(pl.List(pl.Struct({"reason": pl.String, "n": pl.Int64})), "Why, with counts"),
        "n_listed": Column(pl.Int64, "Jobs in one whole listing of the source; null if the run read none"),
        "seconds": Column(pl.Float64, "Time that the source took", "seconds"),
    },
    key=("kind", "source", "ran_at", "attempt"),
)

LANDING_FILES = Table(
    "landing_files",
    "Landed files that were read; one row per kind and path",
    {
        "kind": Column(pl.String, "Table that it was read into"),
        "path": Column(pl.String, "Path in landing/; its digest if the name holds a user id (resumes)"),
        "scope": Column(pl.String, "What else decides how the file is parsed"),
        "size_bytes": Column(pl.Int64, "Size", "bytes"),
        "mtime_ns": Column(pl.Int64, "Last change of the file", "nanoseconds since 1970"),
        "ctime_ns": Column(pl.Int64, "Last change of the file or of its attributes", "nanoseconds since 1970"),
        "digest": Column(pl.String, "Hash of its bytes"),
        "n_rows": Column(pl.Int64, "Entries that could be used; null if they are not counted or reading failed"),
        "n_rejects": Column(pl.Int64, "Entries that could not be used"),
        "ingested_at": Column(UTC_TIMESTAMP, "Instant of the run that read it"),
        "retry_at": Column(
            UTC_TIMESTAMP,
            "When to read it again: entries of the future, no end yet, changed while read, reading failed; else null",
        ),
    },
    key=("kind", "path"),
)

FEED_PAGES = Table(
    "feed_pages",
    "Answers about single jobs that were read; one row per feed and address",
    {
        "source": _SOURCE,
        "url": Column(pl.String, "Address of the answer"),
        "mark": Column(pl.String, "What the listing said of it: its last change or a hash"),
        "etag": Column(pl.String, "Validator of the answer"),
        "last_modified": Column(pl.String, "Validator of the answer"),
        "job_ids": Column(STRINGS, "Jobs that it was about"),
        "read_at": Column(UTC_TIMESTAMP, "Instant of the run that read it last"),
    },
    key=("source", "url"),
)

# What a source said about a job, in the source's own words. The catalog types and cleans it.
POSTING_CONTENT: Mapping[str, Column] = {
    "is_complete": Column(pl.Boolean, "False for an item of a search page, which lacks description and skills"),
    "url": Column(pl.String, "Page of the posting"),
    "title": Column(pl.String, "Title"),
    "company": Column(pl.String, "Name of the company"),
    "company_id": Column(pl.String, "Company, by the source's id"),
    "description": Column(pl.String, "Text, as HTML or plain"),
    "location_text": Column(pl.String, "Place in words"),
    "area_id": Column(pl.String, "HeadHunter area"),
    "city": Column(pl.String, "City"),
    "region": Column(pl.String, "Region or state"),
    "country": Column(pl.String, "Country, as a code or in words"),
    "default_country": Column(pl.String, "Country of the feed's jobs, unless the posting states another place"),
    "latitude": Column(pl.Float64, "Latitude", "degrees north"),
    "longitude": Column(pl.Float64, "Longitude", "degrees east"),
    "work_format": Column(pl.String, "Any of REMOTE, remote, fullDay, hybrid, Anywhere in the World and the like"),
    "employment_type": Column(pl.String, "Kind of employment"),
    "experience": Column(pl.String, "HeadHunter id (between1And3) or text"),
    "career_level": Column(pl.String, "Seniority"),
    "salary_min": Column(pl.Float64, "Least pay, in salary_currency per salary_period"),
    "salary_max": Column(pl.Float64, "Most pay, in salary_currency per salary_period"),
    "salary_currency": Column(pl.String, "Currency of the pay"),
    "salary_period": Column(pl.String, "month, year, hour, day, week, shift, service or fly_in_fly_out"),
    "salary_gross": Column(pl.Boolean, "Whether the pay is before taxes"),
    "salary_text": Column(pl.String, "Pay in words"),
    "skills": Column(STRINGS, "Skills"),
    "tags": Column(STRINGS, "Tags"),
    "professional_roles": Column(STRINGS, "Roles"),
    "language": Column(pl.String, "Language of the posting"),
    "published_at": Column(UTC_TIMESTAMP, "Publication of this version"),
    "initial_created_at": Column(UTC_TIMESTAMP, "First publication"),
    "expires_at": Column(UTC_TIMESTAMP, "End that the source announced"),
    "closed_at": Column(UTC_TIMESTAMP, "End that came"),
    "is_archived": Column(pl.Boolean, "Whether the source shows it only in its archive"),
}
POSTING_IDENTITY: Mapping[str, Column] = {
    "job_id": _JOB_ID,
    "source": _SOURCE,
    "source_id": Column(pl.String, "Id of the job in its source"),
}
CONTENT_HASH = Column(pl.String, "Hash of the content, the same for equal versions")

FEED_POSTINGS = Table(
    "feed_postings",
    "Versions of postings; one row per job and content, from the run that first saw it",
    {
        **POSTING_IDENTITY,
        "seen_at": _SEEN_AT,
        "origin": Column(pl.String, "Landed file, or the URL without its query"),
        "content_hash": CONTENT_HASH,
        **POSTING_CONTENT,
    },
    key=("job_id", "content_hash"),
)
HH_POSTINGS = replace(FEED_POSTINGS, name="hh_postings")
FILE_POSTINGS = replace(FEED_POSTINGS, name="file_postings")
POSTINGS = FEED_POSTINGS  # what all three hold

HH_AREAS = Table(
    "hh_areas",
    "HeadHunter's tree of areas; one row per area",
    {
        "area_id": Column(pl.String, "HeadHunter id"),
        "parent_id": Column(pl.String, "Area above it; null for a country"),
        "name": Column(pl.String, "Name in the language of the answer"),
        "latitude": Column(pl.Float64, "Latitude", "degrees north"),
        "longitude": Column(pl.Float64, "Longitude", "degrees east"),
        "utc_offset": Column(pl.String, "Time zone, such as +05:00"),
    },
    key=("area_id",),
)
HH_ROLES = Table(
    "hh_roles",
    "HeadHunter's professional roles; one row per role",
    {
        "role_id": Column(pl.String, "HeadHunter id"),
        "name": Column(pl.String, "Name in the language of the answer"),
        "is_search_deprecated": Column(pl.Boolean, "Whether it should no longer be searched for"),
    },
    key=("role_id",),
)
HH_RATES = Table(
    "hh_rates",
    "Exchange rates as HeadHunter gives them; one row per currency and day",
    {
        "currency": Column(pl.String, "Currency (ISO 4217)"),
        "as_of_date": Column(pl.Date, "Day on which the API was asked"),
        "units_per_usd": Column(pl.Float64, "Rate", "units per USD"),
    },
    key=("currency", "as_of_date"),
)

SIGHTINGS = Table(
    "sightings",
    "Sightings of jobs, unchanged ones too; one row per job and run, and one for its explicit end",
    {
        "job_id": _JOB_ID,
        "source": _SOURCE,
        "seen_at": _SEEN_AT,
        "is_gone": Column(pl.Boolean, "Whether the source said that the job is gone"),
    },
    key=("job_id", "seen_at", "is_gone"),  # if a job was listed and then gone in one run, the end counts
)

EVENTS = Table(
    "events",
    "What users did; one row per event",
    {
        "event_id": Column(pl.String, "Event, by the id that the app gave"),
        "user_id": _USER_ID,
        "event_type": Column(
            pl.String, f"One of {', '.join(EVENT_TYPES)}; by the log of applications applied, interviewed or offered"
        ),
        "occurred_at": Column(UTC_TIMESTAMP, "When it happened"),
        "job_id": _JOB_ID,
        "dwell_seconds": Column(pl.Float64, "Time that the user spent on the job", "seconds"),
        "surface": Column(pl.String, f"Where the job was shown: {', '.join(SURFACES)}"),
        "position": Column(pl.Int32, "Position of the job there"),
        "generation": Column(pl.String, "Generation that the list came from"),
        "session_id": Column(pl.String, "Session, by the app's id"),
        "device_type": Column(pl.String, "Kind of device"),
        "latitude": Column(pl.Float64, "Latitude of the user", "degrees north"),
        "longitude": Column(pl.Float64, "Longitude of the user", "degrees east"),
        "value": Column(pl.Float64, "Number that the app gave"),
        "is_relevant": Column(pl.Boolean, "Feedback: whether the job is relevant"),
        "rating": Column(pl.Int8, "Feedback: stars", "1–5"),
        "skill_match_feedback": Column(pl.String, "Feedback on the skills: good, low, high or bad"),
        "location_feedback": Column(pl.String, "Feedback on the place: good, low, high or bad"),
        "salary_feedback": Column(pl.String, "Feedback on the pay: good, low, high or bad"),
        "is_bot": Column(pl.Boolean, "Whether a crawler, a tool or a prefetch did it: kept, but counted nowhere"),
        "event_hash": Column(pl.UInt64, "Hash of event_id, which later events are compared with"),
    },
    key=("event_id",),
    personal=frozenset({"latitude", "longitude"}),
)

APPLICATION_EVENT_TYPES = ("status", "interview", "offer", "note", "deadline", "reminder", "reply", "follow_up")
INTERVIEW_ACTIONS = ("scheduled", "rescheduled", "completed", "cancelled")
INTERVIEW_KINDS = ("phone", "video", "onsite", "panel", "technical")
INTERVIEW_OUTCOMES = ("passed", "failed", "unknown")
OFFER_ACTIONS = ("received", "countered", "accepted", "declined", "expired")
FOLLOW_UP_ACTIONS = ("sent", "skipped", "cancelled")
DIRECTIONS = ("in", "out")
APPLICATION_LOG = Table(
    "application_log",
    "What became of applications, as apps told it; one row per event",
    {
        "event_id": Column(pl.String, "Event, by the id that the app gave"),
        "user_id": _USER_ID,
        "occurred_at": Column(UTC_TIMESTAMP, "When it happened"),
        "event_type": Column(pl.String, f"One of {', '.join(APPLICATION_EVENT_TYPES)}"),
        "application_id": Column(pl.String, "Application, by the app's id; null for the application to the job"),
        "job_id": _JOB_ID,
        "title": Column(pl.String, "Title of the job, as the app states it"),
        "company": Column(pl.String, "Company, as the app states it"),
        "url": Column(pl.String, "Page of the job, as the app states it"),
        "state": Column(pl.String, "Status: the state that the application is in now"),
        "interview_id": Column(pl.String, "Interview, by the app's id"),
        "offer_id": Column(pl.String, "Offer, by the app's id"),
        "action": Column(pl.String, "What happened to the interview, offer or follow-up"),
        "kind": Column(pl.String, f"Interview: {', '.join(INTERVIEW_KINDS)}; deadline: what for"),
        "starts_at": Column(UTC_TIMESTAMP, "Start of the interview"),
        "utc_offset_minutes": Column(pl.Int16, "Time zone in which the start was stated", "minutes east of UTC"),
        "duration_minutes": Column(pl.Int32, "Length of the interview", "minutes"),
        "outcome": Column(pl.String, f"Outcome of the interview: {', '.join(INTERVIEW_OUTCOMES)}"),
        "interviewer": Column(pl.String, "Who leads the interview, as the app states it"),
        "salary": Column(pl.Float64, "Offered pay, in currency per period"),
        "currency": Column(pl.String, "Currency of the pay (ISO 4217)"),
        "period": Column(pl.String, "What the pay is for, such as month"),
        "due_date": Column(pl.Date, "Deadline, also of an offer"),
        "remind_at": Column(UTC_TIMESTAMP, "When the user wants to be reminded"),
        "text": Column(pl.String, "Note, reminder, reply or feedback on an interview"),
        "channel": Column(pl.String, "Where the note was taken"),
        "direction": Column(pl.String, "Reply: in (from the employer) or out"),
        "sentiment": Column(pl.String, "Reply: positive, neutral or negative, if the app states it"),
        "sequence": Column(pl.String, "Follow-up: its sequence"),
        "step": Column(pl.Int32, "Follow-up: its step in the sequence"),
    },
    key=("event_id",),
    personal=frozenset({"text", "interviewer"}),
)

USER_PROFILE_COLUMNS: Mapping[str, Column] = {
    "full_name": Column(pl.String, "Full name"),
    "email": Column(pl.String, "E-mail address"),
    "phone": Column(pl.String, "Phone number"),
    "locale": Column(pl.String, "Language and country, such as ru-KZ"),
    "timezone": Column(pl.String, "Time zone (IANA)"),
    "city": Column(pl.String, "City"),
    "country": Column(pl.String, "Country"),
    "latitude": Column(pl.Float64, "Latitude", "degrees north"),
    "longitude": Column(pl.Float64, "Longitude", "degrees east"),
    "max_distance_km": Column(pl.Float64, "Greatest distance to a job", "km"),
    "remote": Column(pl.String, "Remote work: only, ok or no"),
    "skills": Column(pl.List(RATED_SKILL), "Skills with level and years"),
    "skill_categories": Column(STRINGS, "Categories of skills, such as programming or design"),
    "desired_roles": Column(STRINGS, "Roles that the user wants"),
    "professions": Column(STRINGS, "Professions that the user has"),
    "years_of_experience": Column(pl.Float64, "Experience", "years"),
    "career_level": Column(pl.String, "Seniority"),
    "salary_min": Column(pl.Float64, "Least pay, in salary_currency per salary_period"),
    "salary_max": Column(pl.Float64, "Pay hoped for, in salary_currency per salary_period"),
    "salary_currency": Column(pl.String, "Currency of the pay (ISO 4217)"),
    "salary_period": Column(pl.String, "What the pay is for, such as month or hour"),
    "job_types": Column(STRINGS, "Kinds of employment"),
    "preferred_tags": Column(STRINGS, "Tags that the user likes"),
    "blocked_tags": Column(STRINGS, "Tags of jobs that are never shown"),
    "blocked_companies": Column(STRINGS, "Companies whose jobs are never shown"),
    "strengths": Column(STRINGS, "Preferred skills, from an assessment"),
    "weaknesses": Column(STRINGS, "Avoided skills, from an assessment"),
    "education": Column(STRINGS, "Education"),
    "languages": Column(STRINGS, "Languages that the user speaks"),
    "summary": Column(pl.String, "About the user, in the user's words"),
    "work_authorization": Column(STRINGS, "Countries where the user may work"),
    "digest_frequency": Column(pl.String, "Digests: none, daily or weekly"),
    "digest_hour": Column(pl.Int8, "Hour of the digest in the user's time zone", "0–23"),
    "personalization_enabled": Column(pl.Boolean, "Whether behaviour may be used for ranking"),
}
PERSONAL_COLUMNS = frozenset({"full_name", "email", "phone", "latitude", "longitude", "summary"})
UPDATED_AT = Column(UTC_TIMESTAMP, "When the app last changed the profile")

USER_RECORDS = Table(
    "user_records",
    "Versions of profiles as the app stated them; one row per user, change and content",
    {"user_id": _USER_ID, "updated_at": UPDATED_AT, "content_hash": CONTENT_HASH, **USER_PROFILE_COLUMNS},
    key=("user_id", "updated_at", "content_hash"),
    personal=PERSONAL_COLUMNS,
)
RESUME_COLUMNS: Mapping[str, Column] = {
    "titles": Column(STRINGS, "Job titles in the resume"),
    "companies": Column(STRINGS, "Employers in the resume"),
}
RESUME_READERS = ("rules", "rules_and_model", "rules_after_model_failed")
RESUMES = Table(
    "resumes",
    "What was extracted from resumes, without the files; one row per user and content",
    {
        "user_id": _USER_ID,
        "parsed_at": Column(UTC_TIMESTAMP, "Instant of the run that read it"),
        "written_at": Column(
            UTC_TIMESTAMP, "Last change of the file, at most `parsed_at`; null in rows of older versions"
        ),
        "content_hash": CONTENT_HASH,
        "read_by": Column(pl.String, f"Who read it: {', '.join(RESUME_READERS)}; null in rows of older versions"),
        "model_columns": Column(STRINGS, "Columns that the language model filled or added to"),
        **RESUME_COLUMNS,
        **USER_PROFILE_COLUMNS,
    },
    key=("user_id", "content_hash"),
    personal=PERSONAL_COLUMNS,
)
ERASURES = Table(
    "erasures",
    "Users to be forgotten; one row per user",
    {"user_id": _USER_ID, "requested_at": Column(UTC_TIMESTAMP, "When the user asked for it")},
    key=("user_id",),
)
UNSUBSCRIBES = Table(
    "unsubscribes",
    "Users who unsubscribed from digests, or subscribed again; one row per user, the newest request",
    {
        "user_id": _USER_ID,
        "requested_at": Column(UTC_TIMESTAMP, "When the user asked for it"),
        "is_subscribed": Column(pl.Boolean, "False: no digest is sent; true: the user takes that back"),
    },
    key=("user_id",),
)
BOUNCE_KINDS = ("hard", "soft", "complaint")
BOUNCES = Table(
    "bounces",
    "What came back of e-mails with digests, without addresses; one row per user, time and kind",
    {
        "user_id": _USER_ID,
        "occurred_at": Column(UTC_TIMESTAMP, "When it was reported"),
        "kind": Column(pl.String, "hard: the address takes no mail; soft: not now; complaint: marked as spam"),
        "digest_date": Column(pl.Date, "Date of the digest, if the report names the message"),
        "smtp_status": Column(pl.String, "Enhanced status code, such as 5.1.1"),
    },
    key=("user_id", "occurred_at", "kind"),
)
ERASED = Table(
    "erased",
    "Users who were erased, without their ids; one row per user",
    {
        "user_hash": Column(pl.String, "BLAKE2b of the id with the lake's secret salt"),
        "requested_at": Column(UTC_TIMESTAMP, "When the user asked for it; what is older is refused"),
        "erased_at": Column(UTC_TIMESTAMP, "When nothing of the user was left"),
    },
    key=("user_hash",),
)
