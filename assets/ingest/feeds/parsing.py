"""Parses feed bodies within bounds of time and memory: small ones here, large ones in a process of their own.

On hostile markup, feedparser takes time quadratic in the length, and it blocks every other thread meanwhile.
"""

import hashlib
import threading
from dataclasses import dataclass, field

import polars as pl

from assets.config.sources import FeedSource
from assets.ingest.http.client import Response
from assets.ingest.worker import Worker, WorkerError
from features.sources.feeds.entries import FeedContext, FeedError
from features.sources.feeds.formats import parse_feed
from features.sources.parsed import Parsed

SMALL_XML_BYTES = 65_536
SMALL_JSON_BYTES = 2_000_000
MEMORY_BYTES = 600_000_000  # a well-formed feed of 20 MB takes 240 MB
RENEWED_AFTER_BYTES = 10_000_000
FIRST_SECONDS = 5.0
_BYTES_PER_SECOND = 500_000  # a well-formed feed: 4 to 6 MB a second


@dataclass
class FeedParser:
    """Parses feeds; as a context manager it ends its process. A body gets `first_seconds` and two more per megabyte."""

    first_seconds: float = FIRST_SECONDS
    worker: Worker = field(default_factory=lambda: Worker(parse_feed, MEMORY_BYTES, FeedError))
    _n_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def parse(self, body: bytes, *, feed: FeedContext) -> Parsed:
        """The postings of `body`. Raises FeedError, also if parsing takes too long or too much memory."""
        if len(body) <= (SMALL_XML_BYTES if feed.format == "rss" else SMALL_JSON_BYTES):
            return parse_feed(body, feed=feed)
        seconds = seconds_for(body, first=self.first_seconds)
        try:
            with self._lock:
                self._make_room(len(body))
                parsed: Parsed = self.worker.call(body, feed=feed, deadline_seconds=seconds)
                return parsed
        except WorkerError as error:
            is_slow = str(error) == "too_slow"
            reason = f"parsing took more than {seconds:.0f} s" if is_slow else f"parsing: {error}"
            raise FeedError(feed.name, reason) from None

    def _make_room(self, n_bytes: int) -> None:
        """Replaces a process that has parsed much: it keeps its memory and would fail at the next large feed."""
        if self._n_bytes and self._n_bytes + n_bytes > RENEWED_AFTER_BYTES:
            self.worker.close()
            self._n_bytes = 0
        self._n_bytes += n_bytes

    def __enter__(self) -> "FeedParser":
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.close()


def seconds_for(body: bytes, *, first: float) -> float:
    """How long a body may be parsed."""
    return first + len(body) / _BYTES_PER_SECOND


def context_of(feed: FeedSource, *, content_type: str | None = None, page_url: str | None = None) -> FeedContext:
    """A configured feed as the parser's context."""
    names = {"name", "format", "language", "country", "company", "title_pattern"}
    return FeedContext(
        **feed.model_dump(include=names), url=str(feed.url), content_type=content_type, page_url=page_url
    )


def parsed_page(parser: FeedParser, response: Response, feed: FeedSource, *, page_url: str | None = None) -> Parsed:
    """A parsed page. A hash names its rejects: a feed may show the same bad entry at another position tomorrow."""
    parsed = parser.parse(response.body, feed=context_of(feed, content_type=response.content_type, page_url=page_url))
    names = [
        f"entry {hashlib.blake2b((reason + raw).encode(), digest_size=6).hexdigest()}"
        for reason, raw in parsed.rejects.select("reason", "raw").iter_rows()
    ]
    return Parsed(parsed.rows, parsed.rejects.with_columns(pl.Series("entry", names, dtype=pl.String)))
