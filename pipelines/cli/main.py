"""The `jobfeed` command. Each command parses its arguments, calls one function and prints; exit codes 0, 1, 2."""

import datetime as dt
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from assets.config import SHIPPED_VOCABULARY, Config, Sources, config_file, load_config
from assets.ingest.hh.ids import HHIds
from assets.resources import parse_as_of
from assets.yaml_files import ConfigError, load_file
from pipelines import running
from pipelines.cli import generations
from pipelines.environment import workspace_from_environment

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Offline job recommendations: run, look, serve.")
config_app = typer.Typer(no_args_is_help=True, help="Configuration files.")
sources_app = typer.Typer(no_args_is_help=True, help="Where jobs come from: how each source does, a try of one.")
app.add_typer(generations.app, name="generations")
app.add_typer(config_app, name="config")
app.add_typer(sources_app, name="sources")
out = Console()
err = Console(stderr=True)

PLACEHOLDER = "example.org"

AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Compute for this instant (RFC 3339 or a date); default now.")
]


@app.command()
def run(job: Annotated[str, typer.Argument(help="daily, hourly or frequent")], as_of: AsOf = None) -> None:
    """Run a job in this process and tell its steps."""
    if job not in running.job_names():
        raise typer.BadParameter(f"{job!r} is not a job; jobs are {', '.join(running.job_names())}", param_hint="JOB")
    instant = _instant(as_of)
    _checked_config()
    started = dt.datetime.now(dt.UTC)
    out.print(f"[bold]{job}[/] as of {instant.isoformat() if instant else 'now'}")
    succeeded = running.run_job(job, as_of=instant, console=out)
    seconds = (dt.datetime.now(dt.UTC) - started).total_seconds()
    out.print(f"{'[green]done[/]' if succeeded else '[red]failed[/]'} in {seconds:.1f} s")
    if not succeeded:
        raise typer.Exit(1)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="The landing folder to write into.")],
    users: Annotated[int, typer.Option(min=2)] = 2_000,
    jobs: Annotated[int, typer.Option(min=50)] = 2_000,
    events: Annotated[int, typer.Option(min=0)] = 100_000,
    days: Annotated[int, typer.Option(min=1, max=400)] = 60,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    until: Annotated[str | None, typer.Option(help="The market's last instant; default the last midnight UTC.")] = None,
    event_format: Annotated[str, typer.Option(help="jsonl or parquet")] = "jsonl",
    truth: Annotated[Path | None, typer.Option(help="A folder for the known tastes, to measure against.")] = None,
) -> None:
    """Make a job market from a seed, in the sources' own formats."""
    from pipelines.simulation import market

    if event_format not in ("jsonl", "parquet"):
        raise typer.BadParameter(f"{event_format!r}; allowed are jsonl and parquet", param_hint="--event-format")
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        tasks: dict[str, int] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(progress.task_ids[tasks[stage]], completed=done, total=total)

        summary = market.simulate(
            folder,
            market.MarketSize(n_users=users, n_jobs=jobs, n_events=events, n_days=days),
            seed=seed,
            until=_instant(until) or midnight,
            event_format="parquet" if event_format == "parquet" else "jsonl",
            truth_folder=truth,
            progress=tell,
        )
    out.print(summary)


@app.command()
def bench(
    folder: Annotated[Path, typer.Argument(help="Where the market, the lake and the models of the benchmark lie.")],
    size: Annotated[str, typer.Option(help="S, M or L: 20 thousand, 100 thousand or a million users.")] = "S",
    threads: Annotated[int, typer.Option(min=1, max=64)] = os.cpu_count() or 1,
) -> None:
    """Measure training, retrieval, ranking and writing on a simulated market, beside plain alternatives."""
    from pipelines.benchmarks.ranking import SIZES, BenchmarkError, run_benchmark

    if size not in SIZES:
        raise typer.BadParameter(f"{size!r}; allowed are {', '.join(SIZES)}", param_hint="--size")
    try:
        found = run_benchmark(size, folder, n_threads=threads, tell=lambda line: err.print(escape(line)))
    except BenchmarkError as error:
        _fail(str(error))
    out.print(found, markup=False, highlight=False, soft_wrap=True)


@app.command()
def feed(
    user_id: str,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 10,
    language: Annotated[str, typer.Option("--lang", help="en or ru")] = "en",
) -> None:
    """Show a user's published feed with scores and reasons."""
    from pipelines.cli.print_feed import NothingPublishedError, print_feed, read_feed

    if language not in ("en", "ru"):
        raise typer.BadParameter(f"{language!r}; allowed are en and ru", param_hint="--lang")
    try:
        shown = read_feed(workspace_from_environment().published, user_id, limit=limit)
    except NothingPublishedError as error:
        _fail(str(error))
    print_feed(out, user_id, shown, language=language)


