"""Files of application events from landing/ to bronze. A file with events in the future is read again later."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from assets.erasing.requests import Erasures
from assets.ingest.events.ingest import retry_at
from assets.ingest.jobs.ingest import MAX_WHOLE_FILE_BYTES, MEMORY_BYTES, in_worker
from assets.ingest.landing import LandedFile, list_landed
from assets.ingest.landing_run import landing_run, parse_in_blocks
from assets.ingest.report import RunReport
from assets.ingest.worker import Worker
from assets.lake import Lake
from features.schemas.bronze import APPLICATION_LOG
from features.sources.applications.files import parsers
from features.sources.applications.validation import Rules
from features.sources.lines import whole_lines
from features.sources.parsed import Parsed

SOURCE = "applications"
FLUSH_ROWS = 500_000


def ingest_applications(lake: Lake, landing: Path, *, states: Mapping[str, str], as_of: dt.datetime) -> RunReport:
    """Appends the events landed in `landing/applications/` that the lake lacks. An event is new or known, not changed.

    `states`: the state that each word stands for.
    """
    report = RunReport()
    parse = parsers(Rules(states, as_of))
    with (
        landing_run(lake, SOURCE, report, as_of=as_of, source=SOURCE) as run,
        Worker(parse[".parquet"], MEMORY_BYTES) as parquet,
    ):

        def read(file: LandedFile) -> Iterator[Parsed]:
            file.require_format(tuple(parse))
            if file.suffixes.startswith(".jsonl"):
                yield from parse_in_blocks(file.path, parse[".jsonl"], may_grow=file.may_grow)
                return
            body = file.read(max_bytes=MAX_WHOLE_FILE_BYTES, hint=" (JSON lines may be larger)")
            if file.suffixes == ".parquet":
                yield in_worker(parquet, body)
            else:
                yield parse[".csv"](whole_lines(body) if file.may_grow else body)

        erasures = Erasures.load(lake)
        held: list[pl.DataFrame] = []
        pieces = run.read(
            list_landed(landing, SOURCE), read, APPLICATION_LOG, retry_at=lambda refused: retry_at(refused, as_of=as_of)
        )
        for file, parsed in pieces:
            run.refuse(file, parsed)
            held.append(parsed.rows)
            if sum(frame.height for frame in held) >= FLUSH_ROWS:
                _store(lake, pl.concat(held), erasures, report)
                held.clear()
        if held:
            _store(lake, pl.concat(held), erasures, report)
    return report


def _store(lake: Lake, rows: pl.DataFrame, erasures: Erasures, report: RunReport) -> None:
    kept = erasures.without_erased(rows, at="occurred_at")
    fresh, _ = lake.append_new("bronze", APPLICATION_LOG, kept, within=["event_id"])
    report.of(SOURCE).add(n_read=rows.height, n_new=fresh.height)
