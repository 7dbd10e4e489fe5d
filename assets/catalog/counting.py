"""Keeps catalog/daily_interactions and folds it: runs the SQL of sql/catalog over the lake's files, a day at a time.

A day is counted again only when its events changed or `as_of` cuts it elsewhere; its file says what it was made of.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from assets.lake import Lake, atomic_path, write_parquet
from assets.sql import query_text
from features.interactions import (
    CLOCK_SKEW,
    EVENT_WEIGHTS,
    MAX_DWELL_SECONDS,
    MAX_NOT_RELEVANT_RATING,
    MAX_OPENED_A_MINUTE,
    MIN_RELEVANT_RATING,
    NOT_RELEVANT_WEIGHT,
    RELEVANT_WEIGHT,
)
from features.schemas import DAILY_INTERACTIONS, EVENTS, INTERACTIONS

# Raise it when the same events would be counted differently.
COUNTING_VERSION = "2"
_LAYER = "catalog"
_PREFIX = "date="
# Written by DuckDB itself: a day is never held whole.
_COPY = """
copy ({}) to $target (
    format parquet,
    compression zstd,
    kv_metadata {{made_of: $made_of, cut_at: $cut_at, last_event_at: $last_event_at}}
)
"""


@dataclass(frozen=True)
class Counted:
    """What one run did: days in the table, of which counted anew, and rows in those."""

    n_days: int
    n_recounted: int
    n_rows: int


def count_days(
    lake: Lake, erasures: pl.DataFrame, *, as_of: dt.datetime, retention_days: int, memory_limit: str
) -> Counted:
    """Brings daily_interactions up to date with bronze/events; a day without events has no file.

    Of the day on which a user asked to be erased, what came before is left out; of earlier days the fold leaves it out.
    """
    days = _event_days(lake)
    oldest = (as_of - dt.timedelta(days=retention_days)).date()
    until = as_of + CLOCK_SKEW
    kept = {day: files for day, files in days.items() if oldest <= day <= until.date()}
    with lake.lock("catalog/daily_interactions"), _engine(lake, memory_limit) as engine:
        engine.register(
            "event_weights", pl.DataFrame(list(EVENT_WEIGHTS.items()), ["event_type", "weight"], orient="row")
        )
        recounted = [
            day
            for day in sorted(kept)
            if _recount(engine, lake, day, files=kept[day], until=until, erasures=_of_day(erasures, day))
        ]
        # Days after as_of stay for the present when the past is replayed; what has no events left goes.
        lake.drop_partitions_except(_LAYER, DAILY_INTERACTIONS, (f"{_PREFIX}{day}" for day in days if day >= oldest))
    n_rows = int(lake.scan(_LAYER, DAILY_INTERACTIONS).select(pl.len()).collect().item())
    return Counted(n_days=len(kept), n_recounted=len(recounted), n_rows=n_rows)


def fold_days(lake: Lake, erasures: pl.DataFrame, *, as_of: dt.datetime, retention_days: int, memory_limit: str) -> int:
    """Replaces catalog/interactions by the sums of the kept days up to `as_of`; returns its number of rows."""
    oldest = (as_of - dt.timedelta(days=retention_days)).date()
    until = as_of + CLOCK_SKEW
    files = [
        path
        for path in lake.files(_LAYER, DAILY_INTERACTIONS.name)
        if oldest <= dt.date.fromisoformat(path.stem.removeprefix(_PREFIX)) <= until.date()
    ]
    target = lake.file(_LAYER, INTERACTIONS.name)
    if not files:
        write_parquet(INTERACTIONS.empty(), target)
        return 0
    latest = erasures.group_by("user_id").agg(pl.col("requested_at").max()).sort("user_id")
    with _engine(lake, memory_limit) as engine:
        engine.register("erasures", latest)
        parameters = {"files": [str(path) for path in files], "until": until, "saved": EVENT_WEIGHTS["save"]}
        with atomic_path(target) as temporary:
            engine.sql(query_text("catalog/interactions"), params=parameters).write_parquet(
                str(temporary), compression="zstd"
            )
    folded = pl.scan_parquet(target)
    INTERACTIONS.validate(folded)
    return int(folded.select(pl.len()).collect().item())


def _recount(
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    day: dt.date,
    *,
    files: list[Path],
    until: dt.datetime,
    erasures: pl.DataFrame,
) -> bool:
    """Counts one day unless its file was made of the same events, cut at the same instant; says whether it did."""
    target = lake.folder(_LAYER, DAILY_INTERACTIONS.name) / f"{_PREFIX}{day}.parquet"
    made_of = _fingerprint(files, erasures)
    before = _made_of(target)
    if before.get("made_of") == made_of:
        last_at = dt.datetime.fromisoformat(before["last_event_at"])
        if before["cut_at"] == min(until, last_at).isoformat():
            return False
    last_at = pl.scan_parquet(files).select(pl.col("occurred_at").max()).collect().item() or until
    parameters = {
        "files": [str(path) for path in files],
        "day": day,
        "until": until,
        "max_dwell_seconds": MAX_DWELL_SECONDS,
        "relevant": RELEVANT_WEIGHT,
        "not_relevant": NOT_RELEVANT_WEIGHT,
        "min_relevant_rating": MIN_RELEVANT_RATING,
        "max_not_relevant_rating": MAX_NOT_RELEVANT_RATING,
        "max_opened_a_minute": MAX_OPENED_A_MINUTE,
        "made_of": made_of,
        "cut_at": min(until, last_at).isoformat(),
        "last_event_at": last_at.isoformat(),
    }
    engine.register("erasures", erasures)
    with atomic_path(target) as temporary:
        engine.execute(_COPY.format(query_text("catalog/daily_interactions")), {**parameters, "target": str(temporary)})
        DAILY_INTERACTIONS.validate(pl.scan_parquet(temporary))
    return True


def _event_days(lake: Lake) -> dict[dt.date, list[Path]]:
    days: dict[dt.date, list[Path]] = {}
    for path in lake.files("bronze", EVENTS.name):
        folder = path.parent.name
        if folder.startswith(_PREFIX):
            days.setdefault(dt.date.fromisoformat(folder.removeprefix(_PREFIX)), []).append(path)
    return days


def _of_day(erasures: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """The newest request of each user whose newest was made on `day`."""
    newest = erasures.group_by("user_id").agg(pl.col("requested_at").max())
    return newest.filter(pl.col("requested_at").dt.date() == day).sort("user_id")


def _fingerprint(files: list[Path], erasures: pl.DataFrame) -> str:
    # Parts are named by their content, so names and sizes tell a change without reading a row.
    described = "\n".join(f"{path.name} {path.stat().st_size}" for path in sorted(files)) + repr(erasures.rows())
    return hashlib.blake2b(f"{COUNTING_VERSION}\n{described}".encode(), digest_size=16).hexdigest()


def _made_of(path: Path) -> Mapping[str, str]:
    return pl.read_parquet_metadata(path) if path.exists() else {}


def _engine(lake: Lake, memory_limit: str) -> duckdb.DuckDBPyConnection:
    folder = lake.root / ".duckdb"
    folder.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": str(folder)})
