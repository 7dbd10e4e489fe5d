"""`jobfeed run`, `simulate`, `bench` and `tune`: run a job, make a market, measure, choose the collaborative model."""

import datetime as dt
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.cli.process import made_once
from pipelines.cli.terminal import (
    AsOf,
    changed_workspace,
    checked_config,
    err,
    out,
    parse_instant,
    print_json,
    print_table,
    progress_bar,
    require_choice,
    workspace,
)

if TYPE_CHECKING:
    from models.fitting.collaborative import Member
    from models.fitting.tuning import Tuned
    from pipelines.running import RunSummary

_DAY = dt.timedelta(days=1)
_KIND_HELP = "What decides in this market: general, merit, exposure, skills, local, hidden or shift."


def run(
    job: Annotated[str, typer.Argument(help="daily, weekly, hourly, frequent or digests")],
    as_of: AsOf = None,
    until: Annotated[str | None, typer.Option(help="Run for every day from --as-of to this instant, in order.")] = None,
    always: Annotated[bool, typer.Option("--always", help="Run even if there is nothing new.")] = False,
    announce: Annotated[
        bool, typer.Option("--announce", help="Serve the result even if it is of the future, empty or older.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON; the steps go to standard error.")
    ] = False,
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for another run to end.")] = 3600,
) -> None:
    """Run a job in this process and print its steps.

    hourly and frequent end at once if there is nothing new since their last run, or once one that they waited for has
    ended. A run for an older instant than that of the served generation is a replay: its result is stored, and served
    only with --announce.
    """
    from assets.instants import future_problem
    from pipelines.environment import note_nothing_new

    first, last = parse_instant(as_of), parse_instant(until)
    if last is not None and (first is None or last < first):
        raise typer.BadParameter("needs an earlier --as-of to begin with", param_hint="--until")
    latest = last or first
    problem = future_problem(latest, now=dt.datetime.now(dt.UTC)) if latest is not None and not announce else None
    if problem is not None:
        hint = "--until" if last is not None else "--as-of"
        raise typer.BadParameter(f"{problem}; --announce computes and serves it all the same", param_hint=hint)
    instants = [first]
    while last is not None and instants[-1] is not None and instants[-1] + _DAY <= last:
        instants.append(instants[-1] + _DAY)
    for instant in instants:
        started = dt.datetime.now(dt.UTC)
        look = partial(_nothing_new, job, instant, is_forced=always or announce)
        since = look()
        if since is None:
            summary = _run_once(
                job, instant, look, console=err if as_json else out, is_forced=announce, wait_seconds=wait
            )
            since = summary.nothing_new_since
            if since is None:
                _report(summary, (dt.datetime.now(dt.UTC) - started).total_seconds(), as_json=as_json)
                if not summary.succeeded:
                    raise typer.Exit(1)
                continue
        note_nothing_new(job)
        _report_nothing_new(job, since, as_json=as_json)


def _nothing_new(job: str, instant: dt.datetime | None, *, is_forced: bool) -> str | None:
    from pipelines.environment import nothing_new_since

    since = None if is_forced else nothing_new_since(job, instant or dt.datetime.now(dt.UTC))
    return since.isoformat() if since is not None else None


def _run_once(
    job: str,
    instant: dt.datetime | None,
    look: Callable[[], str | None],
    *,
    console: Console,
    is_forced: bool,
    wait_seconds: float,
) -> "RunSummary":
    with made_once():
        import pipelines.definitions  # noqa: F401 - made here rather than where garbage is looked for
        from pipelines.jobs import JOBS
        from pipelines.running import run_job

    names = [known.name for known in JOBS]
    if job not in names:
        raise typer.BadParameter(f"{job!r} is not a job; jobs are {', '.join(names)}", param_hint="JOB")
    checked_config()
    console.print(f"[bold]{job}[/] as of {instant.isoformat() if instant else 'now'}")
    return run_job(
        job, as_of=instant, console=console, is_forced=is_forced, wait_seconds=wait_seconds, nothing_new=look
    )


