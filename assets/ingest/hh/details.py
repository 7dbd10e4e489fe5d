"""Single vacancies of HH: which of them are due, how they are fetched in parallel, and how they are stored.

Only the lake decides what is due. A run that dies, is refused or runs out of time leaves the rest to the next one.
"""

import datetime as dt
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import polars as pl

from assets.ingest import errors
from assets.ingest.hh.client import HHClient, id_of
from assets.ingest.hh.search import BodyWriter
from assets.ingest.jobs.posting_writer import PostingWriter
from assets.ingest.jobs.postings import (
    is_restated,
    known_versions,
    newest_versions,
    open_jobs,
    restated_hash,
    sightings_of,
)
from assets.lake import Lake
from features.schemas.bronze import HH_POSTINGS
from features.sources.hh.vacancies import SOURCE

DETAILS_PER_BLOCK = 1_000
# After this many failures in a row the service counts as down: more requests would only take time.
MAX_FAILURES_IN_A_ROW = 20
# If this many listed vacancies, and more than this share of them, answer 404, the client lacks the right to see them:
# HH uses 404 for that too. The vacancies have not ended.
MASS_404 = 20
MASS_404_SHARE = 0.5


@dataclass(frozen=True)
class Detail:
    """The outcome of one request. If it is neither whole nor gone it failed, and `body` may say how."""

    vacancy_id: str
    body: bytes | None = field(default=None, repr=False)
    is_whole: bool = False
    is_gone: bool = False


@dataclass
class DetailFetcher:
    """Fetches vacancies in parallel, in the given order.

    A refusal, the end of the run's time, or many failures in a row stop it for good; `stopped_by` then says why.
    Requests under way are still delivered.
    """

    client: HHClient
    stopped_by: str | None = None
    n_failed: int = 0
    _n_failed_in_a_row: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def fetch(self, vacancy_ids: Iterable[str]) -> Iterator[Detail]:
        """A Detail for each of `vacancy_ids` until stopped, in their order. Few of them are held at a time."""
        n_workers = self.client.source.max_parallel_requests
        waiting = iter(vacancy_ids)
        pending: deque[Future[Detail | None]] = deque()
        with ThreadPoolExecutor(n_workers, thread_name_prefix="hh-detail") as pool:
            try:
                pending.extend(pool.submit(self._detail, id_) for id_ in islice(waiting, 2 * n_workers))
                while pending:
                    detail = pending.popleft().result()
                    if self.stopped_by is None:
                        pending.extend(pool.submit(self._detail, id_) for id_ in islice(waiting, 1))
                    if detail is not None:
                        self._count(detail)
                        yield detail
            finally:
                for future in pending:
                    future.cancel()

    def _detail(self, vacancy_id: str) -> Detail | None:
        if self._stop.is_set():
            return None
        try:
            body = self.client.vacancy(vacancy_id)
        except errors.SourceDisabledError as error:
            self._stop_for(str(error))
            return None
        except (errors.RefusedQueryError, errors.FetchError):
            return Detail(vacancy_id)
        if body is None:
            return Detail(vacancy_id, is_gone=True)
        return Detail(vacancy_id, body=body, is_whole=id_of(body) == vacancy_id)

    def _count(self, detail: Detail) -> None:
        if detail.is_whole or detail.is_gone:
            self._n_failed_in_a_row = 0
            return
        self.n_failed += 1
        self._n_failed_in_a_row += 1
        if self._n_failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
            self._stop_for(f"{MAX_FAILURES_IN_A_ROW} failed in a row")

    def _stop_for(self, reason: str) -> None:
        self.stopped_by = self.stopped_by or reason
        self._stop.set()


