"""Reads all pages of one feed over HTTP and parses each at once, to know where to stop. Keeps no state."""

import datetime as dt
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from assets.config.sources import FeedSource
from assets.ingest import errors
from assets.ingest.feeds.access import FeedAccess
from assets.ingest.feeds.job_pages import JobPagesReading, KnownPage, read_job_pages
from assets.ingest.feeds.parsing import FeedParser, parsed_page
from assets.ingest.http.client import Response, Validators
from assets.ingest.source_state import FeedState
from features.sources.feeds.entries import FeedError
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
    """The pages that were read. `is_cut`: there were more. `failure`: what went wrong after the first page.

    `jobs` is what came of the answers about single jobs that the pages name, if they name any.
    """

    first: Response
    frames: list[Parsed] = field(default_factory=list)
    jobs: JobPagesReading | None = None
    is_cut: bool = False
    failure: str = ""

    @property
    def n_pages(self) -> int:
        return len(self.frames)

    @property
    def parsed(self) -> Parsed:
        frames = [*self.frames, *(self.jobs.frames if self.jobs is not None else ())]
        return Parsed(
            pl.concat([PARSED_POSTINGS.empty(), *(page.rows for page in frames)]),
            pl.concat([REJECTS.empty(), *(page.rejects for page in frames)]),
        )


def read_pages(
    access: FeedAccess,
    state: FeedState,
    parser: FeedParser,
    *,
    as_of: dt.datetime,
    known_pages: Callable[[], Mapping[str, KnownPage]] = dict,
) -> Pages:
    """Requests the first page, if it changed, and the following ones, then the answers about single jobs that they
    name, within the limits of feed and client.

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
        pages.frames.append(_parsed(access, response, parser))
    except FeedError as error:
        raise BadFeedError(error, body=response.body, origin=errors.public_url(response.url)) from None
    since = state.read_at - _OVERLAP if state.read_at else as_of - dt.timedelta(days=feed.max_age_days)
    asked, waiting = {url}, deque(access.format.next_pages(url, response.body))
    listed = access.format.job_pages(url, response.body)
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
            pages.frames.append(_parsed(access, response, parser))
        except (errors.FetchError, FeedError) as error:
            pages.failure = str(error)
            break
        waiting.extend(access.format.next_pages(url, response.body))
        listed += access.format.job_pages(url, response.body)
    if listed and not pages.failure:
        pages.jobs = read_job_pages(access, listed, known_pages(), parser, as_of=as_of, deadline=deadline)
    return pages


def _parsed(access: FeedAccess, response: Response, parser: FeedParser) -> Parsed:
    page_url = response.url if access.format.is_crawled else None
    return parsed_page(parser, response, access.feed, page_url=page_url)


def _is_past(feed: FeedSource, pages: Pages, since: dt.datetime) -> bool:
    """Whether the last page of a board that lists the newest jobs first has nothing newer than `since`."""
    if not FORMATS[feed.format].newest_first:
        return False
    newest = pages.frames[-1].rows["published_at"].max()
    return isinstance(newest, dt.datetime) and newest < since
