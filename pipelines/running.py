"""Runs a job in this process and prints its steps. The jobs are defined in jobs.py."""

import logging
import os
from datetime import datetime
from pathlib import Path

import dagster as dg
from rich.console import Console

from assets.resources import ANNOUNCE_TAG, AS_OF_TAG, Workspace
from pipelines.cli.terminal import visible

_NOT_RUN = "Dependencies for step"
PROJECT_FOLDER = Path(__file__).resolve().parent.parent


def run_job(name: str, *, as_of: datetime | None, console: Console, is_forced: bool = False) -> bool:
    """Runs the job `name` for `as_of` (None: now) and prints each step; returns whether it succeeded.

    `is_forced`: the result is announced even if it is of the future, empty, or older than what is served.
    """
    from pipelines.definitions import build_defs

    defs = build_defs(loggers={"console": progress_logger(console)})
    job = defs.resolve_job_def(name)
    tags = {AS_OF_TAG: as_of.isoformat()} if as_of is not None else {}
    if is_forced:
        tags[ANNOUNCE_TAG] = "always"
    os.environ.setdefault("DAGSTER_HOME", str(PROJECT_FOLDER))
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance, tags=tags, run_config={"loggers": {"console": {}}}, raise_on_error=False
        )
    return result.success


def run_features_and_models(workspace: Workspace, *, as_of: datetime, console: Console) -> bool:
    """Makes in `workspace` all that ranking reads, from the bronze tables that lie there; returns whether it succeeded.

    Nothing is ingested, and nothing is kept of the run but the tables and models.
    """
    from pipelines.definitions import build_defs

    feeds = dg.AssetSelection.assets("ranking/feeds")
    selection = (feeds.upstream() - feeds - dg.AssetSelection.groups("ingest")).without_checks()
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


def progress_logger(console: Console) -> dg.LoggerDefinition:
    """A Dagster logger that prints one line a finished step, failed checks, warnings and errors."""

    @dg.logger
    def progress(_context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("jobfeed", level=logging.DEBUG)
        logger.addHandler(_StepLines(console))
        return logger

    return progress


class _StepLines(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._has_reported_skipped = False

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
            error = event.step_failure_data.user_failure_data or event.step_failure_data.error
            cause = event.step_failure_data.error
            text = getattr(error, "description", None) or (cause.cause or cause).message if cause else str(error)
            self._console.print(f"  [red]failed[/] {event.step_key.replace('__', '/')}: {_plain(str(text))}")
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