@app.command()
def why(
    user_id: str,
    job_id: str,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Default: what the user's feed was made for.")] = None,
    language: Annotated[str, typer.Option("--lang", help="en or ru")] = "en",
) -> None:
    """Tell how a job's score for a user came about, or which rule keeps the job out."""
    from assets.ranking.score_breakdown import UnknownJobError, UnknownUserError
    from assets.ranking.score_breakdown import why as answer
    from models.fitting.artifacts import ArtifactError
    from pipelines.cli.print_why import print_why

    if language not in ("en", "ru"):
        raise typer.BadParameter(f"{language!r}; allowed are en and ru", param_hint="--lang")
    instant = _instant(as_of)
    try:
        found = answer(workspace_from_environment(), user_id=user_id, job_id=job_id, as_of=instant)
    except (UnknownUserError, UnknownJobError, ArtifactError) as error:
        _fail(str(error))
    except FileNotFoundError:
        _fail("the models are not trained yet; run `jobfeed run daily` first")
    print_why(out, user_id, found, language=language)


@app.command()
def tune(
    as_of: AsOf = None,
    trials: Annotated[int, typer.Option(min=1, max=1000, help="Settings to try.")] = 40,
    days: Annotated[int, typer.Option(min=1, max=90, help="The last days, held out to choose by.")] = 7,
    users: Annotated[int, typer.Option(min=100, help="At most so many users to choose by.")] = 20_000,
) -> None:
    """Choose the parameters of the collaborative model (ALS) on held-out interactions."""
    from assets.training.tuning import TunedFileError, keep_tuned
    from assets.training.tuning import tune as search
    from models.fitting.tuning import TuningError
    from pipelines.cli.print_feed import print_tuned

    workspace, config = workspace_from_environment(), _checked_config()
    instant = _instant(as_of) or dt.datetime.now(dt.UTC)
    columns = (TextColumn("trial"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("tune", total=trials)
        try:
            tuned = search(
                workspace,
                as_of=instant,
                n_trials=trials,
                held_out_days=days,
                max_users=users,
                on_trial=lambda number, _settings, _ndcg: progress.update(task, completed=number + 1),
            )
        except (TuningError, TunedFileError) as error:
            _fail(str(error))
    path = keep_tuned(workspace.models, tuned, as_of=instant, config=config.pipeline)
    print_tuned(out, tuned)
    out.print(f"kept in {escape(str(path))}; the next `jobfeed run daily` fits with it")


@app.command()
def quarantine(
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    file: Annotated[str | None, typer.Option(help="Only of files or addresses that begin so.")] = None,
    since: Annotated[str | None, typer.Option(help="Only seen at or after this date or RFC 3339 instant.")] = None,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Entries to show; 0 for the counts alone.")] = 20,
    raw: Annotated[bool, typer.Option("--raw", help="Show all that is kept of each, personal data too.")] = False,
) -> None:
    """Show what could not be used, and why: counts by source and reason, then the newest entries."""
    from pipelines.cli import print_quarantine as quarantine_view

    wanted = quarantine_view.Wanted(source, reason, file, _instant(since))
    found = quarantine_view.find_quarantined(workspace_from_environment().lake, wanted)
    quarantine_view.print_summary(out, quarantine_view.summary(found))
    quarantine_view.print_entries(out, quarantine_view.newest(found, limit=limit), is_raw_shown=raw)


@sources_app.command("list")
def list_sources() -> None:
    """List the sources: when each was read, what came of it, when it is due, what is wrong with it."""
    from pipelines.cli.sources import print_statuses, source_statuses

    lake = workspace_from_environment().lake
    print_statuses(out, source_statuses(lake, _checked_config().sources, now=dt.datetime.now(dt.UTC)))


@sources_app.command("try")
def try_source(
    name: Annotated[str, typer.Argument(help="A feed of sources.yaml, enabled or not.")],
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Jobs to show.")] = 5,
) -> None:
    """Read one feed now, show what it gives, and store nothing."""
    from pipelines.cli.sources import print_reading, try_feed

    config = _checked_config()
    names = sorted(feed.name for feed in config.sources.feeds)
    if name not in names:
        raise typer.BadParameter(f"{name!r} is no feed of sources.yaml; feeds are {', '.join(names)}")
    reading = try_feed(config.sources, name, now=dt.datetime.now(dt.UTC))
    print_reading(out, reading, limit=limit)
    if reading.is_failed:
        raise typer.Exit(1)


@sources_app.command("forget")
def forget_source(name: Annotated[str, typer.Argument(help="A feed of sources.yaml.")]) -> None:
    """Forget what is remembered of a feed: that it is gone or moved, and when it was read. Its jobs stay."""
    from assets.ingest.source_state import forget_feed

    if not forget_feed(workspace_from_environment().lake, name):
        _fail(f"nothing is remembered of a feed {name!r}")
    out.print(f"{name} is read afresh by the next run")


@app.command()
def serve(
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64)] = 1,
    rate_limit: Annotated[
        float, typer.Option(min=0, help="Requests a second per token of an application, in each worker; 0: no limit.")
    ] = 1000,
    user_rate_limit: Annotated[float, typer.Option(min=0, help="The same per token of one user.")] = 20,
    stale_after_hours: Annotated[float, typer.Option(min=0, help="From when on /readyz calls the data stale.")] = 26,
    access_log: Annotated[bool, typer.Option(help="A JSON line per request on standard output.")] = True,
) -> None:
    """Serve the published generation over HTTP, read-only."""

    published = workspace_from_environment().published
    options = ["--published", str(published), "--host", host, "--port", str(port), "--workers", str(workers)]
    options += ["--rate-limit", str(rate_limit), "--user-rate-limit", str(user_rate_limit)]
    options += ["--stale-after-hours", str(stale_after_hours)]
    _become_the_service([*options, "--access-log" if access_log else "--no-access-log"])


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def token(context: typer.Context) -> None:
    """Make tokens for the service: `new APPLICATION [--user ID]`, `sign USER --application NAME --hours N`, `key`."""
    _become_the_service(["token", *context.args])