def read_details(
    client: HHClient, lake: Lake, *, searched_fully_at: dt.datetime | None, writer: PostingWriter, as_of: dt.datetime
) -> list[str]:
    """Stores the details that are due: new and changed vacancies first, then those that the last full search missed.

    Returns the statuses to report.
    """
    fetcher, limit = DetailFetcher(client), client.source.max_details_per_run
    changed = due_details(lake, since=as_of - dt.timedelta(days=client.source.stale_after_days))
    missing = vanished(lake, since=searched_fully_at)
    statuses: list[str] = []
    ended = _store_details(fetcher, lake, changed[:limit], writer=writer)
    if len(ended) >= MASS_404 and len(ended) > MASS_404_SHARE * len(changed[:limit]):
        statuses.append(f"{len(ended)} listed vacancies answered 404: no right to see them? nothing is closed")
        ended, missing = [], []
    ended += _store_details(fetcher, lake, missing[: max(0, limit - len(changed))], writer=writer)
    job_ids = pl.Series([f"{SOURCE}:{id_}" for id_ in ended], dtype=pl.String)
    writer.add_sightings(sightings_of(job_ids, source=SOURCE, as_of=as_of, is_gone=True))
    writer.flush()
    if fetcher.stopped_by:
        statuses.append(f"details stopped: {fetcher.stopped_by}")
    if fetcher.n_failed:
        statuses.append(f"{fetcher.n_failed} details failed")
    if len(changed) + len(missing) > limit:
        statuses.append(f"{len(changed) + len(missing) - limit} details left for the next run")
    return statuses


def due_details(lake: Lake, *, since: dt.datetime) -> list[str]:
    """Ids of open vacancies seen at or after `since` that have no details, or changed after their details were read.

    The newest come first.
    """
    at = pl.col("seen_at")
    is_complete = pl.col("is_complete").fill_null(value=True)
    versions = (
        lake.scan("bronze", HH_POSTINGS)
        .group_by("job_id")
        .agg(
            listed_at=at.filter(~is_complete).max(),
            detailed_at=at.filter(is_complete).max(),
            is_archived=_is_archived(),
            published_at=pl.col("published_at").max(),
        )
        .filter(~pl.col("is_archived").fill_null(value=False))
        .filter(pl.col("detailed_at").is_null() | (pl.col("detailed_at") < pl.col("listed_at")))
        .collect()
    )
    due = (
        versions.join(open_jobs(lake, SOURCE), on="job_id")
        .filter(pl.col("seen_at") >= since)
        .sort("published_at", "job_id", descending=[True, False], nulls_last=True)
    )
    return _ids(due)


def vanished(lake: Lake, *, since: dt.datetime | None) -> list[str]:
    """Ids of open vacancies not seen `since` the last full search: they may have ended. Longest unseen first.

    Empty if there was no full search yet.
    """
    if since is None:
        return []
    newest = lake.scan("bronze", HH_POSTINGS).group_by("job_id").agg(is_archived=_is_archived())
    archived = newest.filter("is_archived").select("job_id").collect()
    missing = open_jobs(lake, SOURCE).filter(pl.col("seen_at") < since).join(archived, on="job_id", how="anti")
    return _ids(missing.sort("seen_at", "job_id"))


def checked_again(lake: Lake, details: pl.DataFrame) -> pl.DataFrame:
    """`details` with a new hash where they are unchanged although the search item changed.

    The new version records that they were read after that change; otherwise every run would fetch them again.
    """
    newest = newest_versions(known_versions(lake, HH_POSTINGS, details)).filter(pl.col("is_complete"))
    pairs = details.select("job_id", "content_hash").join(newest, on="job_id", how="left", maintain_order="left")
    hashes = [
        restated_hash(content, after=newest)
        if content == newest or is_restated(newest, content, after=previous)
        else content
        for content, newest, previous in pairs.select("content_hash", "newest_hash", "previous_hash").iter_rows()
    ]
    return details.with_columns(pl.Series("content_hash", hashes, dtype=pl.String))


def _store_details(
    fetcher: DetailFetcher, lake: Lake, vacancy_ids: Sequence[str], *, writer: PostingWriter
) -> list[str]:
    """Fetches and stores; returns the ids that HH says are gone."""
    ended: list[str] = []
    origin = str(fetcher.client.source.base_url)
    bodies = BodyWriter(writer, origin, DETAILS_PER_BLOCK, lambda details: checked_again(lake, details))
    for detail in fetcher.fetch(vacancy_ids):
        if detail.is_gone:
            ended.append(detail.vacancy_id)
        elif detail.body is not None:
            bodies.add(f"vacancy {detail.vacancy_id}", detail.body, is_whole=detail.is_whole)
    bodies.store()
    return ended


def _is_archived() -> pl.Expr:
    return pl.col("is_archived").sort_by("seen_at", "is_complete").last()


def _ids(jobs: pl.DataFrame) -> list[str]:
    return jobs["job_id"].str.strip_prefix(f"{SOURCE}:").to_list()
