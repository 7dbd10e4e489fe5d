"""One run's reading of HH: walk the queries, fetch what is new or changed, look after what vanished.

What is read is stored as it comes, and what is to be fetched is told by the lake alone: a run that dies, is refused or
runs out of time leaves to the next one only what it did not do.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from assets.config import HHQuery
from assets.ingest import errors
from assets.ingest.hh.details import DetailFetcher
from assets.ingest.hh.search_paginator import SearchPaginator
from assets.ingest.jobs.posting_writer import PostingWriter
from assets.ingest.jobs.postings import gone, is_restated, known_versions, newest_versions, open_jobs, restated_hash
from assets.ingest.source_state import QueryState, address_of
from assets.lake import Lake
from features.schemas.bronze import HH_POSTINGS
from features.sources.hh.vacancies import SOURCE, parse_hh_bodies
from features.sources.parsed import Parsed

FULL_WALK_EVERY = dt.timedelta(hours=20)
OVERLAP = dt.timedelta(hours=1)
PAGES_PER_BLOCK = 50
DETAILS_PER_BLOCK = 1_000
# That many of the vacancies that the search lists, and that share of them, answering 404 means that we have no right to
# see them (HH says it with a 404 too), not that they ended.
MASS_404 = 20
MASS_404_SHARE = 0.5


@dataclass
class HHFetchResult:
    """What came of HH in this run beside what was stored: `states` of the queries walked, and all else in words.

    `is_disabled`: HH refused; `is_failed`: it did, or a query could not be walked to its end; `is_full`: every query
    was walked over its whole period; `n_met`: vacancies met."""

    states: dict[str, QueryState] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)
    is_disabled: bool = False
    is_failed: bool = False
    is_full: bool = True
    n_met: int = 0


def search_queries(
    paginator: SearchPaginator,
    queries: Iterable[HHQuery],
    states: Mapping[str, QueryState],
    *,
    writer: PostingWriter,
    as_of: dt.datetime,
) -> HHFetchResult:
    """Stores the search items of every query: of its whole period once a day, of what is new otherwise.

    What HH refuses ends in `statuses`; it closes nothing.
    """
    result = HHFetchResult()
    items = _Items(writer, origin=str(paginator.client.source.base_url))
    for query in sorted(queries, key=lambda query: query.name):
        state = state_of(query, states)
        if state is not None and as_of <= state.walked_at:
            result.statuses.append(f"{query.name}: not due yet")
            result.is_full = False
            continue
        is_whole = state is None or as_of - state.walked_fully_at >= FULL_WALK_EVERY
        since = as_of - dt.timedelta(days=query.period_days) if is_whole or state is None else state.walked_at - OVERLAP
        result.is_full = result.is_full and is_whole
        try:
            for number, body in enumerate(paginator.pages(query, since=since, until=as_of)):
                items.add(f"{query.name} page {number}", body)
        except errors.SourceDisabledError as error:
            result.statuses.append(f"disabled for this run: {error}")
            result.is_disabled, result.is_failed, result.is_full = True, True, False
            break
        except (errors.RefusedQueryError, errors.FetchError) as error:
            result.statuses.append(f"{query.name}: failed: {error}")
            result.is_failed, result.is_full = True, False
            continue
        finally:
            items.store()
        result.states[query.name] = QueryState(
            address=address_of(repr(query)),
            walked_at=as_of,
            walked_fully_at=as_of if is_whole or state is None else state.walked_fully_at,
        )
    if paginator.n_cut_searches:
        result.statuses.append(f"{paginator.n_cut_searches} searches had more than can be shown")
        result.is_full = False
    result.n_met = items.n_met
    return result


def state_of(query: HHQuery, states: Mapping[str, QueryState]) -> QueryState | None:
    """What is remembered of `query`; None if that was another query of the same name."""
    state = states.get(query.name)
    return state if state is not None and state.address == address_of(repr(query)) else None


def read_details(
    fetcher: DetailFetcher,
    lake: Lake,
    states: Mapping[str, QueryState],
    *,
    writer: PostingWriter,
    as_of: dt.datetime,
) -> list[str]:
    """Stores the details that are due: of new and changed vacancies first, then of those that a walk over everything
    did not meet. Returns what there is to say about it."""
    source = fetcher.client.source
    limit = source.max_details_per_run
    changed = due_details(lake, since=as_of - dt.timedelta(days=source.stale_after_days))
    missing = vanished(lake, since=_walked_fully_at(source.queries, states))
    statuses: list[str] = []
    ended = _store_details(fetcher, lake, changed[:limit], writer=writer)
    if len(ended) >= MASS_404 and len(ended) > MASS_404_SHARE * len(changed[:limit]):
        statuses.append(f"{len(ended)} listed vacancies answered 404: no right to see them? nothing is closed")
        ended, missing = [], []
    ended += _store_details(fetcher, lake, missing[: max(0, limit - len(changed))], writer=writer)
    writer.add_sightings(
        gone(pl.Series([f"{SOURCE}:{id_}" for id_ in ended], dtype=pl.String), source=SOURCE, as_of=as_of)
    )
    writer.flush()
    if fetcher.stopped_by:
        statuses.append(f"details stopped: {fetcher.stopped_by}")
    if fetcher.n_failed:
        statuses.append(f"{fetcher.n_failed} details failed")
    if len(changed) + len(missing) > limit:
        statuses.append(f"{len(changed) + len(missing) - limit} details left for the next run")
    return statuses


def due_details(lake: Lake, *, since: dt.datetime) -> list[str]:
    """Ids of open vacancies seen at or after `since` that are new, changed after their details were read, or never got
    any; the newest first."""
    at = pl.col("seen_at")
    is_complete = pl.col("is_complete").fill_null(value=True)
    versions = (
        lake.scan("bronze", HH_POSTINGS)
        .group_by("job_id")
        .agg(
            listed_at=at.filter(~is_complete).max(),
            detailed_at=at.filter(is_complete).max(),
            is_archived=_newest("is_archived"),
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
    """Ids of open vacancies not met `since` the last walk over everything, longest unseen first: they may have ended.

    None where no such walk is known."""
    if since is None:
        return []
    archived = (
        lake.scan("bronze", HH_POSTINGS).group_by("job_id").agg(_newest("is_archived")).filter("is_archived").collect()
    )
    missing = (
        open_jobs(lake, SOURCE)
        .filter(pl.col("seen_at") < since)
        .join(archived.select("job_id"), on="job_id", how="anti")
        .sort("seen_at", "job_id")
    )
    return _ids(missing)


def checked_again(lake: Lake, details: pl.DataFrame) -> pl.DataFrame:
    """`details` with a new hash where they are as they were although the search item changed: so it is known that they
    were read after that change, and they are not fetched for ever."""
    newest = newest_versions(known_versions(lake, HH_POSTINGS, details)).filter(pl.col("is_complete"))
    pairs = details.select("job_id", "content_hash").join(newest, on="job_id", how="left", maintain_order="left")
    hashes = [
        restated_hash(content_hash, after=newest_hash)
        if content_hash == newest_hash or is_restated(newest_hash, content_hash, after=previous_hash)
        else content_hash
        for content_hash, newest_hash, previous_hash in pairs.select(
            "content_hash", "newest_hash", "previous_hash"
        ).iter_rows()
    ]
    return details.with_columns(pl.Series("content_hash", hashes, dtype=pl.String))


@dataclass
class _Items:
    """Search items on their way to the writer, each vacancy once: queries overlap, pages shift, and the snippets of one
    vacancy differ between queries; it would change for ever."""

    writer: PostingWriter
    origin: str
    _bodies: list[tuple[str, bytes]] = field(default_factory=list)
    _met: set[str] = field(default_factory=set)

    @property
    def n_met(self) -> int:
        return len(self._met)

    def add(self, name: str, body: bytes) -> None:
        self._bodies.append((name, body))
        if len(self._bodies) >= PAGES_PER_BLOCK:
            self.store()

    def store(self) -> None:
        parsed = parse_hh_bodies(self._bodies)
        rows = parsed.rows.unique("job_id", keep="first", maintain_order=True)
        fresh = rows.filter([job_id not in self._met for job_id in rows["job_id"]])
        self._met.update(fresh["job_id"])
        self.writer.add(Parsed(fresh, parsed.rejects), source=SOURCE, origin=self.origin)
        self.writer.flush()
        self._bodies = []


def _store_details(
    fetcher: DetailFetcher, lake: Lake, vacancy_ids: Sequence[str], *, writer: PostingWriter
) -> list[str]:
    """Fetches and stores; returns the ids that HH says are gone."""
    ended: list[str] = []
    whole: list[tuple[str, bytes]] = []
    broken: list[tuple[str, bytes]] = []

    def store() -> None:
        parsed, refused = parse_hh_bodies(whole), parse_hh_bodies(broken)
        rejects = pl.concat([parsed.rejects, refused.rejects])
        origin = str(fetcher.client.source.base_url)
        writer.add(Parsed(checked_again(lake, parsed.rows), rejects), source=SOURCE, origin=origin)
        writer.flush()
        whole.clear()
        broken.clear()

    for detail in fetcher.fetch(vacancy_ids):
        if detail.is_gone:
            ended.append(detail.vacancy_id)
        elif detail.body is not None:
            (whole if detail.is_whole else broken).append((f"vacancy {detail.vacancy_id}", detail.body))
        if len(whole) + len(broken) >= DETAILS_PER_BLOCK:
            store()
    store()
    return ended


def _walked_fully_at(queries: Iterable[HHQuery], states: Mapping[str, QueryState]) -> dt.datetime | None:
    """Since when all of `queries` have been walked over their whole period; None unless each of them was."""
    known = [state_of(query, states) for query in queries]
    walks = [state.walked_fully_at for state in known if state is not None]
    return min(walks) if walks and len(walks) == len(known) else None


def _newest(name: str) -> pl.Expr:
    return pl.col(name).sort_by("seen_at", "is_complete").last()


def _ids(jobs: pl.DataFrame) -> list[str]:
    return jobs["job_id"].str.strip_prefix(f"{SOURCE}:").to_list()
