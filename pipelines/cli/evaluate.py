"""`jobfeed evaluate`: holds interactions out, replays the pipeline without them, and judges every list by them."""

import datetime as dt
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipelines.cli.terminal import checked_config, err, fail, out, parse_instant, print_table, require_choice, workspace

if TYPE_CHECKING:
    import polars as pl

    from assets.evaluation.evaluation import Evaluation
    from assets.evaluation.holdout import Replay
    from assets.resources import Workspace

HOLDOUTS = ("time", "random")
_SHOWN = ("ndcg@20", "recall@20", "mrr@20", "hit_rate@20", "coverage@20")
_COMPARED = ("ndcg@20", "recall@20")
_DAY_SECONDS = 86_400
_WORK = "work"
_SALT = "evaluation"


def evaluate(
    holdout: Annotated[str, typer.Option(help="time: the last days; random: a share of the pairs.")] = "time",
    days: Annotated[int, typer.Option(min=1, max=90, help="With time: the days that are held out.")] = 7,
    share: Annotated[float, typer.Option(min=0.01, max=0.9, help="With random: the share that is held out.")] = 0.2,
    landing: Annotated[Path | None, typer.Option(help="Landing files to evaluate on, instead of the lake.")] = None,
    until: Annotated[str | None, typer.Option(help="The last instant to use; default: the last event.")] = None,
    max_users: Annotated[int, typer.Option(min=10, help="Judge at most so many users, a fixed sample.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the random hold-out and of the intervals.")] = 1,
    compare: Annotated[tuple[str, str] | None, typer.Option(help="Compare two runs instead of making one.")] = None,
) -> None:
    """Judge every recipe and plain baselines by held-out interactions."""
    from assets.evaluation.results import EVALUATIONS, work_folders
    from assets.work_folders import work_folder

    require_choice(holdout, HOLDOUTS, option="--holdout")
    found = workspace()
    evaluations = Path(found.data_dir) / EVALUATIONS
    if compare is not None:
        _compare(evaluations, *compare, seed=seed)
        return
    checked_config()
    if landing is not None and not landing.is_dir():
        raise typer.BadParameter(f"{landing} is not a folder", param_hint="--landing")
    now = dt.datetime.now(dt.UTC)
    folder = evaluations / f"{holdout}-{now:%Y%m%dT%H%M%SZ}"
    before = parse_instant(until) or now
    for left in evaluations.glob(f"*/{_WORK}"):
        # Of a killed run of an older version: a younger one may be of a run that still goes on.
        if now.timestamp() - left.stat().st_mtime > _DAY_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with work_folder(work_folders(evaluations)) as work:
        source = _source(found, work, landing, now=now)
        replay, what = _hold_out(source, work, (holdout, days, share, seed), before=before, restate=landing is not None)
        made = work / folder.name
        judged = _judge(replay, made, what, (max_users, seed), source=str(landing or source.lake.root))
        made.rename(folder)  # a run that is killed before leaves nothing that names users
    _print_judged(judged, what, folder)


def _source(found: "Workspace", work: Path, landing: Path | None, *, now: dt.datetime) -> "Workspace":
    """The workspace itself, or one whose lake holds the landing files."""
    from assets.evaluation.landing import ingest_landing
    from assets.resources import Workspace

    if landing is None:
        return found
    source = Workspace(data_dir=str(work / "source"), config_dir=found.config_dir)
    ingest_landing(source, landing.resolve(), as_of=now, on_step=_step)
    return source


def _hold_out(
    source: "Workspace", work: Path, split: tuple[str, int, float, int], *, before: dt.datetime, restate: bool
) -> tuple["Replay", str]:
    """The replay, and what it holds out as a sentence."""
    from assets.evaluation.holdout import hold_out_last_days, hold_out_pairs, last_event_at

    holdout, days, share, seed = split
    last = last_event_at(source.lake, before=before)
    _step(f"hold-out of the events up to {last:%Y-%m-%d %H:%M} UTC")
    if holdout == "time":
        replay = hold_out_last_days(source, work, days=days, until=last, restate=restate)
        period = f"from {replay.as_of:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        return replay, f"All interactions of the last {days} days, {period}."
    replay = hold_out_pairs(source, work, share=share, seed=seed, salt=_SALT, until=last)
    return replay, (
        f"A random {share:.0%} of all pairs of user and job (seed {seed}). Times are taken to have no meaning: the "
        "other events were moved to the day before the cut."
    )


