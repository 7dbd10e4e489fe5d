"""`jobfeed sources`: lists the sources, reads one as a trial, forgets one."""

import datetime as dt
from dataclasses import asdict
from typing import Annotated

import typer

from pipelines.cli.terminal import (
    AsJson,
    changed_workspace,
    checked_config,
    command_group,
    fail,
    out,
    parse_instant,
    print_json,
    workspace,
)

app = command_group("Where jobs come from: how each source does, a try of one.")


@app.command("list")
def list_sources(as_json: AsJson = False) -> None:
    """List the sources: when each was read, what came of it, when it is due, what is wrong with it."""
    from pipelines.cli.source_status import print_statuses, source_statuses

    lake = workspace().lake
    found = source_statuses(lake, checked_config().sources, now=dt.datetime.now(dt.UTC))
    if as_json:
        print_json(out, [asdict(one) for one in found])
    else:
        print_statuses(out, found)


@app.command("try")
def try_source(
    name: Annotated[str, typer.Argument(help="A feed of sources.yaml, enabled or not.")],
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Jobs to show.")] = 5,
) -> None:
    """Read one feed now, show what it gives, and store nothing."""
    from pipelines.cli.source_status import print_reading, try_feed

    sources = checked_config().sources
    names = sorted(feed.name for feed in sources.feeds)
    if name not in names:
        raise typer.BadParameter(f"{name!r} is no feed of sources.yaml; feeds are {', '.join(names)}")
    reading = try_feed(sources, name, now=dt.datetime.now(dt.UTC))
    print_reading(out, reading, limit=limit)
    if reading.is_failed:
        raise typer.Exit(1)


@app.command("forget")
def forget_source(name: Annotated[str, typer.Argument(help="A feed of sources.yaml.")]) -> None:
    """Forget what is remembered of a feed: that it is gone or moved, and when it was read. Its jobs stay."""
    from assets.ingest.source_state import forget_feed

    with changed_workspace("sources forget") as found:
        is_known = forget_feed(found.lake, name)
    if not is_known:
        fail(f"nothing is remembered of a feed {name!r}")
    out.print(f"{name} is read afresh by the next run")


def quarantine(
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    file: Annotated[str | None, typer.Option(help="Only of files or addresses that begin so.")] = None,
    since: Annotated[str | None, typer.Option(help="Only seen at or after this date or RFC 3339 instant.")] = None,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Entries to show; 0 for the counts alone.")] = 20,
    raw: Annotated[bool, typer.Option("--raw", help="Show all that is kept of each, personal data too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what could not be used, and why: counts by source and reason, then the newest entries."""
    from assets.ingest.quarantine import count_by_reason, find_quarantined, newest_entries
    from pipelines.cli.print_quarantine import print_as_json, print_counts, print_entries

    found = find_quarantined(workspace().lake, source=source, reason=reason, file=file, since=parse_instant(since))
    if as_json:
        print_as_json(out, count_by_reason(found), newest_entries(found, limit=limit), is_raw_shown=raw)
        return
    print_counts(out, count_by_reason(found))
    print_entries(out, newest_entries(found, limit=limit), is_raw_shown=raw)
