"""`jobfeed generations`: list, verify, roll back, tell apart, export. Parses, calls one function, prints."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.environment import workspace_from_environment

app = typer.Typer(no_args_is_help=True, help="Published generations: list, verify, roll back, tell apart, export.")
out = Console()
err = Console(stderr=True)

Generation = Annotated[str | None, typer.Argument(help="Default: the served one.")]


@app.command("list")
def list_generations() -> None:
    """List the kept generations, the newest first; the served one is marked."""
    from assets.publishing import generations

    published = workspace_from_environment().published
    trouble = None
    try:
        current = generations.current_generation(published)
    except generations.GenerationError as error:
        current, trouble = None, str(error)
    table = Table()
    for name in ("generation", "kind", "as of", "created", "users", "jobs", "served"):
        table.add_column(name, no_wrap=True)
    for found in generations.list_generations(published):
        served = "served" if found.generation == current else ""
        sizes = (str(found.rows("feeds")), str(found.rows("jobs")))
        table.add_row(found.generation, found.kind, found.as_of[:19], found.created_at[:19], *sizes, served)
    out.print(table)
    for problem in generations.unreadable(published):
        err.print(f"[red]{escape(problem)}[/]")
    if trouble is not None:
        _fail(trouble)


@app.command()
def verify(generation: Generation = None) -> None:
    """Read a generation's files and check them against its manifest."""
    from assets.publishing import generations

    published = workspace_from_environment().published
    try:
        name = _served_or(published, generation)
        problems = generations.verify(published, name)
    except generations.GenerationError as error:
        _fail(str(error))
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

    try:
        name = generations.rollback(workspace_from_environment().published, generation)
    except generations.GenerationError as error:
        _fail(str(error))
    out.print(f"{name} is served now")


@app.command()
def diff(
    before: Annotated[str | None, typer.Argument(help="Default: the one before AFTER.")] = None,
    after: Annotated[str | None, typer.Argument(help="Default: the served one.")] = None,
    user: Annotated[str | None, typer.Option(help="Tell this user's feeds apart instead of the tables.")] = None,
) -> None:
    """Tell what changed between two generations."""
    from assets.publishing import diff as differences
    from assets.publishing import generations

    workspace = workspace_from_environment()
    published, limit = workspace.published, workspace.config.pipeline.duckdb_memory_limit
    try:
        new = _served_or(published, after)
        old = before or generations.read_manifest(published, new).parent
        if old is None:
            _fail(f"{new} is the first generation; there is none before it")
        if user is None:
            tables = differences.differing_tables(published, old, new, memory_limit=limit)
        else:
            feed = differences.feed_difference(published, old, new, user, memory_limit=limit)
    except generations.GenerationError as error:
        _fail(str(error))
    out.print(f"{old} → {new}")
    if user is not None:
        table = Table("job", "rank before", "rank after", "score before", "score after")
        for job_id, *figures in feed.iter_rows():
            table.add_row(escape(job_id), *(_figure(value) for value in figures))
    else:
        table = Table("table", "added", "removed", "changed")
        for found in tables:
            table.add_row(found.table, *(f"{n:,}" for n in (found.n_added, found.n_removed, found.n_changed)))
    out.print(table)


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="The DuckDB file to write; it must not exist.")],
    generation: Generation = None,
) -> None:
    """Write one DuckDB file that holds all rows of a generation itself, to take elsewhere."""
    from assets.lake import atomic_path
    from assets.publishing import generations
    from assets.publishing.database import export_database

    workspace = workspace_from_environment()
    if path.exists():
        _fail(f"{path} exists; name a new file")
    try:
        name = _served_or(workspace.published, generation)
        generations.read_manifest(workspace.published, name)
    except generations.GenerationError as error:
        _fail(str(error))
    if not path.parent.is_dir():
        _fail(f"{path.parent} is not a folder; make it first")
    with atomic_path(path) as temporary:
        export_database(
            workspace.published, name, temporary, memory_limit=workspace.config.pipeline.duckdb_memory_limit
        )
    out.print(f"{name} is in {path}")


def _served_or(published: Path, generation: str | None) -> str:
    from assets.publishing import generations

    name = generation or generations.current_generation(published)
    if name is None:
        _fail(f"{published}: no generation is published yet; run `jobfeed run daily` first")
    return name


def _figure(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _fail(message: str) -> NoReturn:
    err.print(f"[red]error:[/] {escape(message)}")
    raise typer.Exit(1)
