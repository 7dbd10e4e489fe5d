"""Dagster's records of runs: where they lie, and how long they are kept."""

import datetime as dt
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

# A run leaves up to 2 MB; those of every quarter of an hour would soon be all there is.
KEPT: Mapping[str, dt.timedelta] = {"frequent": dt.timedelta(days=2), "hourly": dt.timedelta(days=7)}
KEPT_OTHERS = dt.timedelta(days=60)
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_AT_ONCE = 200
SETTINGS = "dagster.yaml"
_FIRST_SETTINGS = "telemetry:\n  enabled: false\n"


def open_instance(home: Path) -> dg.DagsterInstance:
    """The instance of `home`. Relative folders in its dagster.yaml lie in `home`, whatever the working folder is.

    A home without a dagster.yaml gets one: without it, Dagster reports to its makers and prints how to end that.
    """
    settings = home / SETTINGS
    with suppress(FileExistsError), settings.open("x", encoding="utf-8") as file:
        file.write(_FIRST_SETTINGS)
    stated = yaml.safe_load(settings.read_text(encoding="utf-8")) if settings.is_file() else None
    overrides = {name: _inside(home, part) for name, part in (stated or {}).items() if _inside(home, part) != part}
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))


def drop_old_records(instance: dg.DagsterInstance, *, now: dt.datetime) -> int:
    """Deletes the records and logs of ended runs that are older than KEPT says; returns how many runs."""
    n_dropped = 0
    named = {job: now - kept for job, kept in KEPT.items()}
    for job, before in [*named.items(), (None, now - KEPT_OTHERS)]:
        wanted = dg.RunsFilter(job_name=job, statuses=_ENDED, created_before=before)
        while runs := instance.get_runs(wanted, limit=_AT_ONCE):
            for run in runs:
                _drop(instance, run.run_id)
            n_dropped += len(runs)
    if n_dropped:
        _shrink(instance)
    return n_dropped


def _inside(home: Path, value: Any) -> Any:
    """Settings with every relative `base_dir` in `home`."""
    if not isinstance(value, dict):
        return value
    return {
        name: os.fspath(home / part) if name == "base_dir" and isinstance(part, str) else _inside(home, part)
        for name, part in value.items()
    }


def _drop(instance: dg.DagsterInstance, run_id: str) -> None:
    instance.delete_run(run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    events = instance.event_log_storage
    if isinstance(events, SqliteEventLogStorage):  # a file a run, which Dagster only empties
        for suffix in ("", "-wal", "-shm"):
            Path(f"{events.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)


def _shrink(instance: dg.DagsterInstance) -> None:
    """Gives the space of deleted rows back; without it SQLite keeps the rows' bytes, too."""
    events = instance.event_log_storage
    if not isinstance(events, SqliteEventLogStorage):
        return
    index = Path(events.path_for_shard("index"))
    for path in (index, index.parent.parent / "runs.db"):
        with suppress(sqlite3.OperationalError):  # another run writes; the next one does it
            if path.exists():
                with closing(sqlite3.connect(path, isolation_level=None)) as con:
                    con.execute("vacuum")
