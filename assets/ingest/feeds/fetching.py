"""Fetches feeds in parallel. A bad feed harms no other, and a slow host holds up only its own feeds."""

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace

from assets.config.sources import FeedSource
from assets.ingest import errors
from assets.ingest.feeds.access import FeedAccess
from assets.ingest.feeds.job_pages import JobPagesReading, KnownPage
from assets.ingest.feeds.pages import BadFeedError, Pages, read_pages
from assets.ingest.feeds.parsing import FeedParser
from assets.ingest.http.client import HttpClient, Validators
from assets.ingest.http.robots import RobotsFiles
from assets.ingest.quarantine import whole_file
from assets.ingest.source_state import FeedState, address_of, after_failure, is_early
from features.sources.feeds.entries import TRUNCATED, FeedError
from features.sources.feeds.formats import FORMATS
from features.sources.parsed import REJECTS, Parsed
from features.sources.postings import PARSED_POSTINGS

_MAX_TIMEOUTS = 2  # of one host in one run


@dataclass(frozen=True)
class FeedReading:
    """The outcome of one feed in this run.

    `is_full`: the feed was read whole and nothing was refused. `is_unchanged`: the answer was 304. `n_fetched` counts
    answers with a body or a 304. `n_listed` is the number of jobs, if the reading shows all jobs of the feed.
    `seen_job_ids` are listed without a row, `gone_job_ids` have ended. `known_pages` is to be remembered.
    """

    name: str
    status: str
    parsed: Parsed = field(default_factory=lambda: Parsed(PARSED_POSTINGS.empty(), REJECTS.empty()))
    origin: str = ""
    state: FeedState | None = None
    is_full: bool = False
    is_unchanged: bool = False
    is_timeout: bool = False
    is_failed: bool = False
    n_fetched: int = 0
    n_listed: int | None = None
    seconds: float = 0.0
    seen_job_ids: Sequence[str] = ()
    gone_job_ids: Sequence[str] = ()
    known_pages: Mapping[str, KnownPage] | None = None


def fetch_feeds(
    feeds: Sequence[FeedSource],
    states: Mapping[str, FeedState],
    client: HttpClient,
    *,
    as_of: dt.datetime,
    environment: Mapping[str, str] | None = None,
    known_pages: Callable[[str], Mapping[str, KnownPage]] = lambda feed: {},
    parser: FeedParser | None = None,
) -> Iterator[FeedReading]:
    """One reading per enabled feed, in the order in which they end. Never raises for what a feed does.

    Formats that need a key take it from `environment`. `known_pages` looks up what is remembered of the answers about
    single jobs of a feed.

    One thread takes all feeds of a host, so a host that hangs holds up one thread only. Hosts whose feeds failed in the
    last runs come last, behind the healthy ones.
    """
    lanes: defaultdict[str, list[FeedSource]] = defaultdict(list)
    for feed in sorted((feed for feed in feeds if feed.enabled), key=lambda feed: feed.name):
        lanes[feed.url.host or ""].append(feed)
    ordered = sorted(lanes.values(), key=lambda lane: max(_n_failures(states, feed) for feed in lane))
    with (
        parser or FeedParser() as opened,
        ThreadPoolExecutor(client.limits.max_parallel_sources, thread_name_prefix="feeds") as pool,
    ):
        fetcher = _Fetcher(states, client, opened, as_of, environment or {}, RobotsFiles(client), known_pages)
        for finished in as_completed(pool.submit(fetcher.fetch_lane, lane) for lane in ordered):
            yield from finished.result()


def _n_failures(states: Mapping[str, FeedState], feed: FeedSource) -> int:
    state = states.get(feed.name)
    return state.n_failures if state is not None else 0


