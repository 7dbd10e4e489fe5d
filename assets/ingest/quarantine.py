"""The quarantine: entries that could not be used, with the reason, once each however often they are read."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from assets.lake import Lake
from features.schemas.bronze import QUARANTINE
from features.sources.parsed import REJECTS, Parsed, mask_contacts, rejects
from features.sources.postings import PARSED_POSTINGS

UNREADABLE = "unreadable_file"
UNSUPPORTED = "unsupported_format"
# Of these, what was refused may tell of a person.
PERSONAL_SOURCES = ("interactions", "users", "resumes", "erasures")
_FLUSH_REJECTS = 200_000


def quarantined(refused: pl.DataFrame, *, source: str, file: str, as_of: dt.datetime) -> pl.DataFrame:
    """A parser's rejects as QUARANTINE rows of `source` and `file`; those of people without their contacts, which may
    be in the name of a file too."""
    rows = refused.with_columns(
        source=pl.lit(source, pl.String),
        file=pl.lit(file, pl.String),
        seen_at=pl.lit(as_of, QUARANTINE.columns["seen_at"]),
    )
    if source in PERSONAL_SOURCES:
        rows = rows.with_columns(mask_contacts(pl.col("file", "raw")))
    return QUARANTINE.conform(rows)


def whole_file(reason: str, *, detail: str = "", raw: bytes = b"", entry: str = "file") -> pl.DataFrame:
    """The one reject of a file that can't be read at all."""
    return rejects([(entry, reason, detail, raw)])


def nothing() -> Parsed:
    """No posting, no reject."""
    return Parsed(PARSED_POSTINGS.empty(), REJECTS.empty())


def refusal(reason: str, detail: str = "", raw: bytes = b"", *, entry: str = "file") -> Parsed:
    """No posting, and the one reject of a file or an answer that is refused whole. `entry` tells answers of one address
    apart: the same refusal is kept once."""
    return Parsed(PARSED_POSTINGS.empty(), whole_file(reason, detail=detail, raw=raw, entry=entry))


@dataclass
class QuarantineBuffer:
    """Rejects of the files of one source on their way to the quarantine, of which only so many are held."""

    lake: Lake
    source: str
    as_of: dt.datetime
    _frames: list[pl.DataFrame] = field(default_factory=list)
    _n_held: int = 0

    def add(self, refused: pl.DataFrame, *, file: str) -> None:
        """Takes in a parser's rejects of a file."""
        if refused.is_empty():
            return
        self._frames.append(quarantined(refused, source=self.source, file=file, as_of=self.as_of))
        self._n_held += refused.height
        if self._n_held >= _FLUSH_REJECTS:
            self.flush()

    def flush(self) -> None:
        """Stores what is held; call it after the last."""
        store_quarantined(self.lake, self._frames)
        self._frames, self._n_held = [], 0


def store_quarantined(lake: Lake, frames: Sequence[pl.DataFrame]) -> int:
    """Appends QUARANTINE rows whose (source, file, entry, reason) is not there yet; returns how many were."""
    if not any(frame.height for frame in frames):
        return 0
    key = list(QUARANTINE.key)
    found = pl.concat(frames).unique(key, keep="first", maintain_order=True)
    with lake.lock(f"bronze/{QUARANTINE.name}"):
        known = (
            lake.scan("bronze", QUARANTINE)
            .select(key)
            .join(found.lazy().select("source", "file").unique(), on=["source", "file"], how="semi", nulls_equal=True)
            .collect()
        )
        fresh = found.join(known, on=key, how="anti", nulls_equal=True).sort(key)
        lake.append("bronze", QUARANTINE, fresh)
    return fresh.height


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
