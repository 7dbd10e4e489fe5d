"""Runs a job in this process and prints its steps. The jobs are defined in jobs.py."""

import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from assets.config.files import config_file
from assets.config.pipeline import Pipeline
from assets.config.yaml_files import load_file
from assets.damage import rebuild_due
from assets.resources import ANNOUNCE_TAG, AS_OF_TAG, Workspace
from assets.run_ledger import COVERED
from assets.run_turns import WAIT_SECONDS, run_turn
from features.errors import JobfeedError
from pipelines.alert_channels import AlertError
from pipelines.alerts import tell_of_run
from pipelines.cli.terminal import visible
from pipelines.dead_runs import end_dead_runs
from pipelines.environment import PROJECT_FOLDER, config_folder, dagster_folders, workspace_from_environment
from pipelines.failures import cause_of
from pipelines.records import SETTINGS, open_instance
from serving.contract import logs

_NOT_RUN = "Dependencies for step"
_HOME_VARIABLE = "DAGSTER_HOME"
_WIDEST = "daily"
_LOG = logs.get_logger("run")


@dataclass(frozen=True)
class RunSummary:
    """What a run did. A figure is None if the run did not get so far, or its job does not compute it.

    `announced`: whether the generation is served now. `n_jobs` and `n_users` are those of the generation.
    `nothing_new_since`: the instant of the last run, if there was nothing to do any more when the run's turn came.
    """

    succeeded: bool
    generation: str | None = None
    announced: str | None = None
    n_jobs: int | None = None
    n_users: int | None = None
    n_ranked_feeds: int | None = None
    n_quarantined: int | None = None
    nothing_new_since: str | None = None

    def line(self) -> str:
        """The figures that are known, as one line."""
        figures = (
            (self.n_jobs, "jobs"), (self.n_users, "users"), (self.n_ranked_feeds, "feeds ranked"),
            (self.n_quarantined, "entries quarantined"),
        )  # fmt: skip
        parts = [f"{n:,} {what}" for n, what in figures if n is not None]
        if self.generation is not None:
            parts.append(f"generation {self.generation} ({self.announced})")
        return ", ".join(parts)


def summary_of(result: dg.ExecuteInProcessResult) -> RunSummary:
    """The figures that the run's assets reported."""
    made = {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }

    def value(asset: str, name: str) -> Any:
        return made[asset][name].value if name in made.get(asset, {}) else None

    ingested = [value(asset, "n_quarantined") for asset in made if asset.startswith("bronze/")]
    quarantined = [n for n in ingested if n is not None]
    return RunSummary(
        succeeded=result.success,
        generation=value("publishing/generation", "generation"),
        announced=value("publishing/generation", "announced"),
        n_jobs=value("publishing/generation", "n_jobs"),
        n_users=value("publishing/generation", "dagster/row_count"),
        n_ranked_feeds=value("ranking/feeds", "n_ranked"),
        n_quarantined=sum(quarantined) if quarantined else None,
    )


class DagsterHomeError(JobfeedError, RuntimeError):
    """The records of runs can't be kept; the message says why."""


def run_job(
    name: str,
    *,
    as_of: datetime | None,
    console: Console,
    is_forced: bool = False,
    wait_seconds: float = WAIT_SECONDS,
    nothing_new: Callable[[], str | None] = lambda: None,
) -> RunSummary:
    """Runs the job `name` for `as_of` (None: when its turn comes), prints each step, and returns what came of it.

    `is_forced`: the result is announced even if it is of the future, empty, or older than what is served. Raises
    NoTurnError if another run still works after `wait_seconds`. If files are damaged, a daily run makes them anew.
    `nothing_new` is asked once the run has waited: the other one may have done its work.
    """
    tags = {AS_OF_TAG: as_of.isoformat()} if as_of is not None else {}
    if is_forced:
        tags[ANNOUNCE_TAG] = "always"
    _require_dagster_home()
    logs.configure_logs()
    lake = workspace_from_environment().lake

    def on_damage(text: str) -> None:
        console.print(f"  [yellow]error[/] {_plain(text)}")

    waited_for: list[str] = []

    def on_wait(text: str) -> None:
        waited_for.append(text)
        console.print(f"  {_plain(text)}")

    with _records() as instance:
        for dead in end_dead_runs(instance, lake, now=datetime.now(UTC)):
            console.print(f"  run {dead.run_id} of {dead.job_name} was killed and is recorded as failed now")
            _tell_operators(instance, dead, succeeded=False, console=console)
        with run_turn(lake, job=name, wait_seconds=wait_seconds, on_wait=on_wait, on_damage=on_damage):
            if waited_for and (since := nothing_new()) is not None:
                return RunSummary(succeeded=True, nothing_new_since=since)
            was_due = rebuild_due(lake)
            if was_due is not None and name in COVERED and name != _WIDEST:
                console.print(f"  {was_due}: daily in place of {name} makes them anew")
            result = _executed(_WIDEST if was_due is not None and name in COVERED else name, instance, tags, console)
            if not result.success and was_due is None and rebuild_due(lake) is not None:
                console.print("  daily makes anew what was set aside")
                result = _executed(_WIDEST, instance, tags, console)
    return summary_of(result)


