"""Updates catalog/daily_interactions: counts the events of each day by SQL. folding.py sums the days.

A day is counted again only if its events changed or `as_of` cuts it at another instant; its file records both.
"""

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

import duckdb
import polars as pl

from assets.lake import Lake, atomic_path
from assets.sql import query_text
from assets.work_folders import work_folder
from features.interactions import (
    CLOCK_SKEW,
    EVENT_WEIGHTS,
    MAX_DWELL_SECONDS,
    MAX_NOT_RELEVANT_RATING,
    MAX_OPENED_A_MINUTE,
    MIN_RELEVANT_RATING,
    NOT_RELEVANT_WEIGHT,
    RECORDED_WEIGHTS,
    RELEVANT_WEIGHT,
)
from features.schemas.bronze import EVENTS
from features.schemas.catalog import DAILY_INTERACTIONS, DAILY_JOB_COUNTS

# Increment it when the same events would be counted differently.
COUNTING_VERSION = "3"
# A fold by increments must know whose days left the period.
DAYS_OUT_OF_RETENTION = dt.timedelta(days=2)
_STAGE = "catalog"
_PREFIX = "date="
# DuckDB writes the file itself, so that a day is never in memory as a whole. Row groups are small and sorted by user,
# so that one range of users can be read without the others.
_COPY = """
copy ({}) to $target (
    format parquet,
    compression zstd,
    compression_level 1,
    row_group_size 16384,
    kv_metadata {{made_of: $made_of, cut_at: $cut_at, last_event_at: $last_event_at, parts: $parts}}
)
"""
_EVENT_WEIGHTS = pl.DataFrame(list((EVENT_WEIGHTS | RECORDED_WEIGHTS).items()), ["event_type", "weight"], orient="row")
_ASKING = Lock()


@dataclass(frozen=True)
class Counted:
    """The result of one run: days in the table, days counted again, and rows in the table."""

    n_days: int
    n_recounted: int
    n_rows: int


def count_days(
    lake: Lake, erasures: pl.DataFrame, *, as_of: dt.datetime, retention_days: int, memory_limit: str
) -> Counted:
    """Brings daily_interactions up to date with bronze/events; a day without events has no file.

    On the day of an erasure request, the user's earlier events are left out here; `fold_days` leaves out earlier days.
    """
    days = event_days(lake)
    oldest = (as_of - dt.timedelta(days=retention_days)).date()
    until = as_of + CLOCK_SKEW
    kept = {day: files for day, files in days.items() if oldest <= day <= until.date()}
    with lake.lock("catalog/daily_interactions"), open_engine(lake, memory_limit) as engine:
        erased = {day: _erasures_of_day(erasures, day) for day in kept}
        due = [day for day, files in sorted(kept.items()) if not _is_counted(lake, day, files, until, erased[day])]
        # One thread per day keeps the cores busier than all threads on one day.
        with ThreadPoolExecutor(share_threads(engine, len(due))) as pool:
            count = partial(_count, engine, lake, until=until)
            list(pool.map(lambda day: count(day, files=kept[day], erasures=erased[day]), due))
        # When a past instant is computed again, later days stay. Days without events are removed.
        readable = oldest - DAYS_OUT_OF_RETENTION
        for table in (DAILY_INTERACTIONS, DAILY_JOB_COUNTS):
            lake.drop_partitions_except(_STAGE, table, (f"{_PREFIX}{day}" for day in days if day >= readable))
    n_rows = int(lake.scan(_STAGE, DAILY_INTERACTIONS).select(pl.len()).collect().item())
    return Counted(n_days=len(kept), n_recounted=len(due), n_rows=n_rows)


def _is_counted(lake: Lake, day: dt.date, files: list[Path], until: dt.datetime, erasures: pl.DataFrame) -> bool:
    """True if the day's file was made from the same events, cut at the same instant."""
    before = _made_of(day_file(lake, day))
    if before.get("made_of") != _fingerprint(files, erasures):
        return False
    return before["cut_at"] == min(until, dt.datetime.fromisoformat(before["last_event_at"])).isoformat()


