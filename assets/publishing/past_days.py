"""Which past days the job `daily_backfill` has computed, as partitions of an asset."""

import datetime as dt
from typing import Any

import dagster as dg

from assets.declare import asset
from assets.publishing import generations
from assets.resources import RunClock, Workspace
from serving.contract.generation import Manifest

# The scheduled daily run begins at this hour, UTC. A day can be chosen as soon as its instant has come. Days before the
# first one are computed by `jobfeed run daily --as-of`.
_HOUR = 2
DAYS = dg.DailyPartitionsDefinition("2025-01-01", hour_offset=_HOUR, timezone="UTC", end_offset=1)


def instant_of(day: str) -> dt.datetime:
    """The instant that the partition `day` (YYYY-MM-DD) is computed for, in UTC."""
    return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(_HOUR), tzinfo=dt.UTC)


@asset(
    "publishing/past_days",
    deps=["publishing/generation"],
    kinds=("duckdb", "parquet"),
    kept_by=None,
    partitions_def=DAYS,
)
def past_days(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[None]:
    """The generation of each day that the job `daily_backfill` computed. It is kept like any other generation.

    The tables of the lake hold one instant, so that no other asset has partitions.
    """
    as_of = instant_of(context.partition_key)
    if clock.as_of(context) != as_of:
        raise dg.Failure(
            f"the run computes for {clock.as_of(context).isoformat()}, and the partition is {as_of.isoformat()}; past "
            "days are computed by the job daily_backfill, which states the instant of each day itself",
            allow_retries=False,
        )
    made = _newest_of(workspace, as_of)
    served = generations.current_generation(workspace.published)
    metadata: dict[str, Any] = {
        "generation": made.generation,
        "is_served": made.generation == served,
        "dagster/row_count": made.rows("feeds"),
        "n_jobs": made.rows("jobs"),
    }
    return dg.Output(None, metadata=metadata)


def _newest_of(workspace: Workspace, as_of: dt.datetime) -> Manifest:
    """The generation for `as_of` that was made last. Raises Failure if there is none."""
    made = [one for one in generations.list_generations(workspace.published) if one.as_of == as_of.isoformat()]
    if not made:
        raise dg.Failure(
            f"{workspace.published} holds no generation as of {as_of.isoformat()}; launch the day again with all "
            "assets of the job daily_backfill",
            allow_retries=False,
        )
    return max(made, key=lambda one: one.created_at)
