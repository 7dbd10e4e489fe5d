"""Runs the queries of sql/insight for the assets of insight, and the period that they look back on."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import polars as pl

from assets.resources import Workspace
from assets.sql import query
from features.interactions import CLOCK_SKEW

OUTCOME_PERIOD = dt.timedelta(days=28)


@dataclass(frozen=True)
class Period:
    """The instants after `since`, up to `until`."""

    since: dt.datetime
    until: dt.datetime

    @classmethod
    def before(cls, as_of: dt.datetime) -> Self:
        """The last 28 days; clocks of apps may run a little ahead."""
        until = as_of + CLOCK_SKEW
        return cls(until - OUTCOME_PERIOD, until)

    @classmethod
    def since_first(cls, exposures: pl.LazyFrame, as_of: dt.datetime) -> Self:
        """From the first of the exposures on."""
        until = as_of + CLOCK_SKEW
        first = exposures.select(pl.col("shown_at").min()).collect(engine="streaming").item()
        return cls(first - dt.timedelta(microseconds=1) if isinstance(first, dt.datetime) else until, until)

    def of(self, rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
        """The rows whose instant in `column` is in the period."""
        return rows.filter(pl.col(column).is_between(self.since, self.until, closed="right"))


def insight_query(
    name: str, workspace: Workspace, frames: Mapping[str, pl.LazyFrame | pl.DataFrame], params: Mapping[str, object]
) -> pl.DataFrame:
    """The rows of `sql/insight/<name>.sql` within the configured memory."""
    memory_limit = workspace.config.pipeline.duckdb_memory_limit
    return query(f"insight/{name}", frames=frames, params=params, memory_limit=memory_limit)


def reactions(workspace: Workspace, exposures: pl.LazyFrame, events: pl.LazyFrame, period: Period) -> pl.DataFrame:
    """What users did with each job that a feed or digest of the period showed them, where it showed it."""
    columns = ("user_id", "job_id", "event_type", "occurred_at", "surface", "is_bot")
    is_act = pl.col("event_type").is_in(("click", "apply", "save"))
    frames = {
        "exposures": period.of(exposures, "shown_at"),
        "events": period.of(events, "occurred_at").filter(is_act).select(columns),
    }
    return insight_query("reactions", workspace, frames, vars(period))
