"""The `jobfeed` command: puts its commands together. Each parses its arguments, calls one function and prints."""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from pipelines.cli import (
    config,
    digests,
    erase,
    evaluate,
    feeds,
    generations,
    landing,
    process,
    recipes,
    service,
    sources,
    status,
    store,
    terminal,
    workbench,
)

app = terminal.command_group("Offline job recommendations: run, look, serve.")
for command in (
    workbench.run, workbench.simulate, workbench.readers, workbench.bench, feeds.feed, feeds.why, workbench.tune,
    evaluate.evaluate, erase.erase, status.status, sources.quarantine, service.serve, service.stream,
):  # fmt: skip
    app.command()(command)
# Its help is that of its own sub-commands.
_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
app.command(context_settings=_PASSED_ON)(service.token)
for name, group in (
    ("digests", digests.app),
    ("generations", generations.app),
    ("landing", landing.app),
    ("recipes", recipes.app),
    ("config", config.app),
    ("sources", sources.app),
    ("store", store.app),
):
    app.add_typer(group, name=name)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        terminal.out.print(f"jobfeed {version('jobfeed')}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    is_version_asked: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before any command."""


def main() -> None:
    """The console script. What it writes is for its user only: most files hold personal data."""
    os.umask(0o077)
    try:
        app()
    except SystemExit as request:
        process.end(request.code)
    except BaseException:  # what Typer made of it prints it
        sys.excepthook(*sys.exc_info())
        process.end(1)


if __name__ == "__main__":
    main()
