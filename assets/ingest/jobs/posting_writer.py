"""Collects what was read of postings and stores it in few, large parts: versions, sightings, rejects, counts."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from assets.ingest.jobs.postings import seen, sighted, store_sightings
from assets.ingest.quarantine import quarantined, store_quarantined
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.table import Table
from features.sources.parsed import Parsed

FLUSH_ROWS = 100_000
FLUSH_BYTES = 50_000_000


@dataclass
class PostingWriter:
    """Takes parsed postings; `store` is store_fetched or store_replayed. Call `flush` at the end.

    Everything is stored before a manifest or a source's state is: a run that dies in between only reads again.
    """

    lake: Lake
    table: Table
    store: Callable[[Lake, Table, pl.DataFrame], pl.DataFrame]
    report: RunReport
    as_of: dt.datetime
    _rows: list[pl.DataFrame] = field(default_factory=list)
    _refused: list[pl.DataFrame] = field(default_factory=list)
    _sightings: list[pl.DataFrame] = field(default_factory=list)
    _n_held: int = 0
    _n_bytes: int = 0

    def add(self, parsed: Parsed, *, source: str, origin: str) -> None:
        """Takes what was read in `origin`; rejects are counted for `source`, rows for the source that they name."""
        self.report.add_rejects(source, parsed.rejects)
        if parsed.rejects.height:
            self._refused.append(quarantined(parsed.rejects, source=source, file=origin, as_of=self.as_of))
        if parsed.rows.height:
            self._rows.append(seen(parsed.rows, origin=origin, as_of=self.as_of))
        self._n_held += parsed.rows.height + parsed.rejects.height
        self._n_bytes += int(parsed.rows.estimated_size() + parsed.rejects.estimated_size())
        if self._n_held >= FLUSH_ROWS or self._n_bytes >= FLUSH_BYTES:
            self.flush()

    def add_sightings(self, sightings: pl.DataFrame) -> None:
        """Takes sightings beside those of the rows: ends, and jobs that a source says are still there."""
        self._sightings.append(sightings)

    def flush(self) -> None:
        """Stores what is held."""
        if self._rows:
            rows = pl.concat(self._rows)
            self.report.add_outcome(self.store(self.lake, self.table, rows))
            self._sightings.append(sighted(rows))
        if self._sightings:
            store_sightings(self.lake, pl.concat(self._sightings))
        store_quarantined(self.lake, self._refused)
        self._rows, self._refused, self._sightings, self._n_held, self._n_bytes = [], [], [], 0, 0
