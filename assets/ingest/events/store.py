"""Stores interaction events in `lake/bronze/events/date=YYYY-MM-DD/`: each event_id once, in a part of its day.

Memory follows the size of a chunk, not of the log or of a day. A chunk is compared with the lake by the 64-bit hashes
of event_ids, which the lake keeps in a column. The ids themselves are compared only where hashes are equal.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import xxhash

from assets.erasing.requests import Erasures
from assets.lake import Lake
from assets.parts import current_parts
from features.schemas.bronze import EVENTS

CHUNK_ROWS = 2_000_000
PARTS_OF_A_DAY = 16
_MAX_BYTES_OF_A_DAY = 512 * 1024**2  # compaction holds a whole day in memory; larger days have large parts anyway
_DATE = "date"
_PATH = "path"
_HASH = "event_hash"


@dataclass
class EventStore:
    """Collects blocks of EVENTS and stores them in chunks; call `flush` after the last block.

    If two events share an event_id, the one that was read first stays, whatever their days.
    """

    lake: Lake
    erasures: Erasures
    chunk_rows: int = CHUNK_ROWS
    n_read: int = 0
    n_new: int = 0
    _blocks: list[pl.DataFrame] = field(default_factory=list)
    _n_held: int = 0

    def add(self, block: pl.DataFrame) -> None:
        """Adds a block; events of erased users from before their erasure are dropped."""
        self.n_read += block.height
        kept = self.erasures.without_erased(block, at="occurred_at")
        if kept.is_empty():
            return
        self._blocks.append(kept)
        self._n_held += kept.height
        if self._n_held >= self.chunk_rows:
            self.flush()

    def flush(self) -> None:
        """Appends the new events of the collected blocks, one part per day."""
        if not self._blocks:
            return
        chunk = pl.concat(self._blocks)
        self._blocks, self._n_held = [], 0
        hashed = _first_of_each(chunk.with_columns(_hashes(chunk["event_id"]).alias(_HASH)))
        with self.lake.lock(f"bronze/{EVENTS.name}"):
            known = self._known(hashed)
            new = hashed if known.is_empty() else hashed.join(known, on="event_id", how="anti", maintain_order="left")
            for day, events in _by_day(new.sort("occurred_at", "event_id")):
                self.lake.append("bronze", EVENTS, events, partition=f"{_DATE}={day}")
        self.n_new += new.height

    def _known(self, events: pl.DataFrame) -> pl.DataFrame:
        """The event_ids of `events` that are in the lake. Only parts with an equal hash are read for their ids."""
        parts = self.lake.files("bronze", EVENTS.name)
        if not parts:
            return events.select("event_id").clear()
        wanted = events.lazy().select(_HASH)
        met = (
            pl.scan_parquet(parts, include_file_paths=_PATH, hive_partitioning=False, glob=False)
            .select(_HASH, _PATH)
            .join(wanted, on=_HASH, how="semi")
            .collect(engine="streaming")
        )
        if met.is_empty():
            return events.select("event_id").clear()
        return (
            pl.scan_parquet(met[_PATH].unique().sort().to_list(), hive_partitioning=False, glob=False)
            .select("event_id", _HASH)
            .join(met.lazy().select(_HASH), on=_HASH, how="semi")
            .select("event_id")
            .collect(engine="streaming")
        )


def compact_days(lake: Lake, *, before: dt.date, more_than: int = PARTS_OF_A_DAY) -> int:
    """Merges the parts of each day before `before` that has over `more_than`; returns the number of days.

    Runs every 15 minutes leave a hundred parts a day, and each comparison of event_ids opens all of them.
    """
    n_days = 0
    for folder in sorted(lake.folder("bronze", EVENTS.name).glob(f"{_DATE}=*")):
        parts = current_parts(folder)
        is_due = len(parts) > more_than and dt.date.fromisoformat(folder.name.removeprefix(f"{_DATE}=")) < before
        if is_due and sum(part.stat().st_size for part in parts) <= _MAX_BYTES_OF_A_DAY:
            lake.compact("bronze", EVENTS, more_than=more_than, partition=folder.name)
            n_days += 1
    return n_days


def _by_day(events: pl.DataFrame) -> Iterator[tuple[dt.date, pl.DataFrame]]:
    """The events of each day; `events` are in order of time."""
    first = 0
    for n_rows, day in events["occurred_at"].dt.date().rle().struct.unnest().iter_rows():
        yield day, events.slice(first, n_rows)
        first += n_rows


def _first_of_each(events: pl.DataFrame) -> pl.DataFrame:
    """The first event of each event_id. Ids are compared only where hashes are equal."""
    in_order = np.sort(events[_HASH].to_numpy())
    repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    if not len(repeated):
        return events
    shares_hash = events[_HASH].is_in(pl.Series(repeated).implode())
    is_first = events.filter(shares_hash)["event_id"].is_first_distinct()
    return events.filter((~shares_hash).scatter(shares_hash.arg_true(), is_first))


def _hashes(event_ids: pl.Series) -> pl.Series:
    """XXH3 of each id. Unlike Polars' own hash, it is equal on every machine and in every version."""
    as_bytes = event_ids.cast(pl.Binary).to_list()
    return pl.Series(np.fromiter(map(xxhash.xxh3_64_intdigest, as_bytes), dtype=np.uint64, count=len(as_bytes)))
