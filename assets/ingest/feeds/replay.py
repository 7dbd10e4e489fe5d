"""Landed feeds: which feed a file is of, in which format, and what it holds."""

import re
from collections.abc import Mapping

from assets.config import FeedSource
from assets.ingest.feeds.pages import context_of
from assets.ingest.feeds.parsing import FeedParser
from assets.ingest.landing import LandedFile
from assets.ingest.quarantine import UNREADABLE, UNSUPPORTED, refusal
from assets.ingest.source_state import address_of
from features.sources.feeds.entries import FeedContext, FeedError
from features.sources.feeds.formats import guess_format
from features.sources.parsed import Parsed

_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MAX_FILE_BYTES = 50_000_000


def replay_feed(file: LandedFile, feeds: Mapping[str, FeedSource], parser: FeedParser) -> tuple[str, Parsed]:
    """(source, what was parsed) of a landed feed; the format is the configured one, else as the content looks."""
    parts = file.name.split("/")
    name = parts[1] if len(parts) > 2 else ""
    if not _SOURCE_NAME.fullmatch(name):
        return "feeds", refusal(UNSUPPORTED, "a feed lies in a folder named as in sources.yaml: feeds/<name>/<file>")
    if file.suffixes not in (".xml", ".json", ".rss", ".atom"):
        return name, refusal(UNSUPPORTED, f"{file.suffixes or 'no suffix'}; expected .xml or .json")
    if file.size_bytes > MAX_FILE_BYTES:
        return name, refusal(UNREADABLE, f"{file.size_bytes} bytes; at most {MAX_FILE_BYTES} are read")
    try:
        body = file.path.read_bytes()
    except OSError as error:  # gone or locked since it was listed
        return name, refusal(UNREADABLE, type(error).__name__)
    context = context_of(feeds[name]) if name in feeds else FeedContext(name=name, format=guess_format(body))
    try:
        return name, parser.parse(body, feed=context)
    except FeedError as error:
        return name, refusal("bad_feed", error.reason, body)


def scope_of(name: str, feeds: Mapping[str, FeedSource]) -> str:
    """What decides, beside its bytes, how a landed feed is read: its source and how that source is configured."""
    source = name.split("/")[1]
    feed = feeds.get(source)
    return source if feed is None else f"{source}@{address_of(repr(context_of(feed)))}"
