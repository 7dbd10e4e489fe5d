"""Collects parsed postings and stores them in few, large parts: versions, sightings, rejects and counts."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import polars as pl

from assets.ingest.jobs.postings import seen, sighted, store_sightings
from assets.ingest.quarantine import QuarantineBuffer
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.table import Table
from features.sources.parsed import Parsed, rejects
from features.text.normalise import one_line

FLUSH_ROWS = 100_000
FLUSH_BYTES = 50_000_000
_NAMES_SOMETHING = r"[\p{L}\p{N}]"
_PLAIN_TITLE = r"^[^<&]*[[\p{L}\p{N}]--\p{Default_Ignorable_Code_Point}][^<&]*$"


@dataclass
class PostingWriter:
    """Collects parsed postings; `store` is store_fetched or store_replayed. Call `flush` at the end.

    Flush before a manifest or a source's state is saved: a run that dies in between then only reads again.
    """

    lake: Lake
    table: Table
    store: Callable[[Lake, Table, pl.DataFrame], pl.DataFrame]
    report: RunReport
    as_of: dt.datetime
    _rows: list[pl.DataFrame] = field(default_factory=list)
    _sightings: list[pl.DataFrame] = field(default_factory=list)
    _n_held: int = 0
    _n_bytes: int = 0

    def __post_init__(self) -> None:
        self._refused = QuarantineBuffer(self.lake, self.as_of)

    def add(self, parsed: Parsed, *, source: str, origin: str) -> None:
        """Adds what was read in `origin`. Rejects count for `source`, rows for the source that they name.

        A posting whose title is empty once it is cleaned is refused, as one without a title.
        """
        parsed = _with_titles(parsed)
        self.report.add_rejects(source, parsed.rejects)
        self._refused.add(parsed.rejects, source=source, file=origin)
        if parsed.rows.height:
            self._rows.append(seen(parsed.rows, origin=origin, as_of=self.as_of))
        self._n_held += parsed.rows.height + parsed.rejects.height
        self._n_bytes += int(parsed.rows.estimated_size() + parsed.rejects.estimated_size())
        if self._n_held >= FLUSH_ROWS or self._n_bytes >= FLUSH_BYTES:
            self.flush()

    def add_sightings(self, sightings: pl.DataFrame) -> None:
        """Adds sightings beyond those of the rows: ends, and jobs that a source says are still there."""
        self._sightings.append(sightings)

    def flush(self) -> None:
        """Stores the collected rows, sightings and rejects."""
        if self._rows:
            rows = pl.concat(self._rows)
            for source, n_read, n_new, n_changed in self.store(self.lake, self.table, rows).iter_rows():
                self.report.of(source).add(n_read=n_read, n_new=n_new, n_changed=n_changed)
            self._sightings.append(sighted(rows))
        if self._sightings:
            store_sightings(self.lake, pl.concat(self._sightings))
        self._refused.flush()
        self._rows, self._sightings, self._n_held, self._n_bytes = [], [], 0, 0


def _with_titles(parsed: Parsed) -> Parsed:
    titles = parsed.rows["title"]
    # Most titles have a letter or a digit and no markup; the exact cleaning is for the others.
    doubtful = parsed.rows.with_row_index("row").filter(~titles.str.contains(_PLAIN_TITLE).fill_null(value=False))
    cleaned = one_line(doubtful["title"])
    empty = doubtful.filter(~cleaned.str.contains(_NAMES_SOMETHING).fill_null(value=False))
    if empty.is_empty():
        return parsed
    refused = rejects(
        (source_id or "", "missing_title", "", repr(title))
        for source_id, title in empty.select("source_id", "title").iter_rows()
    )
    kept = parsed.rows.with_row_index("row").join(empty.select("row"), on="row", how="anti", maintain_order="left")
    return replace(parsed, rows=kept.drop("row"), rejects=pl.concat([parsed.rejects, refused]))
