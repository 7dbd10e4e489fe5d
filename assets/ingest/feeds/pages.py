"""Reads all pages of one feed over HTTP and parses each at once, to know where to stop. Keeps no state."""

import datetime as dt
import hashlib
from collections import deque
from dataclasses import dataclass, field

import polars as pl

from assets.config.sources import FeedSource
from assets.ingest import errors
from assets.ingest.feeds.access import FeedAccess
from assets.ingest.feeds.parsing import FeedParser
from assets.ingest.http.client import Response, Validators
from assets.ingest.source_state import FeedState
from features.sources.feeds.entries import FeedContext, FeedError
from features.sources.feeds.formats import FORMATS
from features.sources.parsed import REJECTS, Parsed
from features.sources.postings import PARSED_POSTINGS

_OVERLAP = dt.timedelta(days=1)


class BadFeedError(FeedError):
    """The first page is not a feed; `body` and `origin` are for the quarantine."""

    def __init__(self, error: FeedError, *, body: bytes, origin: str) -> None:
        super().__init__(error.feed, error.reason)
        self.body, self.origin = body, origin


@dataclass
class Pages:
    """The pages that were read. `is_cut`: there were more. `failure`: what went wrong after the first page."""

    first: Response
    frames: list[Parsed] = field(default_factory=list)
    is_cut: bool = False
    failure: str = ""

    @property
    def n_pages(self) -> int:
        return len(self.frames)

    @property
    def parsed(self) -> Parsed:
        return Parsed(
            pl.concat([PARSED_POSTINGS.empty(), *(page.rows for page in self.frames)]),
            pl.concat([REJECTS.empty(), *(page.rejects for page in self.frames)]),
        )


def context_of(feed: FeedSource, *, content_type: str | None = None) -> FeedContext:
    """A configured feed as the parser's context."""
    names = {"name", "format", "language", "country", "company", "title_pattern"}
    return FeedContext(**feed.model_dump(include=names), url=str(feed.url), content_type=content_type)


def read_pages(access: FeedAccess, state: FeedState, parser: FeedParser, *, as_of: dt.datetime) -> Pages:
    """Requests the first page, if it changed, and the following ones, within the limits of feed and client.

    Raises FetchError or BadFeedError for the first page. An error of a later page ends the reading with `failure`.
    """
    feed, client = access.feed, access.client
    deadline = client.monotonic() + client.limits.source_deadline_seconds
    url = state.moved_to or str(feed.url)
    response = access.get(url, validators=Validators(state.etag, state.last_modified))
    pages = Pages(response)
    if response.is_unchanged:
        return pages
    try:
        pages.frames.append(_parsed(response, feed, parser))
    except FeedError as error:
        raise BadFeedError(error, body=response.body, origin=errors.public_url(response.url)) from None
    since = state.read_at - _OVERLAP if state.read_at else as_of - dt.timedelta(days=feed.max_age_days)
    asked, waiting = {url}, _next_pages(feed, url, response)
    while waiting and not _is_past(feed, pages, since):
        if pages.n_pages >= feed.max_pages or client.monotonic() >= deadline:
            pages.is_cut = True
            break
        url = waiting.popleft()
        if url in asked:
            pages.failure = "its pages go round in a circle"
            break
        asked.add(url)
        try:
            response = access.get(url)
            pages.frames.append(_parsed(response, feed, parser))
        except (errors.FetchError, FeedError) as error:
            pages.failure = str(error)
            break
        waiting.extend(_next_pages(feed, url, response))
    return pages


def _next_pages(feed: FeedSource, url: str, response: Response) -> deque[str]:
    return deque(FORMATS[feed.format].next_pages(url, response.body))


def _parsed(response: Response, feed: FeedSource, parser: FeedParser) -> Parsed:
    """A parsed page. A hash names its rejects: a feed may show the same bad entry at another position tomorrow."""
    parsed = parser.parse(response.body, feed=context_of(feed, content_type=response.content_type))
    names = [
        f"entry {hashlib.blake2b((reason + raw).encode(), digest_size=6).hexdigest()}"
        for reason, raw in parsed.rejects.select("reason", "raw").iter_rows()
    ]
    return Parsed(parsed.rows, parsed.rejects.with_columns(pl.Series("entry", names, dtype=pl.String)))


def _is_past(feed: FeedSource, pages: Pages, since: dt.datetime) -> bool:
    """Whether the last page of a board that lists the newest jobs first has nothing newer than `since`."""
    if not FORMATS[feed.format].newest_first:
        return False
    newest = pages.frames[-1].rows["published_at"].max()
    return isinstance(newest, dt.datetime) and newest < since
