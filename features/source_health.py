"""Alarms about sources, from the log of ingest runs."""

import datetime as dt

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
# A source is silent if its last news is older than this many times the longest pause that it made before.
SILENT_PAUSES = 3
SILENT_AFTER = dt.timedelta(days=2)
_MIN_TIMES_WITH_NEWS = 5
_DAY_SECONDS = 86_400
# These are asked in every run; what lands in files is in the log only if there was a file.
_ASKED = ("feed_postings", "hh_postings")
_SOURCE = ["kind", "source"]


def source_alarms(runs: pl.DataFrame) -> pl.DataFrame:
    """SOURCE_ALARMS of INGEST_RUNS, by source:

    - `empty`, `dropped`: the last complete listing has no jobs, or under half the median of up to five before it;
    - `failing`: the last run failed (since: the first failure after the last success);
    - `quarantined`: the last run read 10 or more entries, and over half of them were unusable;
    - `silent`: nothing new or changed for two days, and for three times as long as ever before. A feed that is no
      longer asked is not silent.
    """
    ordered = runs.sort(*_SOURCE, "ran_at", "attempt")
    found = pl.concat([_dropped(ordered), _failing(ordered), _quarantined(ordered), _silent(ordered)])
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


def _silent(ordered: pl.DataFrame) -> pl.DataFrame:
    newest = pl.lit(ordered["ran_at"].max(), UTC_TIMESTAMP)
    last_reading = ordered.group_by(_SOURCE).agg(last_reading=pl.col("ran_at").max())
    days = pl.col("pause").dt.total_seconds() / _DAY_SECONDS
    usual_days = pl.col("longest").dt.total_seconds() / _DAY_SECONDS
    is_still_asked = ~pl.col("kind").is_in(_ASKED) | (newest - pl.col("last_reading") < SILENT_AFTER)
    return (
        ordered.filter(pl.col("n_new").fill_null(0) + pl.col("n_changed").fill_null(0) > 0)
        .unique([*_SOURCE, "ran_at"], maintain_order=True)
        .group_by(_SOURCE, maintain_order=True)
        .agg(n=pl.len(), since=pl.col("ran_at").max(), longest=pl.col("ran_at").diff().max())
        .join(last_reading, on=_SOURCE)
        .with_columns(pause=newest - pl.col("since"))
        .filter(
            is_still_asked,
            pl.col("n") >= _MIN_TIMES_WITH_NEWS,
            pl.col("pause") >= SILENT_AFTER,
            pl.col("pause") > SILENT_PAUSES * pl.col("longest"),
        )
        .select(
            *_SOURCE,
            alarm=pl.lit("silent"),
            detail=pl.format(
                "nothing new for {} days; it had news every {} days at most", days.round(1), usual_days.round(1)
            ),
            since="since",
        )
    )


def _with_runs_ago(ordered: pl.DataFrame) -> pl.DataFrame:
    """`ordered` with `runs_ago`: 0 for a source's last row."""
    return ordered.with_columns(runs_ago=pl.int_range(pl.len()).reverse().over(_SOURCE))
