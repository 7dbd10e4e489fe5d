"""`jobfeed sources`: lists the sources, reads one as a trial, forgets one."""

import datetime as dt
from typing import Annotated

import typer

from pipelines.cli.terminal import checked_config, command_group, fail, out, workspace

app = command_group("Where jobs come from: how each source does, a try of one.")


@app.command("list")
def list_sources() -> None:
    """List the sources: when each was read, what came of it, when it is due, what is wrong with it."""
    from pipelines.cli.print_sources import print_statuses
    from pipelines.cli.source_status import source_statuses

    lake = workspace().lake
    print_statuses(out, source_statuses(lake, checked_config().sources, now=dt.datetime.now(dt.UTC)))


@app.command("try")
def try_source(
    name: Annotated[str, typer.Argument(help="A feed of sources.yaml, enabled or not.")],
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Jobs to show.")] = 5,
) -> None:
    """Read one feed now, show what it gives, and store nothing."""
    from pipelines.cli.print_sources import print_reading
    from pipelines.cli.source_status import try_feed

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

    if not forget_feed(workspace().lake, name):
        fail(f"nothing is remembered of a feed {name!r}")
    out.print(f"{name} is read afresh by the next run")
