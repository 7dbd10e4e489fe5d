"""Runs of the jobs take turns: they write the same tables, so one waits for the other, in whatever way it was started.

The lock is the system's own and ends with the process that holds it, also if that is killed. If the data folder is the
working copy of an object store, a lease keeps other machines away too. A run whose turn does not come in time is
skipped; the next one does its work. Nothing here imports Dagster.
"""

import datetime as dt
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from assets.inventory import inventory_of_turn
from assets.lake import Lake, write_bytes
from assets.locks import LockedError, held
from assets.storage.lease import LeaseTakenError
from assets.storage.working_copy import copy_of

WAIT_SECONDS = 3600.0
_LOCK = "run"


class NoTurnError(LockedError):
    """Another run worked on the same data for as long as this one was to wait; this one has done nothing."""


@contextmanager
def run_turn(
    lake: Lake,
    *,
    job: str,
    wait_seconds: float = WAIT_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
    on_damage: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Holds the turn of a run of `job`. `on_wait` is told which other run it waits for. Raises NoTurnError.

    `on_damage` is told of each file that is gone since the last run and of what becomes of its content.
    In a process that has the turn already, nothing is waited for. Of a working copy the files are brought to what the
    store says, and stored at the end unless the block raised; that raises ObjectStoreError and LeaseLostError.
    """
    path, started = lake.lock_file(_LOCK), time.monotonic()
    holder = path.with_suffix(".json")
    if is_running(lake):
        on_wait(f"{job} waits for {_described(holder)}")
    with ExitStack() as stack:
        try:
            stack.enter_context(held(path, timeout_seconds=wait_seconds, is_of_process=True))
        except LockedError:
            raise NoTurnError(
                f"{_described(holder)} still works on {lake.root}; after {wait_seconds:.0f} s this run of {job} was "
                "skipped, and the next one does its work"
            ) from None
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        write_bytes(holder, json.dumps({"job": job, "process": os.getpid(), "since": now}).encode())
        if copy_of(lake) is not None:
            stack.enter_context(_turn_in_store(lake, job, wait_seconds - (time.monotonic() - started), on_wait))
        else:
            stack.enter_context(inventory_of_turn(lake, tell=on_damage))
        yield


@contextmanager
def _turn_in_store(lake: Lake, job: str, wait_seconds: float, on_wait: Callable[[str], None]) -> Iterator[None]:
    from assets.storage.turns import lake_turn  # most data lies in a folder

    with ExitStack() as stack:
        try:
            stack.enter_context(lake_turn(lake, job=job, wait_seconds=wait_seconds, on_wait=on_wait))
        except LeaseTakenError as error:
            raise NoTurnError(str(error)) from None
        yield


def turn_began_at(lake: Lake) -> dt.datetime | None:
    """When the run that has the turn took it, or the last one that had it; None if there was none."""
    try:
        began_at = lake.lock_file(_LOCK).with_suffix(".json").stat().st_mtime
    except FileNotFoundError:
        return None
    return dt.datetime.fromtimestamp(began_at, dt.UTC)


def is_running(lake: Lake) -> bool:
    """Whether another process has the turn."""
    try:
        with held(lake.lock_file(_LOCK), timeout_seconds=0, is_of_process=True):
            return False
    except LockedError:
        return True


def running_now(lake: Lake) -> str | None:
    """Which run of another process, or of another machine on the same store, works now; None if none does."""
    if lake.root.is_dir() and is_running(lake):
        return _described(lake.lock_file(_LOCK).with_suffix(".json"))
    if copy_of(lake) is None:
        return None
    from assets.storage.turns import running_elsewhere

    return running_elsewhere(lake)


def _described(holder: Path) -> str:
    try:
        run = json.loads(holder.read_bytes())
        return f"the run of {run['job']} that process {run['process']} began at {run['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just begun
        return "another run"
