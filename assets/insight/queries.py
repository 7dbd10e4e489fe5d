"""Runs the queries of sql/insight for the assets of insight, and the period that they look back on."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from assets.lake import Lake
from assets.resources import Workspace
from assets.sql import Parts, Rows, query
from features.interactions import CLOCK_SKEW
from features.metrics import USER_GROUPS
from features.schemas.bronze import EVENTS
from features.schemas.insight import EXPOSURES

MARKET_COLUMNS = (
    "job_id", "company", "skills", "professional_roles", "country", "status", "duplicate_of", "published_at",
    "salary_monthly_usd_min", "salary_monthly_usd_max",
)  # fmt: skip
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

    def events(self, lake: Lake) -> Parts:
        """The files with the events of the period's days."""
        return Parts(EVENTS, self._files(lake, "bronze", EVENTS.name))

    def exposures(self, lake: Lake) -> Parts:
        """The files with the exposures of the period's days."""
        return Parts(EXPOSURES, self._files(lake, "insight", EXPOSURES.name))

    def scan(self, parts: Parts, column: str) -> pl.LazyFrame:
        """The rows of the files whose instant in `column` is in the period."""
        files = list(parts.files)
        rows = pl.scan_parquet(files, hive_partitioning=False, glob=False) if files else parts.table.empty().lazy()
        return rows.filter(pl.col(column).is_between(self.since, self.until, closed="right"))

    def _files(self, lake: Lake, stage: str, name: str) -> list[Path]:
        first, last = (f"date={instant.astimezone(dt.UTC).date()}" for instant in (self.since, self.until))
        return [path for path in lake.files(stage, name) if first <= path.parent.name <= last]


def insight_query(
    name: str, workspace: Workspace, frames: Mapping[str, Rows], params: Mapping[str, object]
) -> pl.DataFrame:
    """The rows of `sql/insight/<name>.sql` within the configured memory."""
    memory_limit = workspace.config.pipeline.duckdb_memory_limit
    return query(f"insight/{name}", frames=frames, params=params, memory_limit=memory_limit)


def reactions(workspace: Workspace, period: Period, exposures: pl.LazyFrame | None = None) -> pl.DataFrame:
    """What users did with each job that a feed or digest of the period showed them, where it showed it.

    `exposures`: only to these; by default to all.
    """
    frames: dict[str, Rows] = {
        "exposures": period.exposures(workspace.lake) if exposures is None else exposures,
        "events": period.events(workspace.lake),
    }
    return insight_query("reactions", workspace, frames, {**vars(period), "user_groups": USER_GROUPS})
