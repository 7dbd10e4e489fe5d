"""Feed bodies to postings within bounds of time and memory. Small ones here, large XML in a process of its own: markup
made to be slow takes feedparser time with the square of its length, and with it every other thread.
"""

from dataclasses import dataclass, field

from assets.ingest.worker import Worker, WorkerError
from features.sources.feeds import FeedContext, FeedError, parse_feed
from features.sources.parsed import Parsed

SMALL_BODY_BYTES = 65_536
MEMORY_BYTES = 1_000_000_000
_SLOW_FORMATS = ("rss",)
# A well-formed feed takes about 0.25 s a megabyte.
_SECONDS, _BYTES_PER_SECOND = 5.0, 500_000


def parse(body: bytes, feed: FeedContext) -> Parsed | str:
    """What the process calls: the postings, or the reason why `body` is no feed."""
    try:
        return parse_feed(body, feed=feed)
    except FeedError as error:
        return error.reason


@dataclass
class FeedParser:
    """Parses feeds; close it, or use it as a context, to end its process."""

    worker: Worker = field(default_factory=lambda: Worker(parse, MEMORY_BYTES))

    def parse(self, body: bytes, *, feed: FeedContext) -> Parsed:
        """The postings of `body`. Raises FeedError, also where parsing takes too long or too much memory."""
        if len(body) <= SMALL_BODY_BYTES or feed.format not in _SLOW_FORMATS:
            return parse_feed(body, feed=feed)
        seconds = _SECONDS + len(body) / _BYTES_PER_SECOND
        try:
            found: Parsed | str = self.worker.call(body, feed, deadline_seconds=seconds)
        except WorkerError as error:
            told = f"parsing took more than {seconds:.0f} s" if str(error) == "too_slow" else f"parsing: {error}"
            raise FeedError(feed.name, told) from None
        if isinstance(found, str):
            raise FeedError(feed.name, found)
        return found

    def __enter__(self) -> "FeedParser":
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.close()
