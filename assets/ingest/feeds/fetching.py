"""Feeds, fetched side by side: each on its own, so that a bad one harms no other and a slow host none but its own."""

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from assets.config import FeedSource
from assets.ingest import errors
from assets.ingest.feeds.pages import NEWEST_FIRST, BadFeedError, Pages, read_pages
from assets.ingest.feeds.parsing import FeedParser
from assets.ingest.http.client import HttpClient, Validators
from assets.ingest.quarantine import nothing, refusal
from assets.ingest.source_state import FeedState, address_of
from features.sources.feeds.entries import TRUNCATED, FeedError
from features.sources.parsed import Parsed

_PATIENCE = 2  # timeouts of one host in one run


@dataclass(frozen=True)
class FeedReading:
    """What came of one feed in this run. `is_full`: it was read whole, with nothing refused; `is_unchanged`: a 304;
    `n_fetched`: answers with a body or a 304; `n_listed`: jobs of a reading that shows all that the feed has."""

    name: str
    status: str
    parsed: Parsed
    origin: str = ""
    state: FeedState | None = None
    is_full: bool = False
    is_unchanged: bool = False
    is_timeout: bool = False
    is_failed: bool = False
    n_fetched: int = 0
    n_listed: int | None = None
    seconds: float = 0.0


def fetch_feeds(
    feeds: Sequence[FeedSource],
    states: Mapping[str, FeedState],
    client: HttpClient,
    *,
    as_of: dt.datetime,
    parser: FeedParser | None = None,
) -> Iterator[FeedReading]:
    """One reading per enabled feed as they come, so that not all need be held. Never raises for what a feed does.

    A thread takes the feeds of one host, so that a host with many of them, all hanging, holds up one thread only. Hosts
    whose feeds failed the last times come last: those that hang hold up nobody who is well.
    """
    lanes: defaultdict[str, list[FeedSource]] = defaultdict(list)
    for feed in sorted((feed for feed in feeds if feed.enabled), key=lambda feed: feed.name):
        lanes[feed.url.host or ""].append(feed)
    if not lanes:
        return
    with (
        parser or FeedParser() as opened,
        ThreadPoolExecutor(client.limits.max_parallel_sources, thread_name_prefix="feeds") as pool,
    ):
        ordered = sorted(lanes.values(), key=lambda lane: max(_n_failures(states, feed) for feed in lane))
        pending = {pool.submit(_fetch_lane, lane, states, client, opened, as_of) for lane in ordered}
        while pending:
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            while finished:
                yield from finished.pop().result()


def _n_failures(states: Mapping[str, FeedState], feed: FeedSource) -> int:
    state = states.get(feed.name)
    return state.n_failures if state is not None else 0


def is_early(feed: FeedSource, state: FeedState, as_of: dt.datetime) -> bool:
    """Whether the feed is to be left alone at `as_of`: it asked for patience, or was read a short while ago."""
    if state.not_before is not None and as_of < state.not_before:
        return True
    return state.read_at is not None and as_of < state.read_at + dt.timedelta(minutes=feed.min_interval_minutes)


def _fetch_lane(
    lane: Sequence[FeedSource],
    states: Mapping[str, FeedState],
    client: HttpClient,
    parser: FeedParser,
    as_of: dt.datetime,
) -> list[FeedReading]:
    """The feeds of one host, one after another; the rest is left for the next run when it keeps us waiting."""
    readings: list[FeedReading] = []
    for feed in lane:
        n_waits = sum(reading.is_timeout for reading in readings)
        if n_waits >= _PATIENCE:
            readings.append(
                FeedReading(feed.name, "skipped: its host did not answer in time twice", nothing(), is_failed=True)
            )
        else:
            readings.append(_fetch_isolated(feed, states.get(feed.name), client, parser, as_of))
    return readings


def _fetch_isolated(
    feed: FeedSource, state: FeedState | None, client: HttpClient, parser: FeedParser, as_of: dt.datetime
) -> FeedReading:
    started = time.perf_counter()
    try:
        reading = _fetch(feed, state, client, parser, as_of)
    except Exception as error:  # one source must not fail the others, whatever its bytes did to a parser
        reading = FeedReading(feed.name, f"failed: {type(error).__name__}", nothing(), is_failed=True)
    return replace(reading, seconds=time.perf_counter() - started)


