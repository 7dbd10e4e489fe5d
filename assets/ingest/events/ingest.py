"""Interaction files from landing/ to bronze, block by block. A file with events in the future is read again later."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from assets.ahead import ahead
from assets.erasing.requests import Erasures
from assets.ingest.events.store import CHUNK_ROWS, EventStore
from assets.ingest.landing import LandedFile, list_landed
from assets.ingest.landing_run import landing_run
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import EVENTS
from features.sources.events.files import read_events
from features.sources.events.validation import NO_RULES, EventRules
from features.sources.parsed import Parsed

SOURCE = "interactions"
FORMATS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".csv", ".parquet")
FUTURE = "future"
BLOCKS_AHEAD = 2
_MILLISECONDS_FROM = 100_000_000_000


def ingest_events(
    lake: Lake, landing: Path, *, as_of: dt.datetime, chunk_rows: int = CHUNK_ROWS, rules: EventRules = NO_RULES
) -> RunReport:
    """Reads the event files landed in `landing/interactions/`. An event is new or known, never changed."""
    report = RunReport()

    def parse(file: LandedFile) -> Iterator[Parsed]:
        file.require_format(FORMATS)
        yield from read_events(file.path, as_of=as_of, may_grow=file.may_grow, rules=rules)

    with landing_run(lake, SOURCE, report, as_of=as_of, source=SOURCE) as run:
        store = EventStore(lake, Erasures.load(lake), chunk_rows)
        pieces = run.read(
            list_landed(landing, SOURCE), parse, EVENTS, retry_at=lambda rejects: retry_at(rejects, as_of=as_of)
        )
        for file, parsed in ahead(pieces, n=BLOCKS_AHEAD):
            store.add(parsed.rows)
            run.refuse(file, parsed)
        store.flush()
    report.of(SOURCE).add(n_read=store.n_read, n_new=store.n_new)
    return report


def retry_at(rejects: pl.DataFrame, *, as_of: dt.datetime) -> dt.datetime | None:
    """When a file with these rejects is worth reading again: the date of its earliest event in the future.

    None if there is no such event. If a raw event shows no time, every later run reads the file again.
    """
    raw = rejects.filter(pl.col("reason") == FUTURE)["raw"]
    if raw.is_empty():
        return None
    found = raw.to_frame("raw").select(
        pl.col("raw")
        .str.extract(r"(?:occurred_at|timestamp)\W+(\d{4}-\d\d-\d\d)")
        .str.to_date(strict=False)
        .alias("iso"),
        pl.col("raw")
        .str.extract_groups(r"'occurred_at': datetime\.datetime\((?<year>\d+), (?<month>\d+), (?<day>\d+)")
        .alias("built"),
        pl.col("raw").str.extract(r"occurred_at\W+(\d{10,13})(?:\D|$)").cast(pl.Int64).alias("epoch"),
    )
    built = pl.date(*(pl.col("built").struct.field(part).cast(pl.Int32) for part in ("year", "month", "day")))
    epoch = pl.col("epoch")
    seconds = pl.when(epoch >= _MILLISECONDS_FROM).then(epoch // 1000).otherwise(epoch)
    written = found.select(pl.coalesce("iso", built, pl.from_epoch(seconds).dt.date())).to_series()
    # An earlier date is that of another field.
    dates = written.set(written < as_of.date() - dt.timedelta(days=1), None)
    later = as_of + dt.timedelta(microseconds=1)
    earliest = dates.min()
    if dates.null_count() or not isinstance(earliest, dt.date):
        return later
    # A day earlier, because a date is written in its own time zone.
    return max(dt.datetime.combine(earliest, dt.time(), dt.UTC) - dt.timedelta(days=1), later)
