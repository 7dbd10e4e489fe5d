"""Answers about single jobs that a listing names: which are due, how they are read, and what is remembered of them."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from assets.ingest import errors
from assets.ingest.feeds.access import FeedAccess
from assets.ingest.feeds.parsing import FeedParser, parsed_page
from assets.ingest.http.client import Response, Validators
from assets.ingest.source_state import MAX_AHEAD
from assets.lake import Lake
from features.schemas.bronze import FEED_PAGES
from features.sources.feeds.entries import FeedError
from features.sources.feeds.feed_format import JobPage
from features.sources.parsed import Parsed

# Answers without a new mark are read again after so many days, those without a job more seldom.
REREAD_AFTER = dt.timedelta(days=7)
REREAD_EMPTY_AFTER = dt.timedelta(days=30)
MAX_FAILURES_IN_A_ROW = 10
# If so many answers, and more than this share of those asked for, lost their jobs, the site is at fault: nothing ended.
MASS_LOSS = 20
MASS_LOSS_SHARE = 0.5


@dataclass(frozen=True)
class KnownPage:
    """What is remembered of an answer: FEED_PAGES without source and address."""

    mark: str
    etag: str | None
    last_modified: str | None
    job_ids: tuple[str, ...]
    read_at: dt.datetime


@dataclass
class JobPagesReading:
    """What came of the answers about single jobs.

    `seen_job_ids` are those of answers that did not change. `gone` holds what was remembered of answers that are gone.
    """

    known: dict[str, KnownPage] = field(default_factory=dict)
    frames: list[Parsed] = field(default_factory=list)
    seen_job_ids: list[str] = field(default_factory=list)
    gone: dict[str, KnownPage | None] = field(default_factory=dict)
    n_asked: int = 0
    n_failed: int = 0
    n_disallowed: int = 0
    n_left: int = 0
    stopped_by: str | None = None

    @property
    def gone_job_ids(self) -> list[str]:
        return [job_id for one in self.gone.values() if one is not None for job_id in one.job_ids]

    @property
    def is_whole(self) -> bool:
        return self.n_failed == 0 and self.n_left == 0

    def statuses(self) -> list[str]:
        """What is worth reporting, in words."""
        counts = (
            (self.n_failed, "job pages failed"),
            (self.n_disallowed, "job pages disallowed by robots.txt"),
            (self.n_left, "job pages left for the next run"),
        )
        stopped = [f"job pages stopped: {self.stopped_by}"] if self.stopped_by else []
        return [*stopped, *(f"{n} {what}" for n, what in counts if n)]


def read_job_pages(
    access: FeedAccess,
    listed: Sequence[JobPage],
    known: Mapping[str, KnownPage],
    parser: FeedParser,
    *,
    as_of: dt.datetime,
    deadline: float,
) -> JobPagesReading:
    """Requests the answers of `listed` that are due: new ones, then changed ones, then those read longest ago.

    Stops at the feed's `max_job_pages`, at `deadline` (monotonic seconds), and if the host refuses or fails too often.
    """
    pattern = re.compile(access.feed.page_pattern or "")
    pages = {page.url: page for page in listed if pattern.search(page.url)}
    reading = JobPagesReading(known={url: known[url] for url in pages if url in known})
    due = [page for page in pages.values() if _is_due(page, known.get(page.url), as_of)]
    due.sort(key=lambda page: _rank(page, known.get(page.url)))
    due_urls = {page.url for page in due}
    reading.seen_job_ids = [one for url in pages if url in known and url not in due_urls for one in known[url].job_ids]
    reader = _Reader(access, parser, reading, as_of)
    for position, page in enumerate(due):
        is_late = access.client.monotonic() >= deadline
        if is_late or reading.stopped_by or reading.n_asked >= access.feed.max_job_pages:
            reading.n_left = len(due) - position
            waiting = [known[left.url] for left in due[position:] if left.url in known]
            reading.seen_job_ids += [job_id for one in waiting for job_id in one.job_ids]  # still listed
            break
        reader.read(page)
    lost = reading.gone | {
        url: known[url] for url, now in reading.known.items() if url in known and known[url].job_ids and not now.job_ids
    }
    if len(lost) >= MASS_LOSS and len(lost) > MASS_LOSS_SHARE * reading.n_asked:
        _disbelieve(reading, lost)
    return reading


def _disbelieve(reading: JobPagesReading, lost: Mapping[str, KnownPage | None]) -> None:
    """Treats the answers that lost their jobs as failed: they are listed, so the site is at fault."""
    reading.stopped_by = f"{len(lost)} listed jobs answered 404 or without a job: nothing is closed"
    reading.n_failed += len(lost)
    for url, was in lost.items():
        if was is None:
            reading.known.pop(url)
        else:
            reading.known[url] = was
    reading.gone = {}


def load_known_pages(lake: Lake, source: str) -> dict[str, KnownPage]:
    """What is remembered of a feed's answers about single jobs, by address."""
    rows = lake.scan("bronze", FEED_PAGES).filter(pl.col("source") == source).drop("source").collect()
    return {
        url: KnownPage(mark, etag, modified, tuple(job_ids or ()), read_at)
        for url, mark, etag, modified, job_ids, read_at in rows.iter_rows()
    }