def _executed(
    name: str, instance: dg.DagsterInstance, tags: Mapping[str, str], console: Console
) -> dg.ExecuteInProcessResult:
    from pipelines.definitions import build_defs
    from pipelines.step_threads import execute

    # On a terminal progress for people, else lines for machines; both tell of the same.
    is_logged = logs.is_json(os.environ, stream=sys.stderr)
    logger = message_logger() if is_logged else progress_logger(console)
    job = build_defs(loggers={"console": logger}, is_logged=is_logged).resolve_job_def(name)
    result = execute(job, instance=instance, tags=tags, run_config={"loggers": {"console": {}}})
    _tell_operators(instance, result.dagster_run, succeeded=result.success, console=console)
    return result


@contextmanager
def _records() -> Iterator[dg.DagsterInstance]:
    """Dagster's records of runs. Raises DagsterHomeError if they can't be kept."""
    try:
        with open_instance(Path(os.environ[_HOME_VARIABLE])) as instance:
            yield instance
    except Exception as error:
        # The optional package for PostgreSQL and the one that migrates the records have errors of their own.
        own = type(error).__module__.startswith(("dagster_postgres", "alembic"))
        if own or isinstance(error, SQLAlchemyError | sqlite3.Error):
            raise DagsterHomeError(_records_problem(error, Path(os.environ[_HOME_VARIABLE]))) from error
        raise


def _records_problem(error: Exception, home: Path) -> str:
    """What is wrong with Dagster's records, and what to do; they lie in a folder or in PostgreSQL."""
    beneath = error.__cause__ or error.__context__
    cause = getattr(error, "orig", None) or getattr(beneath, "orig", None) or error
    reason = str(cause).strip().splitlines()[0]
    if type(cause).__module__.startswith(("psycopg", "dagster_postgres")):
        return (
            f"the records of runs in PostgreSQL can't be used: {reason}. Look at `storage` in {home / 'dagster.yaml'} "
            "and whether the server runs"
        )
    return (
        f"the records of runs in {home / '.dagster'} can't be used: {reason}. If another process holds them, end it; "
        "if they are damaged, move the folder away, which loses the history of runs and nothing else"
    )


def _tell_operators(instance: dg.DagsterInstance, run: dg.DagsterRun, *, succeeded: bool, console: Console) -> None:
    """Sends alerts, of which a failure is said and fails no run."""
    settings = load_file(config_file(config_folder(), "pipeline.yaml"), Pipeline)
    try:
        tell_of_run(instance, run, succeeded=succeeded, settings=settings, environment=os.environ)
    except AlertError as error:
        if logs.is_json(os.environ, stream=sys.stderr):
            _LOG.error("alerts were not sent", run_id=run.run_id, reason=str(error))
        else:
            console.print(f"  [yellow]warning[/] alerts were not sent: {_plain(str(error))}")


