"""`jobfeed store`: whether all objects of a store are there, and how to go on without what is lost."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from pipelines.cli.terminal import AsJson, command_group, err, fail, out, print_json, visible

if TYPE_CHECKING:
    from assets.storage.working_copy import WorkingCopy

app = command_group("Data in an object store: check it, go on without what is lost.")

ReadAll = Annotated[bool, typer.Option("--read", help="Read every object, rather than only look at its size.")]


@app.command()
def check(read: ReadAll = False, as_json: AsJson = False) -> None:
    """Say which objects of lake, models, outbox and generations are missing or damaged."""
    from assets.storage.repair import check as find_broken

    copy = _copy()
    broken = find_broken(copy, reads_all=read)
    if as_json:
        print_json(out, [{"file": one.path, "reason": one.why} for one in broken])
    for one in broken if not as_json else ():
        out.print(escape(visible(one.line())))
    if broken:
        err.print(f"[red]{len(broken)} objects are missing or damaged[/]; `jobfeed store repair` goes on without them")
        raise typer.Exit(1)
    if not as_json:
        out.print(f"{copy.url}: all objects are there")


@app.command()
def repair(read: ReadAll = False) -> None:
    """Store again what this machine has of missing and damaged objects, and have the rest made anew."""
    from assets.storage.repair import repair as go_on

    told = go_on(_copy(), reads_all=read, now=dt.datetime.now(dt.UTC))
    for sentence in told:
        out.print(escape(visible(sentence)))
    out.print("now run `jobfeed run daily`" if told else "nothing is missing or damaged")


def _copy() -> "WorkingCopy":
    from assets.storage.working_copy import copy_of
    from pipelines.environment import DATA_VARIABLE, workspace_from_environment

    copy = copy_of(workspace_from_environment().lake)
    if copy is None:
        fail(f"{DATA_VARIABLE} names a folder; these commands are for an object store such as s3://bucket/prefix")
    return copy
