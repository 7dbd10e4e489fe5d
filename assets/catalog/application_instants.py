"""When the clock alone changes a row of the tables of applications: then a run has work though nothing was told."""

import datetime as dt
from collections.abc import Mapping

import polars as pl

from assets.lake import Lake
from features.applications.summaries import lapses_at, silent_at, soon_changes_at
from features.interactions import CLOCK_SKEW
from features.schemas.bronze import APPLICATION_LOG
from features.schemas.catalog import APPLICATIONS, FOLLOW_UPS, INTERVIEWS

_STAGE = "catalog"


def next_change(lake: Lake, silent_after_days: Mapping[str, int], *, as_of: dt.datetime) -> dt.datetime | None:
    """The first instant after `as_of` at which a row is another one; None if none will be.

    Runs that are so far ahead that they are not planned yet are left to daily runs.
    """
    steps = lake.scan(_STAGE, FOLLOW_UPS).filter(pl.col("status") == "due")
    interviews = lake.scan(_STAGE, INTERVIEWS).filter(pl.col("status") == "scheduled")
    of_future = lake.scan("bronze", APPLICATION_LOG).filter(pl.col("occurred_at") > as_of + CLOCK_SKEW)
    found = pl.collect_all(
        [
            _first(steps, pl.col("due_at"), pl.col("expires_at"), as_of=as_of),
            _first(interviews, *soon_changes_at(), as_of=as_of),
            _first(lake.scan(_STAGE, APPLICATIONS), lapses_at(), silent_at(silent_after_days), as_of=as_of),
            _first(of_future, pl.col("occurred_at") - CLOCK_SKEW, as_of=as_of),
        ],
        engine="streaming",  # no column is in memory as a whole
    )
    later = pl.concat(found)["at"].min()
    return later if isinstance(later, dt.datetime) else None


def _first(rows: pl.LazyFrame, *instants: pl.Expr, as_of: dt.datetime) -> pl.LazyFrame:
    """`at`: the first of the instants after `as_of`, of all rows."""
    return rows.select(at=pl.min_horizontal(pl.when(at > as_of).then(at) for at in instants)).select(pl.col("at").min())