def _report(summary: "RunSummary", seconds: float, *, as_json: bool) -> None:
    if as_json:
        print_json(out, {**asdict(summary), "seconds": round(seconds, 1)})
        return
    outcome = "[green]done[/]" if summary.succeeded else "[red]failed[/]"
    out.print(": ".join(part for part in (f"{outcome} in {seconds:.1f} s", escape(summary.line())) if part))


def _report_nothing_new(job: str, since: str, *, as_json: bool) -> None:
    if as_json:
        print_json(out, {"succeeded": True, "nothing_new_since": since})
        return
    out.print(f"[bold]{escape(job)}[/] nothing new since the run as of {since}; nothing is published")


def simulate(
    folder: Annotated[Path, typer.Argument(help="The landing folder to write into.")],
    users: Annotated[int, typer.Option(min=2)] = 2_000,
    jobs: Annotated[int, typer.Option(min=50)] = 2_000,
    events: Annotated[int, typer.Option(min=0)] = 100_000,
    days: Annotated[int, typer.Option(min=1, max=400)] = 60,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    until: Annotated[str | None, typer.Option(help="The market's last instant; default the last midnight UTC.")] = None,
    event_format: Annotated[str, typer.Option(help="jsonl or parquet")] = "jsonl",
    kind: Annotated[str, typer.Option(help=_KIND_HELP)] = "general",
    truth: Annotated[Path | None, typer.Option(help="A folder for the known tastes, to measure against.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write even if the folder holds other files.")] = False,
) -> None:
    """Make a job market from a seed, in the sources' own formats."""
    from pipelines.simulation import market
    from pipelines.simulation.kinds import MARKET_KINDS

    require_choice(event_format, ("jsonl", "parquet"), option="--event-format")
    require_choice(kind, tuple(MARKET_KINDS), option="--kind")
    midnight = _last_midnight()
    others = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not force and next(others, None) is not None:
        raise typer.BadParameter(
            f"{folder} holds files, and those of the market would be mixed with them or replace them; name an empty "
            "folder, or --force",
            param_hint="FOLDER",
        )
    with progress_bar() as progress:
        tasks: dict[str, int] = {}

        def on_progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(progress.task_ids[tasks[stage]], completed=done, total=total)

        summary = market.simulate(
            folder,
            market.MarketSize(n_users=users, n_jobs=jobs, n_events=events, n_days=days, kind=kind),
            seed=seed,
            until=parse_instant(until) or midnight,
            event_format=cast(Literal["jsonl", "parquet"], event_format),
            truth_folder=truth,
            progress=on_progress,
        )
    out.print(summary)


def readers(
    folder: Annotated[Path, typer.Argument(help="The landing folder to write into.")],
    published: Annotated[Path, typer.Argument(help="The folder of the generations; the current one is read.")],
    users: Annotated[int, typer.Option(min=2, help="As of the market, like the next options.")] = 2_000,
    jobs: Annotated[int, typer.Option(min=50)] = 2_000,
    days: Annotated[int, typer.Option(min=1, max=400)] = 60,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    until: Annotated[str | None, typer.Option(help="The market's last instant; default the last midnight UTC.")] = None,
    kind: Annotated[str, typer.Option(help=_KIND_HELP)] = "general",
    lose: Annotated[str | None, typer.Option(help="ARM=SHARE: lose the events of a share of an arm's users.")] = None,
) -> None:
    """Make the events of a simulated market's users who read their published feeds."""
    from pipelines.simulation.kinds import MARKET_KINDS
    from pipelines.simulation.market import MarketSize
    from pipelines.simulation.readers import read_feeds

    require_choice(kind, tuple(MARKET_KINDS), option="--kind")
    size = MarketSize(n_users=users, n_jobs=jobs, n_events=0, n_days=days, kind=kind)
    end = parse_instant(until) or _last_midnight()
    lost = _lost_share(lose) if lose is not None else {}
    out.print(read_feeds(folder, published, size, seed=seed, until=end, lost=lost))


def _lost_share(text: str) -> dict[str, float]:
    """Arm -> share of its users, from ARM=SHARE. Raises BadParameter (exit code 2)."""
    arm, _, share = text.rpartition("=")
    try:
        lost = float(share)
    except ValueError:
        lost = math.nan
    if not arm or not 0 <= lost <= 1:
        raise typer.BadParameter(f"{text!r} is not ARM=SHARE with a share from 0 to 1", param_hint="--lose")
    return {arm: lost}


