"""Runs the configured HH queries and stores their search items: the whole period once a day, else what is new.

Items are stored as they come. A run that dies, is refused or runs out of time leaves the rest to the next one.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from assets.config.sources import HHQuery
from assets.ingest import errors
from assets.ingest.hh.search_paginator import SearchPaginator
from assets.ingest.jobs.posting_writer import PostingWriter
from assets.ingest.source_state import QueryState, address_of
from features.sources.hh.vacancies import SOURCE, parse_hh_bodies
from features.sources.parsed import Parsed

FULL_SEARCH_EVERY = dt.timedelta(hours=20)
OVERLAP = dt.timedelta(hours=1)
PAGES_PER_BLOCK = 50


@dataclass
class HHFetchResult:
    """The outcome of the queries beside what was stored: `states` of those searched to their end, and `statuses`.

    `is_disabled`: HH refused this client. `is_failed`: it did, or a query was not searched to its end. `is_full`: every
    query was searched over its whole period. `n_jobs` counts vacancies.
    """

    states: dict[str, QueryState] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)
    is_disabled: bool = False
    is_failed: bool = False
    is_full: bool = True
    n_jobs: int = 0


def run_queries(
    paginator: SearchPaginator,
    queries: Iterable[HHQuery],
    states: Mapping[str, QueryState],
    *,
    writer: PostingWriter,
    as_of: dt.datetime,
) -> HHFetchResult:
    """Stores the search items of every query. A refusal by HH becomes a status; it closes no job."""
    result = HHFetchResult()
    job_ids: set[str] = set()

    def new_jobs(rows: pl.DataFrame) -> pl.DataFrame:
        # Each vacancy once, since queries overlap and pages shift. Its snippets differ between queries, so it would
        # seem to change in every run.
        first = rows.unique("job_id", keep="first", maintain_order=True)
        fresh = first.filter([job_id not in job_ids for job_id in first["job_id"]])
        job_ids.update(fresh["job_id"])
        return fresh

    items = BodyWriter(writer, str(paginator.client.source.base_url), PAGES_PER_BLOCK, new_jobs)
    for query in sorted(queries, key=lambda query: query.name):
        state = state_of(query, states)
        if state is not None and as_of <= state.walked_at:
            result.statuses.append(f"{query.name}: not due yet")
            result.is_full = False
            continue
        if state is None or as_of - state.walked_fully_at >= FULL_SEARCH_EVERY:
            since, fully_at = as_of - dt.timedelta(days=query.period_days), as_of
        else:
            since, fully_at = state.walked_at - OVERLAP, state.walked_fully_at
            result.is_full = False
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
            address=address_of(repr(query)), walked_at=as_of, walked_fully_at=fully_at
        )
    if paginator.n_cut_searches:
        result.statuses.append(f"{paginator.n_cut_searches} searches had more than can be shown")
        result.is_full = False
    result.n_jobs = len(job_ids)
    return result


def state_of(query: HHQuery, states: Mapping[str, QueryState]) -> QueryState | None:
    """The remembered state of `query`; None if it belongs to another query of the same name."""
    state = states.get(query.name)
    return state if state is not None and state.address == address_of(repr(query)) else None


def searched_fully_at(queries: Iterable[HHQuery], states: Mapping[str, QueryState]) -> dt.datetime | None:
    """The instant since which all of `queries` were searched over their whole period; None if one never was."""
    known = [state_of(query, states) for query in queries]
    searches = [state.walked_fully_at for state in known if state is not None]
    return min(searches) if searches and len(searches) == len(known) else None


@dataclass
class BodyWriter:
    """Parses (name, body) pairs in blocks of `block_size` and stores them; call `store` after the last.

    `prepare` gets the parsed rows of a block and returns the rows to store.
    """

    writer: PostingWriter
    origin: str
    block_size: int
    prepare: Callable[[pl.DataFrame], pl.DataFrame]
    _whole: list[tuple[str, bytes]] = field(default_factory=list)
    _broken: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, name: str, body: bytes, *, is_whole: bool = True) -> None:
        """Adds a body; one that is not whole gives rejects only."""
        (self._whole if is_whole else self._broken).append((name, body))
        if len(self._whole) + len(self._broken) >= self.block_size:
            self.store()

    def store(self) -> None:
        """Stores the collected bodies."""
        whole, broken = parse_hh_bodies(self._whole), parse_hh_bodies(self._broken)
        rejects = pl.concat([whole.rejects, broken.rejects])
        self.writer.add(Parsed(self.prepare(whole.rows), rejects), source=SOURCE, origin=self.origin)
        self.writer.flush()
        self._whole, self._broken = [], []