def store_known_pages(lake: Lake, source: str, known: Mapping[str, KnownPage]) -> None:
    """Replaces what is remembered of a feed's answers."""
    rows = [
        {"source": source, "url": url, "mark": one.mark, "etag": one.etag, "last_modified": one.last_modified,
         "job_ids": list(one.job_ids), "read_at": one.read_at}
        for url, one in sorted(known.items())
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=dict(FEED_PAGES.columns)) if rows else FEED_PAGES.empty()
    lake.replace_partition("bronze", FEED_PAGES, source, frame)


def _is_due(page: JobPage, known: KnownPage | None, as_of: dt.datetime) -> bool:
    if known is None or known.mark != page.mark:
        return True
    pause = REREAD_AFTER if known.job_ids else REREAD_EMPTY_AFTER
    return not -MAX_AHEAD <= as_of - known.read_at < pause  # a clock may have been ahead


def _rank(page: JobPage, known: KnownPage | None) -> tuple[int, float]:
    if known is None:
        return 0, 0.0
    return (1 if known.mark != page.mark else 2), known.read_at.timestamp()


@dataclass
class _Reader:
    """Reads one answer after another into `reading`."""

    access: FeedAccess
    parser: FeedParser
    reading: JobPagesReading
    as_of: dt.datetime
    _n_failed_in_a_row: int = 0

    def read(self, page: JobPage) -> None:
        reading, known = self.reading, self.reading.known.get(page.url)
        reading.n_asked += 1
        validators = Validators(known.etag, known.last_modified) if known else None
        try:
            response = self.access.get(page.url, validators=validators)
        except errors.RobotsRefusedError:
            reading.n_disallowed += 1
            reading.n_asked -= 1
            reading.seen_job_ids += known.job_ids if known else ()  # still listed
        except (errors.NotFoundError, errors.GoneError):
            reading.gone[page.url] = known
            reading.known[page.url] = KnownPage(page.mark, None, None, (), self.as_of)
            self._n_failed_in_a_row = 0
        except errors.FetchError as error:
            self._failed(page, error)
        else:
            self._n_failed_in_a_row = 0
            self._answered(page, response, known)

    def _answered(self, page: JobPage, response: Response, known: KnownPage | None) -> None:
        if response.is_unchanged and known is not None:
            self.reading.seen_job_ids += known.job_ids
            self.reading.known[page.url] = replace(known, mark=page.mark, read_at=self.as_of)
            return
        kept = response.validators
        job_ids = self._parsed(response)
        self.reading.known[page.url] = KnownPage(page.mark, kept.etag, kept.last_modified, job_ids, self.as_of)

    def _parsed(self, response: Response) -> tuple[str, ...]:
        """The jobs of an answer. One that is no posting has none: a sitemap names other pages too."""
        try:
            parsed = parsed_page(self.parser, response, self.access.feed, page_url=response.url)
        except FeedError:
            return ()
        self.reading.frames.append(parsed)
        return tuple(parsed.rows["job_id"].unique(maintain_order=True))

    def _failed(self, page: JobPage, error: errors.FetchError) -> None:
        known = self.reading.known.get(page.url)
        self.reading.seen_job_ids += known.job_ids if known else ()
        self.reading.n_failed += 1
        self._n_failed_in_a_row += 1
        is_refusal = isinstance(
            error, errors.RateLimitedError | errors.AccessDeniedError | errors.DeadlineExceededError
        )
        if is_refusal or self._n_failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
            self.reading.stopped_by = str(error)
