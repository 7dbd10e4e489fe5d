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
from assets.locks import LockedError
from assets.run_outcomes import note_nothing_new as note_outcome
from assets.run_turns import run_turn
from assets.storage.landing_mirror import own_landing_folder
from assets.storage.working_copy import copy_of, working_copy
from serving.contract.cache import cache_folder
from serving.contract.object_store import ObjectStoreError, StoreUrlError, is_store_url

if TYPE_CHECKING:
    from assets.resources import Workspace


DATA_VARIABLE = "JOBFEED_DATA"
METRICS_FOLDER_VARIABLE = "JOBFEED_METRICS_DIR"
PUSHGATEWAY_VARIABLE = "JOBFEED_PUSHGATEWAY"
PROJECT_FOLDER = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """The folder that JOBFEED_DATA names; default `./data`. Of an object store it is the working copy on this machine.

    Raises StoreUrlError.
    """
    named = os.environ.get(DATA_VARIABLE) or "data"
    if is_store_url(named):
        return working_copy(named, cache_folder()).root
    if "://" in named:
        raise StoreUrlError(f"{DATA_VARIABLE} is {named!r}; it names a folder, or a bucket as s3://bucket/prefix")
    return Path(named).expanduser().resolve()


def landing_folder() -> Path:
    """The folder of landed files: the one that JOBFEED_LANDING names, else `landing` in the data folder."""
    return own_landing_folder() or data_folder() / "landing"


def config_folder() -> Path | None:
    """The folder that JOBFEED_CONFIG names; None for the shipped files."""
    named = os.environ.get("JOBFEED_CONFIG") or ""
    return Path(named).expanduser().resolve() if named else None


def dagster_folders() -> list[Path]:
    """Where Dagster keeps its records of runs in DAGSTER_HOME (the project): by our dagster.yaml, or without one."""
    home = Path(os.environ.get("DAGSTER_HOME") or PROJECT_FOLDER)
    return [home / name for name in (".dagster", "history", "storage", "schedules") if (home / name).is_dir()]


def workspace_from_environment() -> "Workspace":
    """The workspace of these folders."""
    from assets.resources import Workspace

    own_landing = str(own_landing_folder() or "")
    return Workspace(data_dir=str(data_folder()), config_dir=str(config_folder() or ""), landing_dir=own_landing)


def refreshed(workspace: "Workspace") -> "Workspace":
    """The workspace, with what an object store holds now if it is a working copy. Raises ObjectStoreError."""
    if copy_of(workspace.lake) is not None:
        from assets.storage.turns import refresh

        refresh(workspace.lake)
    return workspace


def metrics_are_on() -> bool:
    """Whether anybody is to get metrics."""
    return bool(os.environ.get(METRICS_FOLDER_VARIABLE) or os.environ.get(PUSHGATEWAY_VARIABLE))


def note_nothing_new(job: str) -> None:
    """Notes, for status and metrics, that a run of `job` had nothing to do; without Dagster."""
    lake = Lake(data_folder() / "lake")
    try:
        if copy_of(lake) is None:
            outcome = note_outcome(lake, job, at=round(time.time(), 3))
        else:
            with run_turn(lake, job=job, wait_seconds=0):
                outcome = note_outcome(lake, job, at=round(time.time(), 3))
    except (OSError, LockedError, ObjectStoreError):
        return  # a disk that is full, another run or a store that is away stops no run that writes nothing else
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
        refreshed(workspace_from_environment())
        return run_ledger.nothing_new_since(
            Lake(data / "lake"), landing_folder(), data / "published", job=job, as_of=as_of, made_by=made_by
        )
    except (pl.exceptions.PolarsError, ValueError, KeyError):
        return None  # a file is damaged, which the run finds and mends
    except ObjectStoreError:
        return None  # which the run says
