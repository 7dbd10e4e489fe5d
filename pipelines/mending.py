"""After a step failed: looks whether a damaged file is the cause, and sets it aside so that the next run succeeds."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
from dagster import DagsterEvent

from assets.damage import find_damage, rebuild_noted_at, set_aside
from assets.lake import Lake
from assets.resources import Workspace


def is_unexplained(event: DagsterEvent) -> bool:
    """Whether a step failed by an error that it does not explain itself, as a failed check of a generation does."""
    return event.is_step_failure and getattr(event.step_failure_data, "user_failure_data", None) is None


def mend(lake: Lake) -> Iterator[str]:
    """Sets damaged files aside; a sentence for each: the file, what is wrong, and what becomes of its content."""
    from assets.training.assets import MODEL_LOADERS  # imports what only a failed run needs here

    models = lake.root.parent / "models"
    found = find_damage(lake, models, classes=MODEL_LOADERS)
    yield from set_aside(lake, models, found, at=dt.datetime.now(dt.UTC))
    if found:
        yield "run `jobfeed run daily`, which makes anew what was set aside; `jobfeed run` of any job does so by itself"


@dg.sensor(
    job_name="daily",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a daily run once damaged files were set aside, to make their content anew.",
)
def damaged_files(workspace: Workspace) -> dg.RunRequest | dg.SkipReason:
    """One run for each time that files were set aside."""
    noted_at = rebuild_noted_at(workspace.lake)
    return dg.RunRequest(run_key=f"rebuild {noted_at}") if noted_at else dg.SkipReason("no file is damaged")
