"""Feed bodies to postings within bounds of time and memory. Small ones here, large ones in a process of its own: markup
made to be slow takes feedparser time with the square of its length, and with it every other thread.
"""

import threading
from dataclasses import dataclass, field

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


def parse(body: bytes, feed: FeedContext) -> Parsed | str:
    """What the process calls: the postings, or the reason why `body` is no feed."""
    try:
        return parse_feed(body, feed=feed)
    except FeedError as error:
        return error.reason


@dataclass
class FeedParser:
    """Parses feeds; close it, or use it as a context, to end its process. A body has `first_seconds` and two more a
    megabyte."""

    first_seconds: float = FIRST_SECONDS
    worker: Worker = field(default_factory=lambda: Worker(parse, MEMORY_BYTES))
    _n_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def parse(self, body: bytes, *, feed: FeedContext) -> Parsed:
        """The postings of `body`. Raises FeedError, also where parsing takes too long or too much memory."""
        if len(body) <= (SMALL_XML_BYTES if feed.format == "rss" else SMALL_JSON_BYTES):
            return parse_feed(body, feed=feed)
        seconds = self.first_seconds + len(body) / _BYTES_PER_SECOND
        try:
            with self._lock:
                self._make_room(len(body))
                found: Parsed | str = self.worker.call(body, feed, deadline_seconds=seconds)
        except WorkerError as error:
            told = f"parsing took more than {seconds:.0f} s" if str(error) == "too_slow" else f"parsing: {error}"
            raise FeedError(feed.name, told) from None
        if isinstance(found, str):
            raise FeedError(feed.name, found)
        return found

    def _make_room(self, n_bytes: int) -> None:
        """A process keeps much of the memory that it once took, and would fail at the next feed: a new one instead."""
        if self._n_bytes and self._n_bytes + n_bytes > RENEWED_AFTER_BYTES:
            self.worker.close()
            self._n_bytes = 0
        self._n_bytes += n_bytes

    def __enter__(self) -> "FeedParser":
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.close()
