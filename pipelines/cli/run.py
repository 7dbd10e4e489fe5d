"""`jobfeed run`: runs a job in this process."""

import datetime as dt
from typing import Annotated

import typer

from pipelines.cli.terminal import AsOf, checked_config, out, parse_instant


def run(job: Annotated[str, typer.Argument(help="daily, hourly or frequent")], as_of: AsOf = None) -> None:
    """Run a job in this process and print its steps."""
    from pipelines import running

    if job not in running.job_names():
        raise typer.BadParameter(f"{job!r} is not a job; jobs are {', '.join(running.job_names())}", param_hint="JOB")
    instant = parse_instant(as_of)
    checked_config()
    started = dt.datetime.now(dt.UTC)
    out.print(f"[bold]{job}[/] as of {instant.isoformat() if instant else 'now'}")
    succeeded = running.run_job(job, as_of=instant, console=out)
    seconds = (dt.datetime.now(dt.UTC) - started).total_seconds()
    out.print(f"{'[green]done[/]' if succeeded else '[red]failed[/]'} in {seconds:.1f} s")
    if not succeeded:
        raise typer.Exit(1)
