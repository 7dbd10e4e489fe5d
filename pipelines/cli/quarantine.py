"""`jobfeed quarantine`: what could not be used, and why."""

from typing import Annotated

import typer

from pipelines.cli.terminal import out, parse_instant, workspace


def quarantine(
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    file: Annotated[str | None, typer.Option(help="Only of files or addresses that begin so.")] = None,
    since: Annotated[str | None, typer.Option(help="Only seen at or after this date or RFC 3339 instant.")] = None,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Entries to show; 0 for the counts alone.")] = 20,
    raw: Annotated[bool, typer.Option("--raw", help="Show all that is kept of each, personal data too.")] = False,
) -> None:
    """Show what could not be used, and why: counts by source and reason, then the newest entries."""
    from assets.ingest.quarantine import count_by_reason, find_quarantined, newest_entries
    from pipelines.cli.print_quarantine import print_counts, print_entries

    found = find_quarantined(workspace().lake, source=source, reason=reason, file=file, since=parse_instant(since))
    print_counts(out, count_by_reason(found))
    print_entries(out, newest_entries(found, limit=limit), is_raw_shown=raw)
