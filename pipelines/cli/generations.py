"""`jobfeed generations`: lists, verifies, rolls back, compares and exports the published generations."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from pipelines.cli.terminal import (
    AsJson,
    changed_workspace,
    command_group,
    err,
    fail,
    out,
    print_json,
    print_table,
    visible,
    workspace,
)
from serving.contract.generation import GenerationError, Manifest

app = command_group("Published generations: list, verify, roll back, compare, export.")
_TABLE_HEADINGS = ("table", "added", "removed", "changed")
_FEED_HEADINGS = ("job", "rank before", "rank after", "score before", "score after")

Generation = Annotated[str | None, typer.Argument(help="Default: the served one.")]


@app.command("list")
def list_generations(as_json: AsJson = False) -> None:
    """List the kept generations, the newest first; the served one is marked."""
    from assets.publishing import generations

    published = workspace().published
    current: str | None = None
    pointer_error: GenerationError | None = None
    try:
        current = generations.current_generation(published)
    except GenerationError as error:
        pointer_error = error
    kept = generations.list_generations(published)
    if as_json:
        _print_kept_as_json(kept, current, generations.unreadable(published))
    else:
        _print_kept(published, kept, current)
    for problem in generations.unreadable(published):
        err.print(f"[red]{escape(problem)}[/]")
    if pointer_error is not None:
        raise pointer_error


@app.command()
def verify(generation: Generation = None, as_json: AsJson = False) -> None:
    """Read a generation's files and check them against its manifest."""
    from assets.publishing import generations

    published = workspace().published
    name = served_or(published, generation)
    problems = generations.verify(published, name)
    if as_json:
        print_json(out, {"generation": name, "is_whole": not problems, "problems": problems})
    for problem in problems:
        err.print(f"[red]{escape(problem)}[/]")
    if problems:
        raise typer.Exit(1)
    if not as_json:
        out.print(f"{name}: whole")


@app.command()
def rollback(
    generation: Annotated[str | None, typer.Argument(help="Default: the one before the served one.")] = None,
) -> None:
    """Serve an earlier generation again."""
    from assets.publishing import generations

    with changed_workspace("rollback") as found:
        name = generations.rollback(found.published, generation)
    out.print(f"{name} is served now")


@app.command()
def diff(
    before: Annotated[str | None, typer.Argument(help="Default: the one before AFTER.")] = None,
    after: Annotated[str | None, typer.Argument(help="Default: the served one.")] = None,
    user: Annotated[str | None, typer.Option(help="Compare this user's feeds instead of the tables.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two generations."""
    from assets.publishing import diff as differences
    from assets.publishing import generations

    context = workspace()
    published, limit = context.published, context.config.pipeline.duckdb_memory_limit
    new = served_or(published, after)
    old = before or generations.read_manifest(published, new).parent
    if old is None:
        fail(f"{new} is the first generation; there is none before it")
    if user is not None:
        feed = differences.feed_difference(published, old, new, user, memory_limit=limit)
        rows: list[dict[str, Any]] = feed.to_dicts()
    else:
        rows = [asdict(found) for found in differences.differing_tables(published, old, new, memory_limit=limit)]
    if as_json:
        print_json(out, {"before": old, "after": new, "items" if user is not None else "tables": rows})
        return
    out.print(f"{old} → {new}")
    headings = _FEED_HEADINGS if user is not None else _TABLE_HEADINGS
    table = Table(*headings)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    print_table(out, table)


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="The DuckDB file to write; it must not exist.")],
    generation: Generation = None,
) -> None:
    """Write one DuckDB file that holds all rows of a generation itself, to take elsewhere."""
    from assets.lake import atomic_path
    from assets.publishing import generations
    from assets.publishing.database import export_database

    found = workspace()
    if path.exists():
        fail(f"{path} exists; name a new file")
    name = served_or(found.published, generation)
    generations.read_manifest(found.published, name)
    if not path.parent.is_dir():
        fail(f"{path.parent} is not a folder; make it first")
    with atomic_path(path) as temporary:
        export_database(found.published, name, temporary, memory_limit=found.config.pipeline.duckdb_memory_limit)
    out.print(f"{name} is in {path}")


def served_or(published: Path, generation: str | None = None) -> str:
    """`generation`, or the served one if none is named. Ends the command if none is published yet."""
    from assets.publishing import generations

    name = generation or generations.current_generation(published)
    if name is None:
        fail(f"{published}: no generation is published yet; run `jobfeed run daily` first")
    return name


def _print_kept(published: Path, kept: Sequence[Manifest], current: str | None) -> None:
    if not kept:
        out.print(f"{escape(str(published))}: no generation is published yet; `jobfeed run daily` makes one")
        return
    table = Table()
    for name in ("generation", "kind", "as of", "created", "users", "jobs", "served"):
        table.add_column(name, no_wrap=True)
    for found in kept:
        served = "served" if found.generation == current else ""
        sizes = (str(found.rows("feeds")), str(found.rows("jobs")))
        table.add_row(found.generation, found.kind, found.as_of[:19], found.created_at[:19], *sizes, served)
    print_table(out, table)


def _print_kept_as_json(kept: Sequence[Manifest], current: str | None, unreadable: Sequence[str]) -> None:
    listed = [
        {
            "generation": found.generation, "kind": found.kind, "as_of": found.as_of, "created_at": found.created_at,
            "parent": found.parent, "n_users": found.rows("feeds"), "n_jobs": found.rows("jobs"),
            "is_served": found.generation == current,
        }
        for found in kept
    ]  # fmt: skip
    print_json(out, {"generations": listed, "unreadable": list(unreadable)})


def _cell(value: str | float | None) -> str:
    if value is None:
        return "—"
    if isinstance(value, str):
        return escape(visible(value))
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"
