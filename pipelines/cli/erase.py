"""`jobfeed erase`: asks for the erasure of a user, and verifies that nothing of an erased user is left."""

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from pipelines.cli.terminal import changed_workspace, err, fail, out, visible, workspace

if TYPE_CHECKING:
    from assets.resources import Workspace

_VERIFY = "verify"


def erase(
    user: Annotated[str, typer.Argument(metavar="[verify] USER", help="The user's id.")],
    verified: Annotated[str | None, typer.Argument(hidden=True)] = None,
    also: Annotated[
        list[str] | None, typer.Option("--also", help="verify: search for this too, such as an e-mail address.")
    ] = None,
) -> None:
    """Erase a user, or verify that nothing is left.

    `jobfeed erase USER` notes the request. The next `jobfeed run frequent` takes the user out of all that is served,
    the next `jobfeed run daily` out of lake, models, digests and kept generations. `jobfeed erase verify USER` reads
    every file and lists where the user still is.
    """
    if verified is None:
        if user == _VERIFY:
            raise typer.BadParameter(
                "is missing; it is `jobfeed erase verify USER`. A user whose id is verify is erased by a line in "
                "landing/erasures/",
                param_hint="USER",
            )
        if also:
            raise typer.BadParameter("is for `jobfeed erase verify USER`; leave it out here", param_hint="--also")
        _request(user)
    elif user == _VERIFY:
        _verify(verified, also or [])
    else:
        raise typer.BadParameter(f"{user!r}; it is `jobfeed erase USER` or `jobfeed erase verify USER`")


def _request(user: str) -> None:
    from assets.erasing.requests import request
    from assets.run_ledger import forget_records
    from features.sources.people.users import is_user_id

    if not is_user_id(user):
        raise typer.BadParameter(f"{user!r} is no user id", param_hint="USER")
    now = dt.datetime.now(dt.UTC)
    with changed_workspace("erase") as found:
        request(found.lake, user, at=now)
        forget_records(found.lake)
    out.print(
        f"{escape(visible(user))}: erasure requested as of {now.isoformat(timespec='seconds')}. The next `jobfeed run "
        "frequent` takes the user out of what is served, the next `jobfeed run daily` out of all files; then `jobfeed "
        f"erase verify {escape(visible(user))}` finds nothing"
    )


def _verify(user: str, also: list[str]) -> None:
    from assets.erasing.scan import find_traces
    from pipelines.environment import dagster_folders

    found = workspace()
    data = Path(found.data_dir)
    if not data.is_dir():
        fail(f"{data}: there is no such folder; JOBFEED_DATA names the data folder")
    n_files, n_ours = 0, 0

    def count() -> None:
        nonlocal n_files
        n_files += 1

    for trace in find_traces([data, *dagster_folders()], [user, *also], on_file=count):
        is_landed = trace.path.is_relative_to(found.landing)
        n_ours += not is_landed
        whose = " (yours to delete; it is refused from then on)" if is_landed else ""
        out.print(f"{escape(visible(os.fspath(trace.path)))}: {escape(trace.place)}{whose}")
    n_ours += _print_leftovers(found, [user, *also], count)
    if n_ours:
        err.print(
            f"[red]{n_ours} places still hold the user[/]; `jobfeed run daily` removes what was asked to be erased"
        )
        raise typer.Exit(1)
    out.print(f"nothing of the user in {n_files} files outside of landing/")


def _print_leftovers(found: "Workspace", words: list[str], on_file: Callable[[], None]) -> int:
    """Prints where objects of a store hold the user that nothing refers to; returns in how many places."""
    from assets.erasing.scan import find_traces
    from assets.storage.working_copy import copy_of

    copy = copy_of(found.lake)
    if copy is None:
        return 0
    from assets.storage.collecting import fetch_unreferenced
    from assets.storage.local_files import copies_folder

    n_found = 0
    with copies_folder(copy.root) as folder:
        objects = folder / "objects"
        objects.mkdir()
        for path, address in fetch_unreferenced(copy, objects):
            for trace in find_traces([path.parent], words, on_file=on_file):
                n_found += 1
                out.print(f"{escape(visible(address))}: {escape(trace.place)}; a killed run left it, daily removes it")
    return n_found
