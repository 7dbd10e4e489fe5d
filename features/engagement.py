"""How much a job engages: the weight of events, the logarithmic score, and which rows count at an instant.

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
    """The job that stands for a job and its near-duplicates: what they attract is attracted by one job."""
    return pl.coalesce("duplicate_of", "job_id")


def is_recommendable() -> pl.Expr:
    """True for open jobs that stand for themselves."""
    return (pl.col("status") == "open") & pl.col("duplicate_of").is_null()


def engagement_score(weight: pl.Expr) -> pl.Expr:
    """10 * ln(1 + max(0, sum of weights)), rounded to 6 decimals; no interactions at all are 0."""
    return (weight.fill_null(0).cast(pl.Float64).clip(lower_bound=0).log1p() * 10).round(6)


def share_of_maximum(score: pl.Expr) -> pl.Expr:
    """Scores divided by the greatest of them, float32 in [0, 1]; all 0 where the greatest is 0."""
    return pl.when(score.max() > 0).then(score / score.max()).otherwise(0.0).cast(pl.Float32)


def event_weight() -> pl.Expr:
    """What an event weighs (Int64): by `event_type`, feedback by `is_relevant` or else its `rating`."""
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
    """The daily interactions of the last `days` days that lie wholly before `as_of` (and its five minutes).

    A day in which a user went on after `as_of` is left out for that user and job: half of it would have to be guessed.
    """
    first_date = (as_of - dt.timedelta(days=days)).date()
    return daily.filter((pl.col("date") >= first_date) & (pl.col("last_at") <= as_of + CLOCK_SKEW))


def counters_by_job(daily: pl.LazyFrame, *, as_of: dt.datetime) -> pl.LazyFrame:
    """Per job_id the sums of COUNTERS (Int64) over the last 90 days."""
    counted = interactions_as_of(daily, as_of=as_of)
    return counted.group_by("job_id").agg(pl.col(name).cast(pl.Int64).sum() for name in COUNTERS)


def half_life_rate(half_life: dt.timedelta) -> float:
    """The decay rate per second of what halves in `half_life`."""
    return math.log(2) / half_life.total_seconds()


def seconds_before(instant: dt.datetime, column: pl.Expr) -> pl.Expr:
    """Age of `column` at `instant` in seconds; 0 for what lies in the future, null for null."""
    age = pl.lit(instant).dt.cast_time_unit("us") - column
    return age.dt.total_microseconds().clip(lower_bound=0) / 1_000_000
