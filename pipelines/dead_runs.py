"""Ends the records of runs whose process is gone, by a kill or with its machine: Dagster would count them as active.

Its monitoring can't see the process of a run of `jobfeed run` or of the default launcher. Every run that has begun has
the turn on the data folder or waits until another gives it back, but for the sender of digests, which locks the outbox.
So while nobody has either, no run that began a while ago is alive.
"""

import datetime as dt
import time

import dagster as dg

from assets.lake import Lake
from assets.locks import LockedError
from assets.run_turns import running_now
from assets.storage.snapshots import Part
from assets.storage.turns import LOCKS, running_elsewhere
from serving.contract.object_store import ObjectStoreError

_BEGUN = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
# A run takes its turn within seconds of its start, unless it waits for another.
_AFTER = dt.timedelta(minutes=10)
# Between two looks a run that waits takes the turn that was given back (it looks every 2 seconds at most), and the end
# of the run that gave it back is recorded.
_BETWEEN_LOOKS_SECONDS = 5.0
_SENDER = frozenset({dg.AssetKey(["digests", "digest_outbox"])})
_MESSAGE = (
    "its process was killed, or its machine was: the run never ended, and nobody works on the data any more. The next "
    "run does its work"
)


def end_dead_runs(instance: dg.DagsterInstance, lake: Lake, *, now: dt.datetime) -> list[dg.DagsterRun]:
    """Records as failed the runs that nobody works on any more, and returns them. This process may not have the turn.

    If the store can't be reached that would say whether another machine works, no run is taken for dead.
    """
    if not _dead(instance, lake, now=now):
        return []
    time.sleep(_BETWEEN_LOOKS_SECONDS)
    dead = _dead(instance, lake, now=now)
    for run in dead:
        instance.report_run_failed(run, _MESSAGE)
    return dead


def _dead(instance: dg.DagsterInstance, lake: Lake, *, now: dt.datetime) -> list[dg.DagsterRun]:
    begun = instance.get_runs(dg.RunsFilter(statuses=_BEGUN, updated_before=now - _AFTER))
    try:
        if not begun or running_now(lake) is not None:
            return []
        is_sending = any(map(_is_sender, begun)) and _is_sending(lake)
    except ObjectStoreError:
        return []
    return [run for run in begun if not (is_sending and _is_sender(run))]


def _is_sender(run: dg.DagsterRun) -> bool:
    return run.asset_selection == _SENDER


def _is_sending(lake: Lake) -> bool:
    try:
        with lake.lock(LOCKS[Part.OUTBOX], timeout_seconds=0):
            return running_elsewhere(lake, Part.OUTBOX) is not None
    except LockedError:
        return True
