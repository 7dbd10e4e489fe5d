"""What only a daily run mends: damaged files, which are set aside after a step failed, and tables of a past day.

A first run is such a case too.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
from dagster import DagsterEvent

from assets.damage import Damage, find_damage, rebuild_due, rebuild_noted_at, set_aside
from assets.inventory import altered_files
from assets.lake import Lake
from assets.resources import BACKFILL_JOB, Workspace
from pipelines.dead_runs import end_dead_runs
from pipelines.jobs import ACTIVE

_MODEL_OF_DAILY = "also_applied.npz"  # weekly makes others


def is_unexplained(event: DagsterEvent) -> bool:
    """Whether a step failed by an error that it does not explain itself, as a failed check of a generation does."""
    return event.is_step_failure and getattr(event.step_failure_data, "user_failure_data", None) is None


def mend(lake: Lake) -> Iterator[str]:
    """Sets damaged files aside; a sentence for each: the file, what is wrong, and what becomes of its content."""
    from assets.training.assets import MODEL_LOADERS  # imports what only a failed run needs here

    yield from _set_aside(lake, find_damage(lake, lake.root.parent / "models", classes=MODEL_LOADERS))


def verify(lake: Lake, *, has_turn: bool = False) -> Iterator[str]:
    """As `mend`, of files whose bytes are not those that were written; reads all of them. `has_turn`: see inventory."""
    altered = altered_files(lake, has_turn=has_turn)
    yield from _set_aside(lake, [Damage(path, "its bytes are not those that were written") for path in altered])


def _set_aside(lake: Lake, found: list[Damage]) -> Iterator[str]:
    yield from set_aside(lake, lake.root.parent / "models", found, at=dt.datetime.now(dt.UTC))
    if found:
        yield "run `jobfeed run daily`, which makes anew what was set aside; `jobfeed run` of any job does so by itself"


def daily_first(lake: Lake) -> str | None:
    """Why a daily run must come before one that adds to its tables and models; None if any may come."""
    if (reason := rebuild_due(lake)) is not None:
        return reason
    is_trained = (lake.root.parent / "models" / "training" / _MODEL_OF_DAILY).is_file()
    return None if is_trained else f"{lake.root.parent} has no models of a daily run yet"


@dg.sensor(
    job_name="daily",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a daily run once damaged files were set aside, or past days were computed. Ends dead runs.",
)
def rebuild(context: dg.SensorEvaluationContext, workspace: Workspace) -> dg.RunRequest | dg.SkipReason:
    """One run for each time that a rebuild was noted; while past days are computed, none."""
    # Here too, as schedules look only at their times, and queued runs wait behind dead ones.
    end_dead_runs(context.instance, workspace.lake, now=dt.datetime.now(dt.UTC))
    noted_at = rebuild_noted_at(workspace.lake)
    if noted_at is None:
        return dg.SkipReason("no file is damaged, and the tables are not of the past")
    if context.instance.get_runs(dg.RunsFilter(job_name=BACKFILL_JOB, statuses=ACTIVE), limit=1):
        return dg.SkipReason(f"runs of {BACKFILL_JOB} are active")
    return dg.RunRequest(run_key=f"rebuild {noted_at}")
