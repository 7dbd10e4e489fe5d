"""Postings as every job source returns them: table, ids and content hash. Formats are read elsewhere."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
import polars as pl

from features.schemas.bronze import CONTENT_HASH, POSTING_CONTENT, POSTING_IDENTITY
from features.schemas.table import Table
from features.sources.parsed import Parsed, Refusal, rejects
from features.sources.values import is_short_id

PARSED_POSTINGS = Table(
    "parsed_postings",
    "POSTINGS before a run has seen them; one row per entry that was read: a body may hold the same job twice",
    {**POSTING_IDENTITY, "content_hash": CONTENT_HASH, **POSTING_CONTENT},
    key=("job_id", "content_hash"),
)
# A feed of such a name would write over the jobs of HeadHunter or of job files.
RESERVED_SOURCES = frozenset({"hh", "file"})
_COLUMNS = dict(PARSED_POSTINGS.columns)
_TRACKING = re.compile(
    r"utm_.*|(?:gclid|fbclid|yclid|mc_cid|mc_eid|ref|referrer|source|src|from|hhtmfrom|hhtmsource|query|rss|_openstat)",
    re.IGNORECASE,
)
# Boards whose links contain the board's own id: host suffix, and the id's pattern in path and query.
_NATIVE_IDS = tuple(
    (host, re.compile(pattern))
    for host, pattern in (
        ("hh.ru", r"/vacancy/(\d+)"),
        ("hh.kz", r"/vacancy/(\d+)"),
        ("rabota.by", r"/vacancy/(\d+)"),
        ("career.habr.com", r"/vacancies/(\d+)"),
        ("jobs.dou.ua", r"/vacancies/(\d+)"),
        ("djinni.co", r"/jobs/(\d+)"),
        ("python.org", r"/jobs/(\d+)"),
        ("weworkremotely.com", r"^/jobs/(\d+)"),
        ("workingnomads.com", r"/job/go/(\d+)"),
        ("jobicy.com", r"/jobs/(\d+)"),
        ("remoteok.com", r"-(\d{4,})/?$"),
        ("news.ycombinator.com", r"[?&]id=(\d+)"),
        ("remotive.com", r"-(\d{4,})/?$"),
        ("", r"[?&]post_type=job_listing.*?&(?:amp;)?p=(\d+)"),
    )
)


def postings(rows: Iterable[Mapping[str, object]], *, refused: Iterable[Refusal]) -> Parsed:
    """Row dictionaries (source, source_id and any POSTING_CONTENT column) and refused entries as Parsed.

    `content_hash` is BLAKE2b-128 of the non-null content columns by name: adding a column later changes no hash.
    """
    found = [_keyed(row) for row in rows]
    frame = pl.DataFrame(
        [pl.Series(name, [row.get(name) for row in found], dtype=dtype) for name, dtype in _COLUMNS.items()]
    )
    return Parsed(frame, rejects(refused))


def stable_id(guid: str | None, link: str | None, *fallback: str | None) -> str:
    """The id of an entry within its source: its guid if short and printable, else the board's own id in the link, else
    16 hexadecimal digits of BLAKE2b over the guid, the canonical link, or `fallback` (company, title, location).
    """
    if guid is not None and is_short_id(guid):
        return guid
    for candidate in (link, guid):
        if candidate is not None and (native := _native_id(candidate)):
            return native
    identity = guid if guid is not None else link
    if identity is None:
        return short_hash("\x1f".join((part or "").casefold() for part in fallback))
    return short_hash(canonical_link(identity))


def short_hash(value: str) -> str:
    """16 hexadecimal digits of BLAKE2b, equal on every machine and in every run."""
    return hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=8).hexdigest()


def canonical_link(url: str) -> str:
    """`url` with a lower-case host, without tracking parameters and fragment; other text is unchanged."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            return url
        kept = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(k)]
        return urlunsplit(("https", parts.netloc.lower(), parts.path.rstrip("/"), urlencode(sorted(kept)), ""))
    except ValueError:
        return url


def _native_id(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    where = f"{parts.path}?{parts.query}" if parts.query else parts.path
    for suffix, pattern in _NATIVE_IDS:
        if (not suffix or host == suffix or host.endswith("." + suffix)) and (match := pattern.search(where)):
            return match[1] if is_short_id(match[1]) else None
    return None


def _keyed(row: Mapping[str, object]) -> dict[str, object]:
    content = {name: value for name, value in row.items() if value is not None and name in POSTING_CONTENT}
    encoded = orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    return {
        **content,
        "job_id": f"{row['source']}:{row['source_id']}",
        "source": row["source"],
        "source_id": row["source_id"],
        "content_hash": hashlib.blake2b(encoded, digest_size=16).hexdigest(),
    }
