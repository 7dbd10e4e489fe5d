"""`jobfeed status`: what is served, how old, what is due, what is wrong."""

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pipelines.cli.terminal import AsJson, out, print_json, visible, workspace


def status(
    max_age: Annotated[float, typer.Option(min=0.1, help="Hours that the served generation may be old.")] = 26.0,
    as_json: AsJson = False,
) -> None:
    """Say what is served, how old it is, what is due and what is wrong.

    The exit code is 1 if something is wrong, for monitoring.
    """
    from pipelines.status import find_status

    place = workspace()
    now = dt.datetime.now(dt.UTC)
    found = find_status(Path(place.data_dir), now=now, landing=place.landing, max_age_hours=max_age)
    if as_json:
        print_json(out, asdict(found))
    else:
        if found.generation is not None:
            out.print(
                f"served   {found.generation} ({found.kind}), as of {found.as_of}, {found.age_hours:.1f} hours old: "
                f"{found.n_users:,} users, {found.n_jobs:,} jobs"
            )
        out.print(f"running  {escape(visible(found.running)) if found.running else 'nothing'}")
        for run in found.runs:
            ago = "never" if run.success_hours is None else f"{run.success_hours:.1f} hours ago"
            failed = f"; failed at {run.ended_at} ({run.failed_step or 'outside of its steps'})"
            out.print(f"{run.job:<8} succeeded {ago}{'' if run.succeeded else failed}", markup=False)
        due = ", ".join(f"{n} files of {kind}" for kind, n in sorted(found.due.items()))
        out.print(f"due      {due or 'no landed file is unread'}")
        if found.embeddings is not None:
            out.print(f"vectors  {escape(visible(_vectors(found.embeddings)))}")
        for problem in found.problems:
            out.print(f"[red]wrong[/]    {escape(visible(problem))}")
        if not found.problems:
            out.print("[green]all is well[/]")
    if found.problems:
        raise typer.Exit(1)


def _vectors(embeddings: dict[str, str | float]) -> str:
    if "next_model" not in embeddings:
        return str(embeddings["model"])
    share = float(embeddings["next_model_share"])
    return f"{embeddings['model']}; {embeddings['next_model']} has {share:.0%} of the texts and serves when it has all"