def _count(
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    day: dt.date,
    *,
    files: list[Path],
    until: dt.datetime,
    erasures: pl.DataFrame,
) -> None:
    last_at = pl.scan_parquet(files, glob=False).select(pl.col("occurred_at").max()).collect().item() or until
    parameters = {
        "files": [str(path) for path in files],
        "day": day,
        "until": until,
        "max_dwell_seconds": MAX_DWELL_SECONDS,
        "applied": EVENT_WEIGHTS["apply"],
        "relevant": RELEVANT_WEIGHT,
        "not_relevant": NOT_RELEVANT_WEIGHT,
        "min_relevant_rating": MIN_RELEVANT_RATING,
        "max_not_relevant_rating": MAX_NOT_RELEVANT_RATING,
        "max_opened_a_minute": MAX_OPENED_A_MINUTE,
        "made_of": _fingerprint(files, erasures),
        "cut_at": min(until, last_at).isoformat(),
        "last_event_at": last_at.isoformat(),
        "parts": json.dumps([path.name for path in files]),
    }
    with cursor_of(engine) as cursor, atomic_path(day_file(lake, day)) as temporary:
        cursor.register("event_weights", _EVENT_WEIGHTS)
        cursor.register("erasures", erasures)
        cursor.execute(_COPY.format(query_text("catalog/daily_interactions")), {**parameters, "target": str(temporary)})
        DAILY_INTERACTIONS.validate(pl.scan_parquet(temporary, glob=False))
        # Before the day's file, which says that the day is counted.
        of_jobs = cursor.sql(query_text("catalog/daily_job_counts"), params={"file": str(temporary)}).pl()
        lake.replace_partition(_STAGE, DAILY_JOB_COUNTS, f"{_PREFIX}{day}", DAILY_JOB_COUNTS.conform(of_jobs))


def cursor_of(engine: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection of the thread's own. A busy connection refuses a second call, also two threads that ask for this."""
    with _ASKING:
        return engine.cursor()


def share_threads(engine: duckdb.DuckDBPyConnection, n_queries: int) -> int:
    """The number of queries to run at a time; each gets its share of the cores."""
    n_cores = len(os.sched_getaffinity(0))
    n_at_once = max(1, min(n_queries, n_cores))
    engine.execute(f"set threads = {max(1, n_cores // n_at_once)}")
    return n_at_once


def counted_days(lake: Lake, *, as_of: dt.datetime, retention_days: int) -> dict[dt.date, Path]:
    """The files of the days within retention, up to `as_of`."""
    oldest, newest = (as_of - dt.timedelta(days=retention_days)).date(), (as_of + CLOCK_SKEW).date()
    days = {
        dt.date.fromisoformat(path.stem.removeprefix(_PREFIX)): path
        for path in lake.files(_STAGE, DAILY_INTERACTIONS.name)
    }
    return {day: path for day, path in days.items() if oldest <= day <= newest}


def day_file(lake: Lake, day: dt.date) -> Path:
    """Where the counts of a day lie."""
    return lake.folder(_STAGE, DAILY_INTERACTIONS.name) / f"{_PREFIX}{day}.parquet"


def event_days(lake: Lake) -> dict[dt.date, list[Path]]:
    """The files of events of each UTC day."""
    days: dict[dt.date, list[Path]] = {}
    for path in lake.files("bronze", EVENTS.name):
        folder = path.parent.name
        if folder.startswith(_PREFIX):
            days.setdefault(dt.date.fromisoformat(folder.removeprefix(_PREFIX)), []).append(path)
    return days


def _erasures_of_day(erasures: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """The newest request of each user whose newest was made on `day`."""
    newest = erasures.group_by("user_id").agg(pl.col("requested_at").max())
    return newest.filter(pl.col("requested_at").dt.date() == day).sort("user_id")


def _fingerprint(files: list[Path], erasures: pl.DataFrame) -> str:
    # Parts are named by their content: names and sizes show a change without reading a row.
    described = "\n".join(f"{path.name} {path.stat().st_size}" for path in sorted(files)) + repr(erasures.rows())
    return hashlib.blake2b(f"{COUNTING_VERSION}\n{described}".encode(), digest_size=16).hexdigest()


def _made_of(path: Path) -> Mapping[str, str]:
    return pl.read_parquet_metadata(path) if path.exists() else {}


@contextmanager
def open_engine(lake: Lake, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills into a folder of its own in the lake."""
    with (
        work_folder(spill_folders(lake)) as folder,
        duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": str(folder)}) as engine,
    ):
        yield engine


def spill_folders(lake: Lake) -> Path:
    """Where the spill folders of engines lie, see work_folders.py: what they hold names users."""
    return lake.root / ".duckdb"
