"""Prints the quarantine: counts by source and reason, and entries with their control characters escaped."""

import datetime as dt
from typing import Literal

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.ingest.quarantine import PERSONAL_SOURCES
from pipelines.cli.terminal import print_json, print_table, visible

HIDDEN = "(may be personal; --raw shows it)"
_RAW_CHARS = 120


def print_counts(console: Console, found: pl.DataFrame) -> None:
    """Prints what `count_by_reason` returned."""
    if found.is_empty():
        console.print("nothing is in quarantine")
        return
    table = Table(title=f"{found['entries'].sum()} in quarantine", title_justify="left")
    for name in found.columns:
        is_never_cut = name in ("source", "reason")  # they are values for --source and --reason
        justify: Literal["left", "right"] = "right" if name in ("entries", "files") else "left"
        table.add_column(name.replace("_at", ""), justify=justify, no_wrap=is_never_cut)
    for source, reason, entries, files, first_at, last_at in found.iter_rows():
        cells = (visible(source), visible(reason), str(entries), str(files), _minute(first_at), _minute(last_at))
        table.add_row(*map(escape, cells))
    print_table(console, table)


def print_entries(console: Console, found: pl.DataFrame, *, is_raw_shown: bool) -> None:
    """Prints entries one after another. Their raw content is cut, and hidden where it may be personal, unless
    `is_raw_shown`."""
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


def print_as_json(console: Console, counts: pl.DataFrame, entries: pl.DataFrame, *, is_raw_shown: bool) -> None:
    """Prints both. The raw content is left out where it may be personal, unless `is_raw_shown`."""
    if not is_raw_shown:
        raw = pl.when(~pl.col("source").is_in(PERSONAL_SOURCES)).then(pl.col("raw").str.slice(0, _RAW_CHARS))
        entries = entries.with_columns(raw=raw)
    print_json(console, {"counts": counts.to_dicts(), "entries": entries.to_dicts()})


def _minute(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
