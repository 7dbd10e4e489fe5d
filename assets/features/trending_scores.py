"""The trending scores of a run, computed once for the two tables that are made of them."""

import datetime as dt

import polars as pl

from assets.lake import Lake, file_identity
from assets.once import Once
from features.schemas.bronze import EVENTS
from features.schemas.catalog import JOBS
from features.trending import trending_scores

_LAST = Once[pl.DataFrame]()


def scores_of_run(lake: Lake, events: pl.LazyFrame, jobs: pl.LazyFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """`trending_scores` of the lake's events and jobs; those of the last call if it was for the same files."""
    files = [*lake.files("bronze", EVENTS.name), *lake.files("catalog", JOBS.name)]
    made_of = lake.root, as_of, file_identity(files)
    return _LAST.get(made_of, lambda: trending_scores(events, jobs, as_of=as_of))
