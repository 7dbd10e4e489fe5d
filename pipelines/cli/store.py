"""`jobfeed store`: whether all files of a data folder or a store are whole, and how to go on without what is not."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from pipelines.cli.terminal import AsJson, command_group, err, out, print_json, visible

if TYPE_CHECKING:
    from assets.lake import Lake
    from assets.storage.working_copy import WorkingCopy

app = command_group("Data in a folder or an object store: check it, go on without what is lost.")

ReadAll = Annotated[bool, typer.Option("--read", help="Read every byte, rather than only look at sizes.")]


@app.command()
def check(read: ReadAll = False, as_json: AsJson = False) -> None:
    """Say which files of lake and models, in a store also of outbox and generations, are missing or damaged."""
    lake, copy = _data()
    if copy is None:
        broken = [(str(path), why) for path, why in _damage(lake, reads_all=read)]
    else:
        from assets.storage.repair import check as find_broken

        broken = [(one.path, one.why) for one in find_broken(copy, reads_all=read)]
    if as_json:
        print_json(out, [{"file": path, "reason": why} for path, why in broken])
    for path, why in broken if not as_json else ():
        out.print(escape(visible(f"{path}: {why}")))
    if broken:
        err.print(f"[red]{len(broken)} files are missing or damaged[/]; `jobfeed store repair` goes on without them")
        raise typer.Exit(1)
    if not as_json:
        out.print(f"{copy.url if copy is not None else lake.root.parent}: all files are there")


@app.command()
def repair(read: ReadAll = False) -> None:
    """Store again what this machine has of missing and damaged files, and have the rest made anew."""
    lake, copy = _data()
    if copy is None:
        told = _set_aside(lake, reads_all=read)
    else:
        from assets.storage.repair import repair as go_on

        told = go_on(copy, reads_all=read, now=dt.datetime.now(dt.UTC))
    for sentence in told:
        out.print(escape(visible(sentence)))
    out.print("now run `jobfeed run daily`" if told else "nothing is missing or damaged")


def _damage(lake: "Lake", *, reads_all: bool) -> list[tuple[Path, str]]:
    from assets.inventory import altered_files, missing_files

    found = [(path, "it is gone or has another size") for path in missing_files(lake)]
    altered = altered_files(lake) if reads_all else []
    return found + [(path, "its bytes are not those that were written") for path in altered if path not in dict(found)]


def _set_aside(lake: "Lake", *, reads_all: bool) -> list[str]:
    from assets.run_turns import run_turn
    from pipelines.mending import verify

    told: list[str] = []
    with run_turn(lake, job="repair", wait_seconds=0, on_damage=told.append):
        return told + (list(verify(lake, has_turn=True)) if reads_all else [])


def _data() -> "tuple[Lake, WorkingCopy | None]":
    from assets.storage.working_copy import copy_of
    from pipelines.environment import workspace_from_environment

    lake = workspace_from_environment().lake
    return lake, copy_of(lake)
