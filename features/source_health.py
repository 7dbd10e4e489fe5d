"""Alarms about sources, from the log of ingest runs."""

import polars as pl

from features.schemas.bronze import INGEST_RUNS
from features.schemas.table import UTC_TIMESTAMP, Column, Table

SOURCE_ALARMS = Table(
    "source_alarms",
    "Sources with a problem; one row per kind, source and alarm",
    {
        **{name: INGEST_RUNS.described[name] for name in ("kind", "source")},
        "alarm": Column(pl.String, "What is wrong"),
        "detail": Column(pl.String, "Numbers that show it"),
        "since": Column(UTC_TIMESTAMP, "First run that showed it"),
    },
    key=("kind", "source", "alarm"),
)
COMPARED_LISTINGS = 5
MIN_SHARE_LISTED = 0.5
MAX_SHARE_QUARANTINED = 0.5
_MIN_READ = 10
_SOURCE = ["kind", "source"]


def source_alarms(runs: pl.DataFrame) -> pl.DataFrame:
    """SOURCE_ALARMS of INGEST_RUNS, by source:

    - `empty`, `dropped`: the last complete listing has no jobs, or under half the median of up to five before it;
    - `failing`: the last run failed (since: the first failure after the last success);
    - `quarantined`: the last run read 10 or more entries, and over half of them were unusable.
    """
    ordered = runs.sort(*_SOURCE, "ran_at", "attempt")
    found = pl.concat([_dropped(ordered), _failing(ordered), _quarantined(ordered)])
    return SOURCE_ALARMS.conform(found.select(list(SOURCE_ALARMS.columns))).sort("kind", "source", "alarm")


def _dropped(ordered: pl.DataFrame) -> pl.DataFrame:
    listings = _with_runs_ago(ordered.filter(pl.col("n_listed").is_not_null()))
    usual = (
        listings.filter(pl.col("runs_ago").is_between(1, COMPARED_LISTINGS))
        .group_by(_SOURCE)
        .agg(usual=pl.col("n_listed").median())
    )
    return (
        listings.filter(pl.col("runs_ago") == 0)
        .join(usual, on=_SOURCE)
        .filter((pl.col("usual") > 0) & (pl.col("n_listed") < MIN_SHARE_LISTED * pl.col("usual")))
        .select(
            *_SOURCE,
            pl.when(pl.col("n_listed") == 0).then(pl.lit("empty")).otherwise(pl.lit("dropped")).alias("alarm"),
            pl.format("{} jobs listed, {} before", "n_listed", pl.col("usual").round(0).cast(pl.Int64)).alias("detail"),
            since="ran_at",
        )
    )


def _failing(ordered: pl.DataFrame) -> pl.DataFrame:
    runs = _with_runs_ago(ordered)
    is_after_success = pl.col("is_failed").cast(pl.Int8).reverse().cum_min().reverse().over(_SOURCE) == 1
    return (
        runs.filter(is_after_success)
        .group_by(_SOURCE)
        .agg(pl.len(), detail=pl.col("status").last(), since=pl.col("ran_at").first())
        .select(
            *_SOURCE,
            alarm=pl.lit("failing"),
            detail=pl.format("{} runs in a row: {}", "len", "detail"),
            since="since",
        )
    )


def _quarantined(ordered: pl.DataFrame) -> pl.DataFrame:
    share = pl.col("n_quarantined") / pl.col("n_read")
    return (
        _with_runs_ago(ordered.filter(pl.col("n_read") >= _MIN_READ))
        .filter((pl.col("runs_ago") == 0) & (share > MAX_SHARE_QUARANTINED))
        .select(
            *_SOURCE,
            alarm=pl.lit("quarantined"),
            detail=pl.format("{} of {} entries", "n_quarantined", "n_read"),
            since="ran_at",
        )
    )


def _with_runs_ago(ordered: pl.DataFrame) -> pl.DataFrame:
    """`ordered` with `runs_ago`: 0 for a source's last row."""
    return ordered.with_columns(runs_ago=pl.int_range(pl.len()).reverse().over(_SOURCE))
