"""Engagement of jobs: the weight of events, the logarithmic score, and the rows that count at a given time.

Trending (with decay), the quality of posters and the table of job features build on these.
"""

import datetime as dt
import math

import polars as pl

from features.interactions import (
    CLOCK_SKEW,
    EVENT_WEIGHTS,
    MAX_NOT_RELEVANT_RATING,
    MIN_RELEVANT_RATING,
    NOT_RELEVANT_WEIGHT,
    RELEVANT_WEIGHT,
)

ENGAGEMENT_DAYS = 90

COUNTERS = ("n_impressions", "n_applies", "n_dismissals", "weight")


def representative_id() -> pl.Expr:
    """The representative of a job and its near-duplicates, to which their engagement is attributed."""
    return pl.coalesce("duplicate_of", "job_id")


def is_recommendable() -> pl.Expr:
    """True for open jobs that are not duplicates of another."""
    return (pl.col("status") == "open") & pl.col("duplicate_of").is_null()


def engagement_score(weight: pl.Expr) -> pl.Expr:
    """10 * ln(1 + max(0, sum of weights)), rounded to 6 decimals; 0 without interactions."""
    return (weight.fill_null(0).cast(pl.Float64).clip(lower_bound=0).log1p() * 10).round(6)


def share_of_maximum(score: pl.Expr) -> pl.Expr:
    """Scores divided by their maximum, float32 in [0, 1]; all 0 if the maximum is 0."""
    return pl.when(score.max() > 0).then(score / score.max()).otherwise(0.0).cast(pl.Float32)


def event_weight() -> pl.Expr:
    """The weight of an event (Int64) by `event_type`; feedback is weighted by `is_relevant`, else by `rating`."""
    by_type = pl.col("event_type").replace_strict(EVENT_WEIGHTS, default=0, return_dtype=pl.Int64)
    verdict = pl.coalesce(
        "is_relevant",
        pl.when(pl.col("rating") >= MIN_RELEVANT_RATING)
        .then(True)
        .when(pl.col("rating") <= MAX_NOT_RELEVANT_RATING)
        .then(False),
    )
    of_feedback = pl.when(verdict).then(RELEVANT_WEIGHT).when(~verdict).then(NOT_RELEVANT_WEIGHT).otherwise(0)
    return pl.when(pl.col("event_type") == "feedback").then(of_feedback).otherwise(by_type).cast(pl.Int64)


def interactions_as_of(daily: pl.LazyFrame, *, as_of: dt.datetime, days: int = ENGAGEMENT_DAYS) -> pl.LazyFrame:
    """The rows of daily interactions or job counts of the last `days` days that end before `as_of` (plus CLOCK_SKEW).

    A day with a job that continues after `as_of` is dropped, because its part before `as_of` is unknown.
    """
    first_date = (as_of - dt.timedelta(days=days)).date()
    return daily.filter((pl.col("date") >= first_date) & (pl.col("last_at") <= as_of + CLOCK_SKEW))


def counters_by_job(daily: pl.LazyFrame, *, as_of: dt.datetime) -> pl.LazyFrame:
    """Per job_id the sums of COUNTERS (Int64) over the last 90 days."""
    counted = interactions_as_of(daily, as_of=as_of)
    return counted.group_by("job_id").agg(pl.col(name).cast(pl.Int64).sum() for name in COUNTERS)


def top_jobs(scored: pl.DataFrame, *, within: list[str], limit: int) -> pl.DataFrame:
    """The `limit` best jobs per group by `score`, with `rank` from 1 (Int32); ties: newest `published_at`, job_id."""
    keys = [*within, "score", "published_at", "job_id"]
    is_descending = [name in ("score", "published_at") for name in keys]
    return (
        scored.sort(keys, descending=is_descending, nulls_last=True)
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(within))
        .filter(pl.col("rank") <= limit)
    )


def half_life_rate(half_life: dt.timedelta) -> float:
    """The decay rate per second for a half-life."""
    return math.log(2) / half_life.total_seconds()


def seconds_before(instant: dt.datetime, column: pl.Expr) -> pl.Expr:
    """Age of `column` at `instant` in seconds; 0 for the future, null for null."""
    age = pl.lit(instant).dt.cast_time_unit("us") - column
    return age.dt.total_microseconds().clip(lower_bound=0) / 1_000_000