def _require_dagster_home() -> None:
    """Raises DagsterHomeError if Dagster's records can't be kept where DAGSTER_HOME says; default the project."""
    home = Path(os.environ.setdefault(_HOME_VARIABLE, str(PROJECT_FOLDER)))
    # With settings, only the folders of the records are written to: the home may be a checkout of root's.
    kept_in = dagster_folders() if (home / SETTINGS).is_file() else []
    unwritable = [folder for folder in kept_in or [home] if not os.access(folder, os.W_OK | os.X_OK)]
    problem = (
        "is not an absolute path" if not home.is_absolute()
        else "is not a folder" if not home.is_dir()
        else f"{unwritable[0]} can't be written by this user" if unwritable
        else None
    )  # fmt: skip
    if problem is not None:
        raise DagsterHomeError(f"DAGSTER_HOME {home}: {problem}; name the folder for the records of runs")


def run_features_and_models(workspace: Workspace, *, as_of: datetime, console: Console) -> bool:
    """Makes in `workspace` all that ranking reads, from the bronze tables that lie there; returns whether it succeeded.

    Nothing is ingested, and nothing is kept of the run but the tables and models.
    """
    from pipelines.definitions import build_defs

    feeds = dg.AssetSelection.assets("ranking/feeds")
    selection = (feeds.upstream() - feeds - dg.AssetSelection.groups("ingest", "landing")).without_checks()
    job = dg.define_asset_job("evaluation", selection)
    defs = build_defs(workspace, loggers={"console": progress_logger(console)}, jobs=[job])
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("evaluation").execute_in_process(
            instance=instance,
            tags={AS_OF_TAG: as_of.isoformat()},
            run_config={"loggers": {"console": {}}},
            raise_on_error=False,
        )
    return result.success


def message_logger() -> dg.LoggerDefinition:
    """A Dagster logger of warnings and errors that assets tell; steps and checks are the observer's."""

    @dg.logger
    def messages(_context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("jobfeed", level=logging.WARNING)
        logger.addHandler(_MessageLines())
        return logger

    return messages


class _MessageLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", {})
        message = meta.get("orig_message") or record.getMessage()
        if getattr(record, "dagster_event", None) is not None or message.startswith(_NOT_RUN):
            return
        step = (meta.get("step_key") or "").replace("__", "/") or None
        tell = _LOG.error if record.levelno >= logging.ERROR else _LOG.warning
        tell("a step tells", run_id=meta.get("run_id"), job=meta.get("job_name"), step=step, reason=message)


def progress_logger(console: Console) -> dg.LoggerDefinition:
    """A Dagster logger that prints one line a finished step, failed checks, warnings and errors."""
    lines = _StepLines(console)  # one for all loggers that Dagster makes of a run

    @dg.logger
    def progress(_context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("jobfeed", level=logging.DEBUG)
        logger.addHandler(lines)
        return logger

    return progress


class _StepLines(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._has_reported_skipped = False
        self._has_failed_step = False

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None)
        if event is None:
            if record.levelno >= logging.WARNING:
                message = getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage()
                self._problem(record.levelname.lower(), message)
        elif event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            seconds = event.step_success_data.duration_ms / 1000
            self._console.print(f"  [green]done[/] {event.step_key.replace('__', '/'):<34} {seconds:7.1f} s")
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            text = _plain(cause_of(event.step_failure_data))
            self._has_failed_step = True
            self._console.print(f"  [red]failed[/] {event.step_key.replace('__', '/')}: {text}")
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE and not self._has_failed_step:
            # Nothing of the run has said why: it failed outside of its steps.
            error = event.job_failure_data.error
            text = (error.cause or error).message if error else event.message
            self._console.print(f"  [red]failed[/] {_plain(str(text))}")
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                self._console.print(f"  [red]check failed[/] {check.asset_key.to_user_string()}: {check.check_name}")

    def _problem(self, level: str, message: str) -> None:
        """Prints a warning or an error. After a failure Dagster logs an error for every step that is not run; only the
        first of those is printed, so that they do not hide the failure."""
        if not message.startswith(_NOT_RUN):
            self._console.print(f"  [yellow]{level}[/] {_plain(message)}")
        elif not self._has_reported_skipped:
            self._has_reported_skipped = True
            self._console.print("  steps that need what failed are not run")


def _plain(text: str) -> str:
    return "\n".join(map(visible, text.strip().splitlines())).replace("[", "\\[")
