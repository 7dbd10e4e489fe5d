"""Keys of the look-up files (LMDB): prefixes, their keyspaces, and how a key is made.

Values lie in two keyspaces. The manifest's `lookup` names the files of each, the newest first and the base last; the
first file with the key decides. An empty value is a tombstone. A value that begins with "(" (JSON never does) is a
Zstandard frame of JSON, with a checksum, compressed with the file's dictionary if it has one. Packed values are
described in feed_codec.py; other values are JSON objects, or lists of objects, with the tables' columns.
"""

import hashlib
import re

FEED_PREFIX = "feed"  # user_id
FALLBACK_PREFIX = "fallback"  # segment
COMPONENTS_PREFIX = "components"  # user_id: the component values of the first items
JOB_PREFIX = "job"  # job_id: its text id
JOB_DETAIL_PREFIX = "detail"  # job_id: every column of `jobs`
SIMILAR_PREFIX = "similar"  # job_id: [[job_id, score], ...]
TRENDING_PREFIX = "trending"  # period, area: [[job_id, score], ...]
NEARBY_PREFIX = "nearby"  # cell: [job_id, ...]
DIGEST_PREFIX = "digest"  # user_id: newest digest; user_id, date: that one
MATCHES_PREFIX = "matches"  # user_id
PREFERENCES_PREFIX = "preferences"  # user_id
SKILL_GAPS_PREFIX = "skill-gaps"  # user_id
APPLICATIONS_PREFIX = "applications"  # user_id
APPLICATION_EVENTS_PREFIX = "application-events"  # user_id
APPLICATION_FUNNEL_PREFIX = "application-funnel"  # user_id; empty for all users together
INTERVIEWS_PREFIX = "interviews"  # user_id
OFFERS_PREFIX = "offers"  # user_id
FOLLOW_UPS_PREFIX = "follow-ups"  # user_id
LEARNING_PLANS_PREFIX = "learning-plans"  # user_id
SKILL_PROGRESS_PREFIX = "skill-progress"  # user_id
COMPANY_PREFIX = "company"  # company_id: its profile
DOCUMENT_PREFIX = "document"  # market, metrics, reasons, recipes, companies, names-<language>

KEYSPACES = ("users", "things")
TEXT_TABLES = ("jobs", "reasons")  # of text_tables.py; the manifest's `lookup` names their files too
USER_PREFIXES = frozenset(
    {FEED_PREFIX, COMPONENTS_PREFIX, MATCHES_PREFIX, DIGEST_PREFIX, PREFERENCES_PREFIX, SKILL_GAPS_PREFIX}
    | {LEARNING_PLANS_PREFIX, SKILL_PROGRESS_PREFIX}
    | {APPLICATIONS_PREFIX, APPLICATION_EVENTS_PREFIX, APPLICATION_FUNNEL_PREFIX, INTERVIEWS_PREFIX, OFFERS_PREFIX}
    | {FOLLOW_UPS_PREFIX}
)
DICTIONARY_KEY = b"dictionary:"
COMPRESSED_FIRST_BYTE = 0x28

# Jobs nearby are stored by H3 cell. No point of a cell is farther from its centre than the radius: the largest cells,
# in the middle of the faces of H3's icosahedron, have one of 4.0962 km, the smallest hexagons one of 3.26 km.
NEARBY_CELL_RESOLUTION = 6
NEARBY_CELL_RADIUS_KM = 4.1

# No id and no area contains it, so anna's digest of a day can't be mistaken for the digest of a user "anna/2026-03-01".
KEY_SEPARATOR = "\n"
_LONGEST_PLAIN_KEY_BYTES = 300  # LMDB's limit is 511
_HASHED = re.compile(r"#[0-9a-f]{64}")


def lookup_key(prefix: str, *parts: str) -> bytes:
    """The look-up key of a thing; ids too long for the file's key limit are replaced by their hash."""
    body = KEY_SEPARATOR.join(parts).encode("utf-8", "surrogatepass")
    if len(body) > _LONGEST_PLAIN_KEY_BYTES:
        body = b"#" + hashlib.sha256(body).hexdigest().encode()
    return prefix.encode() + b":" + body


def is_hashed(body: str) -> bool:
    """Whether what follows the prefix in a key is a hash in place of ids. An id that looks like one counts as one."""
    return _HASHED.fullmatch(body) is not None


def keyspace_of(prefix: str) -> str:
    """The keyspace that holds the keys with this prefix."""
    return KEYSPACES[0] if prefix in USER_PREFIXES else KEYSPACES[1]