def _fetch(
    feed: FeedSource, state: FeedState | None, client: HttpClient, parser: FeedParser, as_of: dt.datetime
) -> FeedReading:
    address = address_of(str(feed.url))
    if state is None or state.address != address:
        state = FeedState(address=address)
    if state.gone_at is not None:
        return FeedReading(feed.name, "gone since " + state.gone_at.date().isoformat(), nothing())
    if is_early(feed, state, as_of):
        return FeedReading(feed.name, "not due yet", nothing())
    try:
        pages = read_pages(feed, state, client, parser, as_of=as_of)
    except (errors.FetchError, FeedError) as error:
        return _failed(feed, state, error, as_of)
    moved = pages.first.moved_to or state.moved_to
    if pages.first.is_unchanged:
        kept = state.model_copy(update={"read_at": as_of, "not_before": None, "moved_to": moved, "n_failures": 0})
        return FeedReading(feed.name, "unchanged (304)", nothing(), state=kept, is_unchanged=True, n_fetched=1)
    return _judged(feed, pages, state.model_copy(update={"moved_to": moved}), as_of)


def _judged(feed: FeedSource, pages: Pages, state: FeedState, as_of: dt.datetime) -> FeedReading:
    origin = errors.public_url(pages.first.url)
    read = FeedReading(feed.name, "read", pages.parsed, origin, n_fetched=pages.n_pages)
    if pages.failure:
        return replace(read, status=f"failed after {pages.n_pages} pages: {pages.failure}", is_failed=True)
    n_jobs = pages.parsed.rows["job_id"].n_unique()
    is_whole = TRUNCATED not in pages.parsed.rejects["reason"]
    validators = pages.first.validators if is_whole else Validators()
    known = FeedState(
        address=state.address,
        etag=validators.etag,
        last_modified=validators.last_modified,
        moved_to=state.moved_to,
        read_at=as_of,
        n_jobs=n_jobs,
    )
    if state.n_jobs is not None and n_jobs < state.n_jobs / 2 and feed.format not in NEWEST_FIRST:
        # Half a board gone at once is more often a fault than the truth: believed when the next reading says it again.
        doubted = known.model_copy(update={"etag": None, "last_modified": None})
        return replace(read, status=f"dropped from {state.n_jobs} to {n_jobs} jobs", state=doubted, n_listed=n_jobs)
    if pages.is_cut:
        return replace(read, status=f"read, cut at {pages.n_pages} pages", state=known)
    status = "read" if is_whole else "read up to where it breaks off"
    n_listed = None if feed.format in NEWEST_FIRST else n_jobs
    return replace(read, status=status, state=known, is_full=pages.parsed.rejects.is_empty(), n_listed=n_listed)


def _failed(
    feed: FeedSource, state: FeedState, error: errors.FetchError | FeedError, as_of: dt.datetime
) -> FeedReading:
    """A failed reading; what the error says of when and where to ask next is remembered."""
    is_told_to_wait = isinstance(error, errors.RateLimitedError | errors.DeadlineExceededError)
    has_moved = state.moved_to is not None
    # Where a feed had moved may be gone or sold: its first address is asked again.
    moved_to = state.moved_to if is_told_to_wait else None
    state = state.model_copy(update={"n_failures": state.n_failures + 1, "moved_to": moved_to})
    suffix = " (where it had moved; its first address is asked next)" if has_moved and moved_to is None else ""
    failed = FeedReading(feed.name, f"failed: {error}{suffix}", nothing(), state=state, is_failed=True)
    if isinstance(error, BadFeedError):
        refused = refusal("bad_feed", error.reason, error.body, entry=f"answer of {as_of:%Y-%m-%d}")
        status = f"failed: {error.reason}{suffix}"
        return replace(failed, status=status, parsed=refused, origin=error.origin, n_fetched=1)
    if isinstance(error, errors.GoneError) and not has_moved:
        return replace(failed, status="gone (410)", state=state.model_copy(update={"gone_at": as_of}))
    pause = error.retry_after_seconds if isinstance(error, errors.StatusError) else None
    if pause is not None:
        state = state.model_copy(update={"not_before": as_of + dt.timedelta(seconds=min(pause, 86_400))})
    return replace(failed, state=state, is_timeout=isinstance(error, errors.DeadlineExceededError))