@dataclass(frozen=True)
class _Fetcher:
    states: Mapping[str, FeedState]
    client: HttpClient
    parser: FeedParser
    as_of: dt.datetime
    environment: Mapping[str, str] = field(repr=False)
    robots: RobotsFiles
    known_pages: Callable[[str], Mapping[str, KnownPage]]

    def fetch_lane(self, lane: Sequence[FeedSource]) -> list[FeedReading]:
        """The feeds of one host, one after another. After _MAX_TIMEOUTS the rest is left for the next run."""
        readings: list[FeedReading] = []
        for feed in lane:
            started = time.perf_counter()
            if sum(reading.is_timeout for reading in readings) >= _MAX_TIMEOUTS:
                reading = FeedReading(feed.name, "skipped: its host did not answer in time twice", is_failed=True)
            else:
                try:
                    reading = self._fetch(feed)
                except Exception as error:  # one source must not fail the others, whatever its bytes do to a parser
                    reading = FeedReading(feed.name, f"failed: {type(error).__name__}", is_failed=True)
            readings.append(replace(reading, seconds=time.perf_counter() - started))
        return readings

    def _fetch(self, feed: FeedSource) -> FeedReading:
        state, address = self.states.get(feed.name), address_of(str(feed.url))
        if state is None or state.address != address:
            state = FeedState(address=address)
        if state.gone_at is not None:
            return FeedReading(feed.name, "gone since " + state.gone_at.date().isoformat())
        if is_early(state, min_interval_minutes=feed.min_interval_minutes, as_of=self.as_of):
            return FeedReading(feed.name, "not due yet")
        access = FeedAccess(feed, self.client, self.environment, self.robots)
        if missing := access.missing_variables:
            return FeedReading(
                feed.name, f"skipped: {' and '.join(missing)} not set in the environment", is_failed=True
            )
        try:
            pages = read_pages(
                access, state, self.parser, as_of=self.as_of, known_pages=lambda: self.known_pages(feed.name)
            )
        except (errors.FetchError, FeedError) as error:
            return _failed(feed, state, error, self.as_of)
        moved = pages.first.moved_to or state.moved_to
        if pages.first.is_unchanged:
            read = {"read_at": self.as_of, "not_before": None, "moved_to": moved, "n_failures": 0}
            kept = state.model_copy(update=read)
            return FeedReading(feed.name, "unchanged (304)", state=kept, is_unchanged=True, n_fetched=1)
        return _judged(feed, pages, state.model_copy(update={"moved_to": moved}), self.as_of)


def _judged(feed: FeedSource, pages: Pages, state: FeedState, as_of: dt.datetime) -> FeedReading:
    origin = errors.public_url(pages.first.url)
    read = FeedReading(feed.name, "read", pages.parsed, origin, n_fetched=pages.n_pages)
    if pages.failure:
        return replace(read, status=f"failed after {pages.n_pages} pages: {pages.failure}", is_failed=True)
    jobs = pages.jobs or JobPagesReading()
    read = replace(
        read,
        n_fetched=pages.n_pages + jobs.n_asked,
        seen_job_ids=jobs.seen_job_ids,
        gone_job_ids=jobs.gone_job_ids,
        known_pages=jobs.known if pages.jobs is not None else None,
    )
    n_jobs = len({*read.parsed.rows["job_id"], *jobs.seen_job_ids, *jobs.gone_job_ids})
    is_whole = TRUNCATED not in read.parsed.rejects["reason"]
    # A listing that did not change says nothing of the answers that it names, so it is always read.
    validators = pages.first.validators if is_whole and pages.jobs is None else Validators()
    known = FeedState(
        address=state.address,
        etag=validators.etag,
        last_modified=validators.last_modified,
        moved_to=state.moved_to,
        read_at=as_of,
        n_jobs=n_jobs,
    )
    newest_first = FORMATS[feed.format].newest_first
    if state.n_jobs is not None and n_jobs < state.n_jobs / 2 and not newest_first:
        # Losing half a board at once is usually a fault of the board: believe it only if the next reading repeats it.
        doubted = known.model_copy(update={"etag": None, "last_modified": None})
        status = "; ".join([f"dropped from {state.n_jobs} to {n_jobs} jobs", *jobs.statuses()])
        # Nothing of it is remembered, so that the next reading asks again.
        return replace(read, status=status, state=doubted, n_listed=n_jobs, known_pages=None)
    if pages.is_cut:
        return replace(read, status=f"read, cut at {pages.n_pages} pages", state=known)
    status = "read" if is_whole else "read up to where it breaks off"
    n_listed = None if newest_first else n_jobs - len(set(jobs.gone_job_ids))
    return replace(
        read,
        status="; ".join([status, *jobs.statuses()]),
        state=known,
        is_full=read.parsed.rejects.is_empty() and jobs.is_whole and not newest_first,
        n_listed=n_listed,
    )


def _failed(
    feed: FeedSource, state: FeedState, error: errors.FetchError | FeedError, as_of: dt.datetime
) -> FeedReading:
    """A failed reading. Its state keeps when and where to try next."""
    has_moved = state.moved_to is not None
    state = after_failure(state, error, as_of=as_of)
    suffix = " (where it had moved; its first address is asked next)" if has_moved and state.moved_to is None else ""
    failed = FeedReading(feed.name, f"failed: {error}{suffix}", state=state, is_failed=True)
    if isinstance(error, BadFeedError):
        rejects = whole_file("bad_feed", detail=error.reason, raw=error.body, entry=f"answer of {as_of:%Y-%m-%d}")
        parsed = Parsed(PARSED_POSTINGS.empty(), rejects)
        return replace(
            failed, status=f"failed: {error.reason}{suffix}", parsed=parsed, origin=error.origin, n_fetched=1
        )
    if state.gone_at is not None:
        return replace(failed, status="gone (410)")
    return replace(failed, is_timeout=isinstance(error, errors.DeadlineExceededError))
