"""Reading landed interaction files: each file block by block, each file once unless some of it lay in the future."""

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from assets.ingest.events.store import CHUNK_ROWS, EventStore
from assets.ingest.landing import LandedFile, LandingManifest, list_landed
from assets.ingest.prefetch import ahead
from assets.ingest.quarantine import UNSUPPORTED, QuarantineBuffer, whole_file
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import ERASURES, EVENTS
from features.sources.events.files import read_events
from features.sources.parsed import Parsed

SOURCE = "interactions"
FORMATS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".csv", ".parquet")
FUTURE = "future"
_MILLISECONDS_FROM = 100_000_000_000


def ingest_events(lake: Lake, landing: Path, *, as_of: dt.datetime, chunk_rows: int = CHUNK_ROWS) -> RunReport:
    """Reads the event files landed in `landing/interactions/`; events are new or known, never changed."""
    report = RunReport()
    started = time.perf_counter()
    refused = QuarantineBuffer(lake, SOURCE, as_of)
    with lake.lock("bronze/landing_files/interactions"):
        manifest = LandingManifest.load(lake, "interactions", as_of=as_of)
        store = EventStore(lake, lake.scan("bronze", ERASURES).collect(), chunk_rows)
        for file, parsed in ahead(_read_files(manifest, landing, as_of=as_of)):
            store.add(parsed.rows)
            report.add_rejects(SOURCE, parsed.rejects)
            refused.add(parsed.rejects, file=file.name)
        store.flush()
        refused.flush()
        manifest.save(lake)
    report.add_files(manifest)
    counts = report.of(SOURCE)
    counts.n_read += store.n_read
    counts.n_new += store.n_new
    counts.n_unchanged += store.n_read - store.n_new
    counts.seconds += time.perf_counter() - started
    return report


def _read_files(manifest: LandingManifest, landing: Path, *, as_of: dt.datetime) -> Iterator[tuple[LandedFile, Parsed]]:
    """Blocks of the files that were not read yet; a file is recorded as it ends."""
    for file, digest in manifest.unread(list_landed(landing, manifest.kind)):
        n_rows, n_rejects, again_at = 0, 0, None
        for parsed in _read(file, as_of=as_of):
            n_rows, n_rejects = n_rows + parsed.rows.height, n_rejects + parsed.rejects.height
            if parsed.rejects.height:
                again_at = _earlier(again_at, retry_at(parsed.rejects, as_of=as_of))
            yield file, parsed
        manifest.record(file, digest, n_rows=n_rows, n_rejects=n_rejects, retry_at=again_at)


def retry_at(rejects: pl.DataFrame, *, as_of: dt.datetime) -> dt.datetime | None:
    """When a file with these rejects is worth reading again: when its first event that lies in the future has come.

    None if it has none. Where the time can't be told from the raw event, at any later run.
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
    dates = found.select(pl.coalesce("iso", built, pl.from_epoch(seconds).dt.date())).to_series()
    later = as_of + dt.timedelta(microseconds=1)
    earliest = dates.min()
    if dates.null_count() or not isinstance(earliest, dt.date):
        return later
    # A day before: a date is written in its own zone.
    return max(dt.datetime.combine(earliest, dt.time(), dt.UTC) - dt.timedelta(days=1), later)


def _read(file: LandedFile, *, as_of: dt.datetime) -> Iterator[Parsed]:
    if file.suffixes in FORMATS:
        return read_events(file.path, as_of=as_of)
    detail = f"{file.suffixes or 'no suffix'}; expected one of {', '.join(FORMATS)}"
    return iter([Parsed(EVENTS.empty(), whole_file(UNSUPPORTED, detail=detail))])


def _earlier(one: dt.datetime | None, other: dt.datetime | None) -> dt.datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
