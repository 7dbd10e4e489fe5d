"""Job feeds of every format, bytes to postings: which format a body has, and which reader reads it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from features.sources.feeds.boards import (
    adzuna,
    arbeitnow,
    ashby,
    bamboohr,
    breezy,
    greenhouse,
    himalayas,
    indeed,
    jobicy,
    jsonld,
    lever,
    personio,
    recruitee,
    remoteok,
    remotive,
    smartrecruiters,
    teamtailor,
    usajobs,
    workable,
    workingnomads,
)
from features.sources.feeds.entries import FeedContext, FeedEntry, FeedError
from features.sources.feeds.feed_format import FeedFormat
from features.sources.feeds.jsonfeed import read_jsonfeed
from features.sources.feeds.rss import read_rss
from features.sources.parsed import Parsed, Refusal
from features.sources.postings import postings, stable_id
from features.sources.values import NotJsonError, decode_json, items, mapping, raw_json

# In the order in which `guess_format` tries them.
FORMATS: Mapping[str, FeedFormat] = {
    "rss": FeedFormat(read_rss),
    "jsonfeed": FeedFormat(read_jsonfeed),
    "lever": lever.FORMAT,
    "workingnomads": workingnomads.FORMAT,
    "breezy": breezy.FORMAT,
    "remoteok": remoteok.FORMAT,
    "jobicy": jobicy.FORMAT,
    "remotive": remotive.FORMAT,
    "greenhouse": greenhouse.FORMAT,
    "ashby": ashby.FORMAT,
    "himalayas": himalayas.FORMAT,
    "workable": workable.FORMAT,
    "recruitee": recruitee.FORMAT,
    "teamtailor": teamtailor.FORMAT,
    "smartrecruiters": smartrecruiters.FORMAT,
    "bamboohr": bamboohr.FORMAT,
    "arbeitnow": arbeitnow.FORMAT,
    "adzuna": adzuna.FORMAT,
    "usajobs": usajobs.FORMAT,
    "personio": personio.FORMAT,
    "indeed": indeed.FORMAT,
    "jsonld": jsonld.FORMAT,
}
MAX_BODY_BYTES = 50_000_000
MAX_ENTRIES = 200_000
_HEAD_BYTES = 4_096
_ROOT = re.compile(rb"<([A-Za-z][\w.-]{0,60})")


def parse_feed(body: bytes, *, feed: FeedContext) -> Parsed:
    """The postings of one feed body in PARSED_POSTINGS, one row an entry; entries without a title are rejects.

    Raises FeedError if the body is no feed at all (an HTML page, an empty document, JSON of another shape, a DTD with
    entities): such a fetch has failed, and must not pass for an empty feed.
    """
    if feed.format not in FORMATS:
        raise FeedError(feed.name, f"unknown format {feed.format!r}; known are {', '.join(FORMATS)}")
    if len(body) > MAX_BODY_BYTES:
        raise FeedError(feed.name, f"{len(body)} bytes; at most {MAX_BODY_BYTES} are read")
    found: list[FeedEntry] = []
    refused: list[Refusal] = []
    for number, (entry, raw) in enumerate(FORMATS[feed.format].read(body, feed)):
        if number >= MAX_ENTRIES:
            raise FeedError(feed.name, f"more than {MAX_ENTRIES} entries")
        if isinstance(entry, str):
            refused.append((f"entry {number}", entry, "", _written(raw)))
        elif entry.columns.get("title") is None:
            refused.append((f"entry {number}", "missing_title", "", _written(raw)))
        else:
            found.append(entry)
    shared = _shared_guids(found)
    rows = [_row(feed, None if entry.guid in shared else entry.guid, entry.columns) for entry in found]
    return postings(rows, refused=refused)


def guess_format(body: bytes) -> str:
    """The format of a body from any source, by its root element or the keys of its first jobs; else `rss`."""
    head = body[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] not in (b"{", b"["):
        root = _ROOT.search(head)
        tag = root[1].decode().lower() if root else ""
        return next((name for name, known in FORMATS.items() if tag in known.root_tags), "rss")
    try:
        document = decode_json(body)
    except NotJsonError:
        return "jsonfeed"
    is_array = isinstance(document, list)
    for name, known in FORMATS.items():
        if known.known_by and (known.jobs_at is None) == is_array:
            jobs = items(document if known.jobs_at is None else mapping(document).get(known.jobs_at))
            if any(key in known.known_by for job in jobs[:3] for key in mapping(job)):
                return name
    return "remoteok" if is_array else "jsonfeed"


def _written(raw: object) -> str | bytes:
    return raw if isinstance(raw, str | bytes) else raw_json(raw)


def _shared_guids(entries: Iterable[FeedEntry]) -> frozenset[str]:
    """Guids that one body uses for several links: such a guid identifies no entry."""
    links: defaultdict[str, set[object]] = defaultdict(set)
    for entry in entries:
        if entry.guid is not None:
            links[entry.guid].add(entry.columns.get("url"))
    return frozenset(guid for guid, found in links.items() if len(found) > 1)


def _row(feed: FeedContext, guid: str | None, columns: Mapping[str, object]) -> dict[str, object]:
    """An entry's columns with its ids, and with the values that the feed's configuration states for every entry."""
    filled = {name: value for name, value in columns.items() if value is not None}
    url, company, title, location = (
        None if (value := filled.get(name)) is None else str(value)
        for name in ("url", "company", "title", "location_text")
    )
    return {
        "is_complete": True,
        "company": feed.company,
        "default_country": feed.country,
        **filled,
        "language": feed.language or filled.get("language"),
        "source": feed.name,
        "source_id": stable_id(guid, url, company, title, location),
    }
