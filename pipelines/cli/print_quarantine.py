"""What the terminal shows of the quarantine: counts by source and reason, and entries made harmless. Writes nothing."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.ingest.quarantine import PERSONAL_SOURCES
from assets.lake import Lake
from features.schemas.bronze import QUARANTINE

HIDDEN = "(may be personal; --raw shows it)"
_RAW_CHARS, _CELL_CHARS = 120, 60


@dataclass(frozen=True)
class Wanted:
    """Which entries: of a source, a reason, a file (or its beginning), seen at or after `since`."""

    source: str | None = None
    reason: str | None = None
    file: str | None = None
    since: dt.datetime | None = None


def find_quarantined(lake: Lake, wanted: Wanted) -> pl.LazyFrame:
    """The QUARANTINE rows that are wanted."""
    rows = lake.scan("bronze", QUARANTINE)
    for column, value in (("source", wanted.source), ("reason", wanted.reason)):
        if value is not None:
            rows = rows.filter(pl.col(column) == value)
    if wanted.file is not None:
        rows = rows.filter(pl.col("file").str.starts_with(wanted.file))
    return rows if wanted.since is None else rows.filter(pl.col("seen_at") >= wanted.since)


def summary(found: pl.LazyFrame) -> pl.DataFrame:
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


def newest(found: pl.LazyFrame, *, limit: int) -> pl.DataFrame:
    """The `limit` entries seen last."""
    order = ["seen_at", "source", "file", "entry"]
    return found.sort(order, descending=[True, False, False, False], nulls_last=True).head(limit).collect()


def print_summary(console: Console, found: pl.DataFrame) -> None:
    """Prints what `summary` gave."""
    if found.is_empty():
        console.print("nothing is in quarantine")
        return
    table = Table(title=f"{found['entries'].sum()} in quarantine", title_justify="left")
    for name in found.columns:
        is_wanted_whole = name in ("source", "reason")  # what --source and --reason take
        justify: Literal["left", "right"] = "right" if name in ("entries", "files") else "left"
        table.add_column(name.replace("_at", ""), justify=justify, no_wrap=is_wanted_whole)
    for source, reason, entries, files, first_at, last_at in found.iter_rows():
        cells = (visible(source), visible(reason), str(entries), str(files), _minute(first_at), _minute(last_at))
        table.add_row(*map(escape, cells))
    console.print(table)


def print_entries(console: Console, found: pl.DataFrame, *, is_raw_shown: bool) -> None:
    """Prints entries, one after another: with `is_raw_shown` all that is kept of them, else the beginning, and of what
    may be personal nothing."""
    for row in found.iter_rows(named=True):
        where = " · ".join(visible(row[name] or "") for name in ("source", "file", "entry"))
        detail = f": {visible(row['detail'])}" if row["detail"] else ""
        console.print(f"[bold]{escape(visible(row['reason']))}[/]{escape(detail)}", soft_wrap=True)
        console.print(f"  {escape(where)} · {_minute(row['seen_at'])}", soft_wrap=True, highlight=False)
        raw = row["raw"] or ""
        if not is_raw_shown and row["source"] in PERSONAL_SOURCES and raw:
            console.print(f"  [dim]{escape(HIDDEN)}[/]")
        elif raw:
            shown = visible(raw if is_raw_shown else raw[:_RAW_CHARS])
            cut = "" if is_raw_shown or len(raw) <= _RAW_CHARS else " …"
            console.print(f"  {escape(shown)}{cut}", soft_wrap=True, highlight=False)


def visible(text: str) -> str:
    """`text` on one line, with what steers a terminal or turns the direction of writing shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _minute(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
