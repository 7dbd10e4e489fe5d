"""One run's reading of HH: walk the queries, fetch what is new or changed, look after what vanished. Stores nothing."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from assets.config import HHQuery
from assets.ingest import errors
from assets.ingest.hh_client import HHClient
from assets.ingest.postings import is_restated, known_versions, newest_versions, open_jobs, restated_hash
from assets.ingest.source_state import QueryState, address_of
from assets.lake import Lake
from features.schemas import HH_POSTINGS
from features.sources.hh import SOURCE, parse_hh_bodies
from features.sources.parsed import REJECTS, Parsed
from features.sources.postings import PARSED_POSTINGS

FULL_WALK_EVERY = dt.timedelta(hours=20)
OVERLAP = dt.timedelta(hours=1)


@dataclass
class HHReading:
    """What came of HH in this run. `rows` in PARSED_POSTINGS, search items before details; `gone_ids` answered 404."""

    rows: pl.DataFrame = field(default_factory=PARSED_POSTINGS.empty)
    rejects: pl.DataFrame = field(default_factory=REJECTS.empty)
    gone_ids: list[str] = field(default_factory=list)
    states: dict[str, QueryState] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)
    is_disabled: bool = False
    is_full: bool = True

    def add(self, parsed: Parsed) -> None:
        self.rows = pl.concat([self.rows, parsed.rows])
        self.rejects = pl.concat([self.rejects, parsed.rejects])


def read_hh(client: HHClient, lake: Lake, states: Mapping[str, QueryState], *, as_of: dt.datetime) -> HHReading:
    """Walks the configured queries and fetches details. What HH refuses ends in `statuses`; it closes nothing."""
    reading = HHReading()
    walk_queries(client, client.source.queries, states, reading=reading, as_of=as_of)
    if not client.source.details or reading.is_disabled:
        return reading
    limit = client.source.max_details_per_run
    changed = unknown_details(lake, reading.rows)
    missing = vanished(lake, reading.rows) if reading.is_full else []
    details = fetch_details(client, changed[:limit], reading=reading)
    reading.add(Parsed(checked_again(lake, details.rows), details.rejects))
    if not reading.is_disabled:
        reading.add(fetch_details(client, missing[: max(0, limit - len(changed))], reading=reading))
    if len(changed) + len(missing) > limit:
        reading.statuses.append(f"{len(changed) + len(missing) - limit} details left for the next run")
    return reading


def walk_queries(
    client: HHClient,
    queries: Iterable[HHQuery],
    states: Mapping[str, QueryState],
    *,
    reading: HHReading,
    as_of: dt.datetime,
) -> None:
    """Adds the search items of every query to `reading`: of its whole period once a day, of what is new otherwise."""
    for query in sorted(queries, key=lambda query: query.name):
        state = states.get(query.name)
        if state is not None and state.address != address_of(repr(query)):
            state = None
        if state is not None and as_of <= state.walked_at:
            reading.statuses.append(f"{query.name}: not due yet")
            reading.is_full = False
            continue
        is_whole = state is None or as_of - state.walked_fully_at >= FULL_WALK_EVERY
        since = as_of - dt.timedelta(days=query.period_days) if is_whole or state is None else state.walked_at - OVERLAP
        reading.is_full = reading.is_full and is_whole
        try:
            _walk(client, query, since=since, until=as_of, reading=reading)
        except errors.SourceDisabledError as error:
            reading.statuses.append(f"disabled for this run: {error}")
            reading.is_disabled, reading.is_full = True, False
            break
        except (errors.QueryError, errors.FetchError) as error:
            reading.statuses.append(f"{query.name}: failed: {error}")
            reading.is_full = False
            continue
        walked_fully_at = as_of if is_whole or state is None else state.walked_fully_at
        reading.states[query.name] = QueryState(
            address=address_of(repr(query)), walked_at=as_of, walked_fully_at=walked_fully_at
        )
    if client.n_cut_searches:
        reading.statuses.append(f"{client.n_cut_searches} searches had more than can be shown")
        reading.is_full = False
    # Queries overlap, and their snippets of one vacancy differ: one item a vacancy, or it would change for ever.
    reading.rows = reading.rows.unique("job_id", keep="first", maintain_order=True)


def unknown_details(lake: Lake, items: pl.DataFrame) -> list[str]:
    """Ids of the vacancies in `items` that are new, changed since their details were read, or never got any."""
    newest = newest_versions(known_versions(lake, HH_POSTINGS, items))
    complete = newest.filter(pl.col("is_complete")).select("job_id", detailed_at="newest_at")
    listed = newest.filter(~pl.col("is_complete")).select("job_id", "newest_hash", "previous_hash", "newest_at")
    rows = (
        items.filter(~pl.col("is_complete"))
        .select("job_id", "source_id", "content_hash")
        .join(listed, on="job_id", how="left", maintain_order="left")
        .join(complete, on="job_id", how="left", maintain_order="left")
        .select("source_id", "content_hash", "newest_hash", "previous_hash", "newest_at", "detailed_at")
    )
    return [
        source_id
        for source_id, content_hash, newest_hash, previous_hash, newest_at, detailed_at in rows.iter_rows()
        if newest_hash is None
        or detailed_at is None
        or detailed_at < newest_at
        or not (content_hash == newest_hash or is_restated(newest_hash, content_hash, after=previous_hash))
    ]


def vanished(lake: Lake, items: pl.DataFrame) -> list[str]:
    """Ids of open vacancies that a walk over everything did not meet, longest unseen first: they may have ended."""
    archived = (
        lake.scan("bronze", HH_POSTINGS)
        .group_by("job_id")
        .agg(pl.col("is_archived").sort_by("seen_at").last())
        .filter(pl.col("is_archived"))
        .collect()
    )
    missing = (
        open_jobs(lake, SOURCE)
        .join(items.select("job_id"), on="job_id", how="anti")
        .join(archived.select("job_id"), on="job_id", how="anti")
        .sort("seen_at", "job_id")
    )
    return missing["job_id"].str.strip_prefix(f"{SOURCE}:").to_list()


def fetch_details(client: HHClient, vacancy_ids: Iterable[str], *, reading: HHReading) -> Parsed:
    """The details of `vacancy_ids`; `reading` notes which are gone, and that HH stopped answering if it did. A failed
    one is tried again in the next run."""
    bodies: list[tuple[str, bytes]] = []
    n_failed = 0
    for vacancy_id in vacancy_ids:
        try:
            body = client.vacancy(vacancy_id)
        except errors.SourceDisabledError as error:
            reading.statuses.append(f"details stopped: {error}")
            reading.is_disabled = True
            break
        except (errors.QueryError, errors.FetchError):
            n_failed += 1
            continue
        if body is None:
            reading.gone_ids.append(f"{SOURCE}:{vacancy_id}")
        else:
            bodies.append((f"vacancy {vacancy_id}", body))
    if n_failed:
        reading.statuses.append(f"{n_failed} details failed")
    return parse_hh_bodies(bodies)


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


def _walk(client: HHClient, query: HHQuery, *, since: dt.datetime, until: dt.datetime, reading: HHReading) -> None:
    bodies: list[tuple[str, bytes]] = []
    try:
        for number, body in enumerate(client.search(query, since=since, until=until)):
            bodies.append((f"{query.name} page {number}", body))
    finally:
        reading.add(parse_hh_bodies(bodies))