def _become_the_service(arguments: list[str]) -> None:
    # The service imports nothing of the pipeline: it takes this process's place instead of being called from it.
    os.execv(sys.executable, [sys.executable, "-m", "serving", *arguments])  # noqa: S606 - fixed program, parsed options


@config_app.command("check")
def check_config() -> None:
    """Load every configuration file and say what is wrong with it, or that all is well."""
    config = _checked_config()
    enabled = [source.name for source in config.sources.feeds if source.enabled]
    hh = "on" if config.sources.hh.enabled else "off"
    out.print(f"feeds: {len(config.sources.feeds)} ({len(enabled)} enabled), HH: {hh}")
    if enabled and PLACEHOLDER in config.sources.http.user_agent:
        err.print(
            f"[yellow]warning:[/] http.user_agent in sources.yaml names {PLACEHOLDER}; name yourself to the boards"
        )
    ids = HHIds.load(SHIPPED_VOCABULARY, workspace_from_environment().lake)
    for query in config.sources.hh.queries:
        named = [f"{id_} {ids.area_name(id_)}" for id_ in query.area]
        named += [f"{id_} {ids.role_name(id_)}" for id_ in query.professional_role]
        out.print(escape(f"  HH {query.name}: {'; '.join(named) or 'everywhere'}"))
    out.print(f"recipes: {', '.join(sorted(config.ranking.recipes))}; default {config.ranking.default_recipe}")
    out.print("configuration is valid")


@config_app.command()
def dictionaries() -> None:
    """Ask HeadHunter for its newest areas, professional roles and exchange rates; needed only for ids that are new."""
    from assets.ingest.hh.runs import HH_TOKEN_VARIABLE, ask_for_dictionaries

    workspace = workspace_from_environment()
    try:
        sources = load_file(config_file(workspace.config_folder, "sources.yaml"), Sources)
    except ConfigError as error:
        _fail(str(error))
    token = os.environ.get(HH_TOKEN_VARIABLE) or None
    told = ask_for_dictionaries(workspace.lake, sources, token=token, as_of=dt.datetime.now(dt.UTC))
    for problem in told.problems:
        err.print(f"[red]{escape(problem)}[/]")
    out.print(f"HH has {told.n_areas:,} areas, {told.n_roles:,} professional roles, {told.n_rates:,} exchange rates")
    if told.problems:
        raise typer.Exit(1)


def _checked_config() -> Config:
    workspace = workspace_from_environment()
    try:
        return load_config(workspace.config_folder, lake=workspace.lake)
    except ConfigError as error:
        _fail(str(error))


def _instant(text: str | None) -> dt.datetime | None:
    try:
        return parse_as_of(text) if text is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _fail(message: str) -> NoReturn:
    err.print(f"[red]error:[/] {escape(message)}")
    raise typer.Exit(1)


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
