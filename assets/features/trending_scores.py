"""The trending scores of a run, computed once for the two tables that are made of them."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import polars as pl

from assets.lake import Lake, file_identity
from features.schemas.bronze import EVENTS
from features.schemas.catalog import JOBS
from features.trending import trending_scores

_COMPUTING = Lock()  # the two steps may run side by side


@dataclass(frozen=True)
class _Made:
    """Scores, and what they were made of."""

    made_of: tuple[Path, dt.datetime, str]
    scores: pl.DataFrame


_LAST: list[_Made] = []


def scores_of_run(lake: Lake, events: pl.LazyFrame, jobs: pl.LazyFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """`trending_scores` of the lake's events and jobs; those of the last call if it was for the same files."""
    files = [*lake.files("bronze", EVENTS.name), *lake.files("catalog", JOBS.name)]
    with _COMPUTING:
        made_of = lake.root, as_of, file_identity(files)
        if not _LAST or _LAST[0].made_of != made_of:
            _LAST[:] = [_Made(made_of, trending_scores(events, jobs, as_of=as_of))]
        return _LAST[0].scores