def _judge(replay: "Replay", folder: Path, what: str, sampling: tuple[int, int], *, source: str) -> "Evaluation":
    """Judges the lists of the replay, writes the results into `folder` and returns them."""
    from assets.evaluation.evaluation import evaluate as judge
    from assets.evaluation.report import render_report
    from assets.evaluation.results import About, write_results
    from pipelines.running import run_features_and_models

    _step(f"features and models as of {replay.as_of:%Y-%m-%d %H:%M} UTC")
    if not run_features_and_models(replay.workspace, as_of=replay.as_of, console=err):
        fail("the pipeline failed on the data without what is held out; see above")
    max_users, seed = sampling
    found = judge(replay, max_users=max_users, seed=seed, on_step=_step)
    about = About(
        name=folder.name,
        holdout=what,
        source=source,
        as_of=replay.as_of,
        until=replay.until,
        seed=seed,
        pairs_digest=found.pairs_digest,
        recipes=found.recipes,
        default_recipe=found.default_recipe,
        counts=found.counts,
    )
    write_results(folder, about, found, render_report(about, found))
    return found


def _print_judged(found: "Evaluation", what: str, folder: Path) -> None:
    from assets.evaluation.results import REPORT_FILE

    out.print(escape(what))
    print_table(out, _table(found))
    out.print(
        f"{found.counts.n_judged_users:,} users judged by {found.counts.n_judged_pairs:,} held-out interactions on "
        f"{found.counts.n_jobs:,} open jobs; the report is {escape(str(folder / REPORT_FILE))}",
        soft_wrap=True,
    )


def _table(found: "Evaluation") -> Table:
    """The lists by NDCG@20 with its interval; the best of a column in bold."""
    import polars as pl

    from assets.evaluation.report import ordered_lists, title_of
    from assets.evaluation.results import totals

    every = totals(found.summary)
    headers = [title_of(metric).partition("@")[0] for metric in _SHOWN]
    table = Table("list", headers[0], "95 %", *headers[1:], title="the first 20 of every list", title_justify="left")
    values = every.pivot("metric", index="list", values="estimate")
    best = {metric: values[metric].max() for metric in _SHOWN}
    for name in ordered_lists(found.summary):
        row = values.row(by_predicate=pl.col("list") == name, named=True)
        main = every.row(by_predicate=(pl.col("list") == name) & (pl.col("metric") == _SHOWN[0]), named=True)
        cells = [
            f"[bold]{row[metric]:.3f}[/]" if row[metric] == best[metric] else f"{row[metric]:.3f}" for metric in _SHOWN
        ]
        label = escape(name) if name in found.recipes else f"[dim]{escape(name)}[/]"
        table.add_row(label, cells[0], f"{main['lower']:.3f}–{main['upper']:.3f}", *cells[1:])
    return table


def _compare(evaluations: Path, before: str, after: str, *, seed: int) -> None:
    from assets.evaluation.results import compare

    print_table(out, _differences(compare(evaluations, before, after, seed=seed)))


def _differences(found: "pl.DataFrame") -> Table:
    """A row for each list and shown metric; differences whose interval does not hold 0 in bold."""
    import polars as pl

    from assets.evaluation.report import title_of

    n_users = int(found["n_users"].max() or 0)  # type: ignore[arg-type]
    headers = ("before", "after", "difference", "95 %")
    table = Table("list", "metric", *headers, title=f"{n_users:,} users judged by both", title_justify="left")
    for row in found.filter(pl.col("metric").is_in(_COMPARED)).iter_rows(named=True):
        difference = f"{row['difference']:+.4f}"
        is_clear = row["lower"] > 0 or row["upper"] < 0
        table.add_row(
            escape(row["list"]),
            title_of(row["metric"]),
            f"{row['before']:.4f}",
            f"{row['after']:.4f}",
            f"[bold]{difference}[/]" if is_clear else difference,
            f"{row['lower']:+.3f} to {row['upper']:+.3f}",
        )
    return table


def _step(name: str) -> None:
    err.print(f"[dim]{escape(name)}[/]")
