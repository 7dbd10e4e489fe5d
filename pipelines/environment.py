"""Reads from the environment which folders and configuration the commands and the definitions use."""

import datetime as dt
import os
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assets import run_ledger
from assets.config.files import SHIPPED_VOCABULARY
from assets.lake import Lake
from assets.run_outcomes import note_nothing_new as note_outcome

if TYPE_CHECKING:
    from assets.resources import Workspace


DATA_VARIABLE = "JOBFEED_DATA"
METRICS_FOLDER_VARIABLE = "JOBFEED_METRICS_DIR"
PUSHGATEWAY_VARIABLE = "JOBFEED_PUSHGATEWAY"
PROJECT_FOLDER = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """The folder that JOBFEED_DATA names; default `./data`."""
    return Path(os.environ.get(DATA_VARIABLE) or "data").resolve()


def config_folder() -> Path | None:
    """The folder that JOBFEED_CONFIG names; None for the shipped files."""
    named = os.environ.get("JOBFEED_CONFIG") or ""
    return Path(named).resolve() if named else None


def dagster_folders() -> list[Path]:
    """Where Dagster keeps its records of runs in DAGSTER_HOME (the project): by our dagster.yaml, or without one."""
    home = Path(os.environ.get("DAGSTER_HOME") or PROJECT_FOLDER)
    return [home / name for name in (".dagster", "history", "storage", "schedules") if (home / name).is_dir()]


def workspace_from_environment() -> "Workspace":
    """The workspace of these folders."""
    from assets.resources import Workspace

    return Workspace(data_dir=str(data_folder()), config_dir=str(config_folder() or ""))


def metrics_are_on() -> bool:
    """Whether anybody is to get metrics."""
    return bool(os.environ.get(METRICS_FOLDER_VARIABLE) or os.environ.get(PUSHGATEWAY_VARIABLE))


def note_nothing_new(job: str) -> None:
    """Notes, for status and metrics, that a run of `job` had nothing to do; without Dagster."""
    try:
        outcome = note_outcome(Lake(data_folder() / "lake"), job, at=round(time.time(), 3))
    except OSError:
        return  # a disk that is full or read-only stops no run that writes nothing else
    if outcome is not None and metrics_are_on():
        from pipelines.metrics import report_run

        report_run(outcome, environment=os.environ)


def nothing_new_since(job: str, as_of: dt.datetime) -> dt.datetime | None:
    """When the last run was if a run of `job` for `as_of` would find nothing new, else None; without Dagster."""
    data, config = data_folder(), config_folder()
    try:
        made_by = run_ledger.made_by(config, SHIPPED_VOCABULARY, version("jobfeed"))
    except OSError:
        return None  # the run itself says what is wrong with the configuration
    try:
        return run_ledger.nothing_new_since(
            Lake(data / "lake"), data / "landing", data / "published", job=job, as_of=as_of, made_by=made_by
        )
    except (pl.exceptions.PolarsError, ValueError, KeyError):
        return None  # a file is damaged, which the run finds and mends
