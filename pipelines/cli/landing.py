"""`jobfeed landing`: tries a file before it is landed."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipelines.cli.terminal import (
    AsJson,
    AsOf,
    checked_config,
    command_group,
    err,
    out,
    parse_instant,
    print_json,
    print_table,
    visible,
    workspace,
)

if TYPE_CHECKING:
    from assets.ingest.trial import Trial

app = command_group("Landed files: check one before a run reads it.")
_SHOWN_CHARACTERS = 200


@app.callback()
def group() -> None:
    """So that `check` stays a command of its own."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file; it is only read.")],
    place: Annotated[
        str | None, typer.Option("--as", help="The folder of landing/ it is for, if it does not lie there yet.")
    ] = None,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(min=0, help="How many refused entries to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Tell what a run would read of a file and what it would refuse, and why. Nothing is stored.

    The exit code is 1 if anything would be refused. docs/inputs.md describes the fields of each folder.
    """
    from assets.ingest.trial import place_of, try_file

    found = workspace()
    instant = parse_instant(as_of) or dt.datetime.now(dt.UTC)
    trial = try_file(file, place_of(file, place), checked_config(), found.vocabulary, as_of=instant)
    if as_json:
        _print_trial_as_json(file, trial, limit=limit)
    else:
        _print_trial(file, trial, limit=limit)
    if len(trial.refused):
        raise typer.Exit(1)


def _print_trial_as_json(file: Path, trial: "Trial", *, limit: int) -> None:
    fields = {
        "file": str(file),
        "table": f"bronze/{trial.table.name}",
        "status": trial.status,
        "n_rows": trial.n_rows,
        "filled": trial.filled,
        "n_refused": len(trial.refused),
        "refused": trial.refused.head(limit).to_dicts(),
    }
    print_json(out, fields)


def _print_trial(file: Path, trial: "Trial", *, limit: int) -> None:
    out.print(
        f"{escape(visible(str(file)))}: {trial.n_rows:,} rows for bronze/{trial.table.name} ({escape(trial.status)})"
    )
    if trial.filled:
        columns = Table("column", "rows with a value", "meaning")
        for name, n in trial.filled.items():
            columns.add_row(name, f"{n:,}", trial.table.described[name].text)
        print_table(out, columns)
    if len(trial.refused):
        err.print(f"[red]{len(trial.refused):,} entries or fields would be refused[/]")
        entries = Table("entry", "reason", "detail", "as it was written")
        for entry, reason, detail, raw in (
            trial.refused.head(limit).select("entry", "reason", "detail", "raw").fill_null("").iter_rows()
        ):
            entries.add_row(*(escape(visible(text)) for text in (entry, reason, detail, raw[:_SHOWN_CHARACTERS])))
        if limit:
            print_table(out, entries)
