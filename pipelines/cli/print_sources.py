"""Prints what `jobfeed sources` shows: the state of each source, and what a trial read of one gave."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.ingest.feeds.fetching import FeedReading
from features.schemas.bronze import POSTING_CONTENT
from pipelines.cli.source_status import SourceStatus
from pipelines.cli.terminal import visible


def print_statuses(console: Console, found: Sequence[SourceStatus]) -> None:
    """Prints a line for each source; alarms in yellow."""
    table = Table()
    for name in ("source", "state", "last run", "status", "jobs", "due", "alarm"):
        table.add_column(name, justify="right" if name == "jobs" else "left", overflow="fold")
    for status in found:
        at = f"{status.last_run_at:%Y-%m-%d %H:%M}" if status.last_run_at else "never"
        n_listed = "" if status.n_listed is None else str(status.n_listed)
        told = (status.name, status.state, at, visible(status.last_status)[:200], n_listed, status.due)
        table.add_row(*map(escape, told), f"[yellow]{escape(status.alarm)}[/]" if status.alarm else "")
    console.print(table)


def print_reading(console: Console, reading: FeedReading, *, limit: int) -> None:
    """Prints the result of a trial read: counts, the share of jobs that fill each column, and the first jobs."""
    rows, rejects = reading.parsed.rows, reading.parsed.rejects
    console.print(f"[bold]{escape(reading.name)}[/]: {escape(visible(reading.status))}")
    console.print(f"{rows.height} jobs, {rejects.height} refused, {reading.seconds:.1f} s")
    for reason, n in rejects["reason"].value_counts(sort=True).iter_rows():
        console.print(f"  refused: {escape(visible(reason))} {n}")
    if rows.is_empty():
        return
    filled = {column: rows.height - rows[column].null_count() for column in POSTING_CONTENT}
    table = Table("column", "filled", "first value")
    for column, n in filled.items():
        if n:
            first = visible(str(rows[column].drop_nulls()[0]))
            table.add_row(column, f"{100 * n / rows.height:.0f} %", escape(first[:80]))
    console.print(table)
    for title, company, place in rows.select("title", "company", "location_text").head(limit).iter_rows():
        console.print(f"  {escape(visible(' · '.join(part for part in (title, company, place) if part)))}")
