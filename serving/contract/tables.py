"""The published tables: names, columns, DuckDB types, and the keys of the look-up file.

Plain values only: the service imports nothing of the pipeline, and the pipeline nothing else of the service.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

SCHEMA_VERSION = "1.0"

POINTER = "current"  # a one-line file that names the served generation
MANIFEST = "manifest.json"
DATABASE = "jobfeed.duckdb"
LOOKUP = "lookup.mdb"
TABLES_FOLDER = "tables"  # the tables as the last full generation has them, or as a whole
CHANGES_FOLDER = "changes"  # rows that came since, a folder for each delta
CHANGED_FOLDER = "changed"  # which of these rows is the current one
LAYERS_FOLDER = "lookup"  # look-up files of the deltas
DICTIONARY_FILE = "lookup.dictionary"  # what the base compresses with, and the deltas too
FOLDER_VARIABLE = "jobfeed_folder"  # in SQL: where the generation's folder lies, if it was moved after publishing

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

# --- the look-up files ------------------------------------------------------------------------------------------------
# Two kinds: values by key in LMDB files, in two stacks, and texts by number in NumPy files (jobs, reasons).
# The manifest's `lookup` names, for each stack, the files to ask in turn: the newest first, the base last; for numbered
# texts the base, and where anything changed since, the changes.
# An empty value says that the key is gone. A value that begins with "(" (JSON never does) is a Zstandard frame of the
# JSON, with a checksum, compressed with the file's dictionary if it has one.
#
# A feed or fallback feed is packed (all integers little-endian), because JSON of a hundred items takes long to decode:
#   "F", 0, u16 number of items, u16 length of the head, the head: members of a JSON object,
#   `"generated_at":…,"recipe":…,"arm":…,"source":…`, then the items in rank order, each
#   u32 number of the job, u32 score and u32 propensity in steps of 1/SCORE_STEPS, u16 confidence in steps of
#   1/CONFIDENCE_STEPS, u8 match percent, u8 flags (1 seen + 2 explored) + 4 * number of reasons, then each reason
#   u32 number of the reason, and if that has NAMES_A_JOB_BIT, u32 number of the job that it names.
# Component values of the first items are packed too: PACKED_COMPONENTS, then for each item in rank order a u16 for each
# of COMPONENTS in steps of 1/COMPONENT_STEPS, UNKNOWN_COMPONENT where it is not known. Other values are JSON objects,
# or lists of objects, with the tables' columns.
#
# Numbered texts are `<name>.npy`, the bytes of all texts, and `<name>-places.npy`, a row of integers for each number:
#   jobs     where its id and title as JSON begin (the id with quotes, the title without), the lengths of both, the
#            length of its card, 0 where the job is not shown, the length of the title without the colons and spaces at
#            its end, and where its card begins: cards lie apart, so that titles, which many feeds name, lie together.
#   reasons  for each of LANGUAGES: where its text begins, the lengths of its three parts. A reason that names a job is
#            the first, the job's id, the second, its title, the third; another one is all in the first.
# In the files of changes a column with the number itself stands first; such a row replaces that of the base.
# `<name>-names.parquet` tells what has which number; only the pipeline reads it.

FEED_PREFIX = "feed"  # user_id
FALLBACK_PREFIX = "fallback"  # segment
COMPONENTS_PREFIX = "components"  # user_id: the component values of the first items
JOB_PREFIX = "job"  # job_id: its number
JOB_DETAIL_PREFIX = "detail"  # job_id: every column of `jobs`
SIMILAR_PREFIX = "similar"  # job_id: [[job_id, score], ...]
TRENDING_PREFIX = "trending"  # window, area: [[job_id, score], ...]
NEARBY_PREFIX = "nearby"  # cell: [job_id, ...]
DIGEST_PREFIX = "digest"  # user_id: newest digest; user_id, date: that one
PREFERENCES_PREFIX = "preferences"  # user_id
SKILL_GAPS_PREFIX = "skill-gaps"  # user_id
DOCUMENT_PREFIX = "document"  # market, metrics, reasons, recipes

STACKS = ("users", "things")
NUMBERED = ("jobs", "reasons")
# The columns of their places, and which of them say where a text begins.
NUMBERED_WIDTHS = {"jobs": 6, "reasons": 4 * len(LANGUAGES)}
NUMBERED_STARTS = {"jobs": (0, 5), "reasons": tuple(range(0, 4 * len(LANGUAGES), 4))}
CARD_START = b'{"job_id":'  # of every job card
USER_PREFIXES = frozenset({FEED_PREFIX, COMPONENTS_PREFIX, DIGEST_PREFIX, PREFERENCES_PREFIX, SKILL_GAPS_PREFIX})
DICTIONARY_KEY = b"dictionary:"
COMPRESSED_FIRST_BYTE = 0x28
# Compiled code keeps these on disk as they were: COMPILED_FROM in serving.feed_join.compiled and assets...packing.
PACKED_FEED = b"F"
FEED_HEADER = struct.Struct("<cxHH")
ITEM_BYTES = 16
SCORE_STEPS = 1_000_000
UNKNOWN = 0xFFFF_FFFF
CONFIDENCE_STEPS = 10_000
UNKNOWN_CONFIDENCE = 0xFFFF
NAMES_A_JOB_BIT = 0x8000_0000
MOST_REASONS = 63  # of an item
PACKED_COMPONENTS = b"c"  # then 16-bit little-endian integers
COMPONENT_STEPS = 65_000
UNKNOWN_COMPONENT = 65_535

# The `ref` of these reasons is a job: readers see its title.
JOB_REFERENCE_CODES = ("similar_to_saved", "similar_to_applied", "similar_to_viewed", "also_applied")

FLAG_SEEN = 1
FLAG_EXPLORED = 2

JOB_CARD_COLUMNS = (
    "job_id", "title", "company", "city", "country", "work_format", "employment_type", "career_level", "salary_min",
    "salary_max", "salary_currency", "salary_period", "skills", "url", "source", "published_at", "status",
)  # fmt: skip

# H3 cells of about 5 km across hold the jobs nearby.
NEARBY_CELL_RESOLUTION = 6
NEARBY_CELL_SPACING_KM = 6.0

KEY_SEPARATOR = (
    "\n"  # no id and no area holds it: anna's digest of a day is not the newest of the user "anna/2026-03-01"
)
_LONGEST_PLAIN_KEY_BYTES = 300  # LMDB's limit is 511


def lookup_key(prefix: str, *parts: str) -> bytes:
    """The look-up key of a thing; ids too long for the file's key limit are replaced by their hash."""
    body = KEY_SEPARATOR.join(parts).encode("utf-8", "surrogatepass")
    if len(body) > _LONGEST_PLAIN_KEY_BYTES:
        body = b"#" + hashlib.sha256(body).hexdigest().encode()
    return prefix.encode() + b":" + body


def places_path(texts_path: str) -> str:
    """The file of places that belongs to a file of numbered texts."""
    return texts_path.removesuffix(".npy") + "-places.npy"


def names_path(texts_path: str) -> str:
    """The file that tells what has which number in a file of numbered texts."""
    return texts_path.removesuffix(".npy") + "-names.parquet"


def stack_of(prefix: str) -> str:
    """Which stack of look-up files holds the keys with this prefix."""
    return STACKS[0] if prefix in USER_PREFIXES else STACKS[1]


def manifest_checksum(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 over a manifest's fields but `checksum`, which must be this."""
    fields = {name: value for name, value in manifest.items() if name != "checksum"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
