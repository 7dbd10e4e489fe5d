"""The quarantine: entries that could not be used, each with its reason, kept once however often they are read."""

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from assets.erasing.requests import Erasures
from assets.lake import Lake
from features.schemas.bronze import QUARANTINE
from features.sources.parsed import mask_contacts, rejects

UNREADABLE = "unreadable_file"
UNSUPPORTED = "unsupported_format"
# The refused entries of these sources may hold personal data.
PERSONAL_SOURCES = ("interactions", "users", "resumes", "erasures", "applications", "unsubscribes", "bounces")
_FLUSH_REJECTS = 200_000


def whole_file(reason: str, *, detail: str = "", raw: bytes = b"", entry: str = "file") -> pl.DataFrame:
    """The one reject of a file, or an answer, that can't be used at all.

    `entry` distinguishes answers of one address, because equal rejects are kept once.
    """
    return rejects([(entry, reason, detail, raw)])


@dataclass
class QuarantineBuffer:
    """Collects rejects and stores them in large parts; call `flush` after the last."""

    lake: Lake
    as_of: dt.datetime
    _frames: list[pl.DataFrame] = field(default_factory=list)
    _n_held: int = 0

    def add(self, refused: pl.DataFrame, *, source: str, file: str) -> None:
        """Adds a parser's rejects of a file.

        In personal sources, contacts are masked, in the file's name too, and what names an erased user is left out.
        """
        if refused.is_empty():
            return
        rows = refused.with_columns(
            source=pl.lit(source, pl.String),
            file=pl.lit(file, pl.String),
            seen_at=pl.lit(self.as_of, QUARANTINE.columns["seen_at"]),
        )
        if source in PERSONAL_SOURCES:
            names_erased = self._erasures.name_one(rows["raw"]) | self._erasures.name_one(rows["file"])
            rows = rows.filter(~names_erased).with_columns(mask_contacts(pl.col("file", "raw")))
        self._frames.append(QUARANTINE.conform(rows))
        self._n_held += refused.height
        if self._n_held >= _FLUSH_REJECTS:
            self.flush()

    @cached_property
    def _erasures(self) -> Erasures:
        return Erasures.load(self.lake)

    def flush(self) -> None:
        """Stores the collected rejects whose (source, file, entry, reason) is not stored yet."""
        if self._frames:
            self.lake.append_new("bronze", QUARANTINE, pl.concat(self._frames), within=["source", "file"])
        self._frames, self._n_held = [], 0


def find_quarantined(
    lake: Lake,
    *,
    source: str | None = None,
    reason: str | None = None,
    file: str | None = None,
    since: dt.datetime | None = None,
) -> pl.LazyFrame:
    """The QUARANTINE rows of a source, a reason, a file (or its beginning), last seen at or after `since`."""
    rows = lake.scan("bronze", QUARANTINE)
    for column, value in (("source", source), ("reason", reason)):
        if value is not None:
            rows = rows.filter(pl.col(column) == value)
    if file is not None:
        rows = rows.filter(pl.col("file").str.starts_with(file))
    return rows if since is None else rows.filter(pl.col("seen_at") >= since)


def count_by_reason(found: pl.LazyFrame) -> pl.DataFrame:
    """By source and reason: entries, files, first_at, last_at; the most frequent first."""
    return (
        found.group_by("source", "reason")
        .agg(
            entries=pl.len(),
            files=pl.col("file").n_unique(),
            first_at=pl.col("seen_at").min(),
            last_at=pl.col("seen_at").max(),
        )
        .sort("entries", "source", "reason", descending=[True, False, False])
        .collect()
    )


def newest_entries(found: pl.LazyFrame, *, limit: int) -> pl.DataFrame:
    """The `limit` entries seen last."""
    order = ["seen_at", "source", "file", "entry"]
    return found.sort(order, descending=[True, False, False, False], nulls_last=True).head(limit).collect()
