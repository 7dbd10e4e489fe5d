"""After a step failed: looks whether a damaged file is the cause, and sets it aside so that the next run succeeds."""

import datetime as dt
from collections.abc import Iterator

from dagster import DagsterEvent

from assets.damage import find_damage, set_aside
from assets.lake import Lake


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