def _last_midnight() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def bench(
    folder: Annotated[Path, typer.Argument(help="Where the market, the lake and the models of the benchmark lie.")],
    size: Annotated[str, typer.Option(help="S, M or L: 20 thousand, 100 thousand or a million users.")] = "S",
    threads: Annotated[int, typer.Option(min=1, max=64)] = os.cpu_count() or 1,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Whole runs instead: first-daily, frequent, frequent-empty, hourly, daily-after, all."),
    ] = None,
) -> None:
    """Measure training, retrieval, ranking and writing on a simulated market, beside plain alternatives.

    With --scenario, which may be repeated, measure whole runs of the jobs, after a first daily one. It is made once in
    the folder; `--scenario first-daily` makes it again.
    """
    from pipelines.benchmarks.ranking import SIZES, run_benchmark
    from pipelines.benchmarks.scenarios import SCENARIOS, run_scenarios

    require_choice(size, tuple(SIZES), option="--size")
    for name in scenario or ():
        require_choice(name, (*SCENARIOS, "all"), option="--scenario")

    def on_step(line: str) -> None:
        err.print(escape(line))

    if scenario:
        found = run_scenarios(size, folder, SCENARIOS if "all" in scenario else scenario, on_step=on_step)
    else:
        found = run_benchmark(size, folder, n_threads=threads, on_step=on_step)
    out.print(found, markup=False, highlight=False, soft_wrap=True)


def tune(
    as_of: AsOf = None,
    trials: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Settings to try of each model; default in pipeline.yaml.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=90, help="The last days, held out to choose by.")] = None,
    users: Annotated[int | None, typer.Option(min=100, help="At most so many users to choose by.")] = None,
) -> None:
    """Choose the collaborative model, its parameters or a blend on held-out interactions."""
    from assets.training.tuning import keep_tuned
    from assets.training.tuning import tune as search

    found, config = workspace(), checked_config().pipeline
    instant = parse_instant(as_of) or dt.datetime.now(dt.UTC)
    with progress_bar() as progress:
        task = progress.add_task("trial", total=None)

        def on_trial(model: str, number: int, ndcg: float) -> None:
            progress.update(task, description=f"{model} {number + 1}: {ndcg:.4f}", advance=1)

        tuned, split = search(
            found, as_of=instant, n_trials=trials, held_out_days=days, max_users=users, on_trial=on_trial
        )
    with changed_workspace("tune") as kept_in:
        path = keep_tuned(kept_in.models, tuned, split, as_of=instant, config=config)
    out.print(f"split by {split.kind}: {escape(split.reason)}")
    print_table(out, _tuned_table(tuned))
    cut = "; the time ran out, another machine may choose otherwise" if tuned.is_cut_by_time else ""
    out.print(f"kept in {escape(str(path))}; the next `jobfeed run daily` fits it{cut}")


def _tuned_table(tuned: "Tuned") -> Table:
    """The best of each model by the users who chose; incumbent, challenger and choice by those who did not."""
    table = Table("", "NDCG@20", "model and settings", caption="below the line: users who did not choose")
    for name, (member, ndcg) in sorted(tuned.best.items(), key=lambda one: -one[1][1]):
        table.add_row(name, f"{ndcg:.4f}", _described([member]))
    table.add_section()
    table.add_row("incumbent", f"{tuned.incumbent_ndcg:.4f}", _described(tuned.incumbent))
    lower, upper = tuned.difference
    table.add_row("challenger", f"{tuned.challenger_ndcg:.4f}", f"difference {lower:+.4f} to {upper:+.4f}")
    table.add_row("chosen", f"{tuned.ndcg:.4f}", _described(tuned.members))
    return table


def _described(members: "Sequence[Member]") -> str:
    parts = []
    for member in members:
        chosen = ", ".join(f"{name} {value:.4g}" for name, value in member.as_json()["settings"].items())
        parts.append(
            f"{member.weight:.0%} {member.model}: {chosen}" if len(members) > 1 else f"{member.model}: {chosen}"
        )
    return "\n".join(parts)
