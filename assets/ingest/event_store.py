"""Interaction events into `lake/bronze/events/date=YYYY-MM-DD/`: each event once, in the part of its day. No counting.

Memory follows the largest day, not the input: blocks that do not fit are spilled to a folder beside the lake's tables.
"""

import datetime as dt
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from assets.lake import Lake
from features.schemas import EVENTS

SPILL_ROWS = 3_000_000
_SPILL_ROW_GROUP = 100_000
_DATE = "date"


@dataclass
class EventBuffer:
    """Collects blocks of EVENTS and then stores each day's new ones. Use it through `event_buffer`."""

    lake: Lake
    erasures: pl.DataFrame
    folder: Path
    spill_rows: int = SPILL_ROWS
    n_read: int = 0
    _blocks: list[pl.DataFrame] = field(default_factory=list)
    _n_buffered: int = 0
    _spilled: list[Path] = field(default_factory=list)

    def add(self, block: pl.DataFrame) -> None:
        """Takes a block in; events of erased users from before their erasure end here."""
        self.n_read += block.height
        kept = without_erased(block, self.erasures, at="occurred_at")
        if kept.is_empty():
            return
        self._blocks.append(kept)
        self._n_buffered += kept.height
        if self._n_buffered >= self.spill_rows:
            self._spill()

    def store(self) -> int:
        """Appends what is new, a part per day; returns how many events that were."""
        if self._spilled and self._blocks:
            self._spill()
        staged = [pl.scan_parquet(path) for path in self._spilled] or [_merged(self._blocks).lazy()]
        self._blocks = []
        dates = pl.concat([frame.select(_DATE).unique() for frame in staged]).unique().sort(_DATE).collect()[_DATE]
        with self.lake.lock(f"bronze/{EVENTS.name}"):
            return sum(self._store_day(day, staged) for day in dates)

    def _store_day(self, day: dt.date, staged: list[pl.LazyFrame]) -> int:
        partition = f"date={day.isoformat()}"
        found = pl.concat([frame.filter(pl.col(_DATE) == day).drop(_DATE).collect() for frame in staged])
        if len(staged) > 1:
            found = found.unique("event_id", keep="first", maintain_order=True)
        parts = sorted((self.lake.folder("bronze", EVENTS.name) / partition).glob("[!.]*.parquet"))
        if parts:
            known = pl.scan_parquet(parts).select("event_id").collect()
            found = found.join(known, on="event_id", how="anti", maintain_order="left")
        self.lake.append("bronze", EVENTS, found.sort("occurred_at", "event_id"), partition=partition)
        return found.height

    def _spill(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{len(self._spilled):05d}.parquet"
        _merged(self._blocks).sort(_DATE, maintain_order=True).write_parquet(
            path, compression="lz4", row_group_size=_SPILL_ROW_GROUP
        )
        self._spilled.append(path)
        self._blocks, self._n_buffered = [], 0


@contextmanager
def event_buffer(lake: Lake, erasures: pl.DataFrame, *, spill_rows: int = SPILL_ROWS) -> Iterator[EventBuffer]:
    """A buffer whose spilled blocks are removed at the end."""
    folder = lake.root / f".tmp-events-{uuid.uuid4().hex}"
    try:
        yield EventBuffer(lake, erasures, folder, spill_rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def without_erased(rows: pl.DataFrame, erasures: pl.DataFrame, *, at: str) -> pl.DataFrame:
    """`rows` without those of users who asked for erasure at or after the time in column `at` (null counts as before).

    A landed file outlives an erasure; what is read from it again must not bring the user back.
    """
    if erasures.is_empty():
        return rows
    requested = erasures.group_by("user_id").agg(pl.col("requested_at").max())
    return (
        rows.join(requested, on="user_id", how="left", maintain_order="left")
        .filter(pl.col("requested_at").is_null() | (pl.col(at) > pl.col("requested_at")))
        .drop("requested_at")
    )


def _merged(blocks: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Blocks as one frame, each event_id once (the first), with the UTC date of each event."""
    return (
        pl.concat([EVENTS.empty(), *blocks])
        .unique("event_id", keep="first", maintain_order=True)
        .with_columns(pl.col("occurred_at").dt.date().alias(_DATE))
    )
