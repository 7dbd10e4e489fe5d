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
from features.sources.events.validation import FUTURE, NO_RULES, EventRules
from features.sources.parsed import Parsed

SOURCE = "interactions"
FORMATS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".csv", ".parquet")
BLOCKS_AHEAD = 2


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
    """When a file with these rejects is worth reading again: the instant of its earliest event in the future.

    None if there is no such event, or only of a year after 9999.
    """
    written = rejects.filter(pl.col("reason") == FUTURE)["detail"]
    earliest = written.filter(~written.str.starts_with("+")).min()  # a year of more digits begins with a sign
    if not isinstance(earliest, str):
        return None
    return max(dt.datetime.fromisoformat(earliest), as_of + dt.timedelta(microseconds=1))
