"""`jobfeed generations`: lists, verifies, rolls back, compares and exports the published generations."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipelines.cli.terminal import command_group, err, fail, out, print_table, visible, workspace
from serving.contract.generation import GenerationError

app = command_group("Published generations: list, verify, roll back, compare, export.")

Generation = Annotated[str | None, typer.Argument(help="Default: the served one.")]


@app.command("list")
def list_generations() -> None:
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
    if not kept:
        out.print(f"{escape(str(published))}: no generation is published yet; `jobfeed run daily` makes one")
    table = Table()
    for name in ("generation", "kind", "as of", "created", "users", "jobs", "served"):
        table.add_column(name, no_wrap=True)
    for found in kept:
        served = "served" if found.generation == current else ""
        sizes = (str(found.rows("feeds")), str(found.rows("jobs")))
        table.add_row(found.generation, found.kind, found.as_of[:19], found.created_at[:19], *sizes, served)
    if kept:
        print_table(out, table)
    for problem in generations.unreadable(published):
        err.print(f"[red]{escape(problem)}[/]")
    if pointer_error is not None:
        raise pointer_error


@app.command()
def verify(generation: Generation = None) -> None:
    """Read a generation's files and check them against its manifest."""
    from assets.publishing import generations

    published = workspace().published
    name = served_or(published, generation)
    problems = generations.verify(published, name)
    for problem in problems:
        err.print(f"[red]{escape(problem)}[/]")
    if problems:
        raise typer.Exit(1)
    out.print(f"{name}: whole")


@app.command()
def rollback(
    generation: Annotated[str | None, typer.Argument(help="Default: the one before the served one.")] = None,
) -> None:
    """Serve an earlier generation again."""
    from assets.publishing import generations

    name = generations.rollback(workspace().published, generation)
    out.print(f"{name} is served now")


@app.command()
def diff(
    before: Annotated[str | None, typer.Argument(help="Default: the one before AFTER.")] = None,
    after: Annotated[str | None, typer.Argument(help="Default: the served one.")] = None,
    user: Annotated[str | None, typer.Option(help="Compare this user's feeds instead of the tables.")] = None,
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
    if user is None:
        table = Table("table", "added", "removed", "changed")
        for found in differences.differing_tables(published, old, new, memory_limit=limit):
            table.add_row(found.table, *(f"{n:,}" for n in (found.n_added, found.n_removed, found.n_changed)))
    else:
        table = Table("job", "rank before", "rank after", "score before", "score after")
        feed = differences.feed_difference(published, old, new, user, memory_limit=limit)
        for job_id, *figures in feed.iter_rows():
            table.add_row(escape(visible(job_id)), *(_figure(value) for value in figures))
    out.print(f"{old} → {new}")
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


def _figure(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
