"""Tables of one file, in which what landed is merged with what is known."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assets.ingest.landing import LandedFile, list_landed
from assets.ingest.landing_run import landing_run
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.table import Table
from features.sources.parsed import Parsed


@dataclass(frozen=True)
class LandedTable:
    """A table of one file, and how landed files of a kind become rows of it.

    `merged` makes one row per key of known and new rows. `retry_at` as in LandingRun.read, `scope` as in list_landed.
    """

    kind: str
    table: Table
    read: Callable[[LandedFile], Iterator[Parsed]]
    merged: Callable[[pl.DataFrame], pl.DataFrame]
    retry_at: Callable[[pl.DataFrame], dt.datetime | None] = lambda _: None
    scope: Callable[[str], str] = lambda _: ""


def merge_landed(
    lake: Lake,
    landing: Path,
    into: LandedTable,
    *,
    as_of: dt.datetime,
    fetched: Mapping[str, pl.DataFrame] | None = None,
    report: RunReport | None = None,
) -> RunReport:
    """Merges the unread files of `landing/<kind>/`, and what was fetched of each source, into the table."""
    kind, table = into.kind, into.table
    report = report or RunReport()
    with landing_run(lake, kind, report, as_of=as_of, source=kind) as run:
        frames = [table.empty()]
        for file, parsed in run.read(
            list_landed(landing, kind, scope=into.scope), into.read, table, retry_at=into.retry_at
        ):
            run.refuse(file, parsed)
            frames.append(parsed.rows)
        rows = {kind: pl.concat(frames), **(fetched or {})}
        known = lake.scan("bronze", table).collect()
        now = into.merged(pl.concat([known, *rows.values()]))
        if not lake.exists("bronze", table.name) or not now.equals(known):
            lake.replace("bronze", table, now)
    fresh = now.join(known, on=list(table.columns), how="anti", nulls_equal=True)
    for source, read_rows in rows.items():
        own = fresh.join(read_rows, on=list(table.columns), how="semi", nulls_equal=True)
        n_new = own.join(known, on=table.key, how="anti").height
        report.of(source).add(n_read=read_rows.height, n_new=n_new, n_changed=own.height - n_new)
    return report
