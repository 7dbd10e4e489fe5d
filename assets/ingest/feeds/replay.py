"""Landed feeds: which feed a file belongs to, in which format, and its postings."""

import re
from collections.abc import Mapping

from assets.config.sources import FeedSource
from assets.ingest.feeds.parsing import FeedParser, context_of
from assets.ingest.landing import LandedFile, RefusedFileError
from assets.ingest.quarantine import UNSUPPORTED
from assets.ingest.source_state import address_of
from features.sources.feeds.entries import FeedContext, FeedError
from features.sources.feeds.formats import FORMATS, guess_format
from features.sources.parsed import Parsed
from features.sources.postings import RESERVED_SOURCES

SUFFIXES = (".xml", ".json", ".rss", ".atom", ".html", ".htm")
MAX_FILE_BYTES = 50_000_000
_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def replay_feed(file: LandedFile, feeds: Mapping[str, FeedSource], parser: FeedParser) -> Parsed:
    """The postings of a landed feed, in the configured format, else in the one that its content looks like.

    Raises RefusedFileError.
    """
    source = source_of(file.name)
    if source is None:
        raise RefusedFileError(UNSUPPORTED, "a feed lies in a folder named as in sources.yaml: feeds/<name>/<file>")
    if source in RESERVED_SOURCES:
        raise RefusedFileError("reserved_source", f"feeds/{source}/: no feed can have this name; rename the folder")
    file.require_format(SUFFIXES)
    body = file.read(max_bytes=MAX_FILE_BYTES)
    context = context_of(feeds[source]) if source in feeds else FeedContext(name=source, format=guess_format(body))
    try:
        return parser.parse(body, feed=context)
    except FeedError as error:
        raise RefusedFileError("bad_feed", error.reason, body) from None


def may_list_all(file: LandedFile, feed: FeedSource) -> bool:
    """Whether a landed document may list all jobs of its feed: no other page follows, and it is not about one job."""
    known = FORMATS[feed.format]
    if known.newest_first or known.has_job_pages:
        return False
    try:
        return not known.next_pages(str(feed.url), file.read(max_bytes=MAX_FILE_BYTES))
    except RefusedFileError:  # gone since it was parsed
        return False


def source_of(name: str) -> str | None:
    """The feed that a landed file belongs to: the name of its folder, if it lies in one."""
    parts = name.split("/")
    return parts[1] if len(parts) > 2 and _SOURCE_NAME.fullmatch(parts[1]) else None


def scope_of(name: str, feeds: Mapping[str, FeedSource]) -> str:
    """The source of a landed file and a digest of its configuration: both decide how its bytes are read."""
    source = name.split("/")[1]
    feed = feeds.get(source)
    return source if feed is None else f"{source}@{address_of(repr(context_of(feed)))}"
