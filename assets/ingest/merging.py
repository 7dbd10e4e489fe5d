"""Tables of one file, in which what landed is merged with what is known."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from assets.ingest.landing import LandedFile, list_landed
from assets.ingest.landing_run import landing_run
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.table import Table
from features.sources.parsed import Parsed


def merge_landed(
    lake: Lake,
    landing: Path,
    kind: str,
    table: Table,
    read: Callable[[LandedFile], Iterator[Parsed]],
    merged: Callable[[pl.DataFrame], pl.DataFrame],
    *,
    as_of: dt.datetime,
    retry_at: Callable[[pl.DataFrame], dt.datetime | None] = lambda _: None,
) -> RunReport:
    """Merges the unread files of `landing/<kind>/` into the table.

    `merged` makes one row per key of known and new rows. `retry_at` as in LandingRun.read.
    """
    report = RunReport()
    with landing_run(lake, kind, report, as_of=as_of, source=kind) as run:
        frames = [table.empty()]
        for file, parsed in run.read(list_landed(landing, kind), read, table, retry_at=retry_at):
            run.refuse(file, parsed)
            frames.append(parsed.rows)
        rows = pl.concat(frames)
        known = lake.scan("bronze", table).collect()
        now = merged(pl.concat([known, rows]))
        if not lake.exists("bronze", table.name) or not now.equals(known):
            lake.replace("bronze", table, now)
    fresh = now.join(known, on=list(table.columns), how="anti", nulls_equal=True)
    n_new = fresh.join(known, on=table.key, how="anti").height
    report.of(kind).add(n_read=rows.height, n_new=n_new, n_changed=fresh.height - n_new)
    return report
