"""Decayed interaction weights of users on jobs: what ALS, neighbours and the user vector learn from.

Everything starts from daily counters (`DAILY_INTERACTIONS`), never from raw events.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.interactions import CLOCK_SKEW
from models.ids import MICRO, Csr, matrix, positions, sorted_ids


@dataclass(frozen=True, eq=False)
class WeightMatrix:
    """Users x jobs, CSR float32: net decayed weight, negative where the user turned the job down. Ids are sorted."""

    user_ids: pl.Series
    job_ids: pl.Series
    values: Csr


def recent(daily: pl.LazyFrame, *, as_of: dt.datetime, days: float) -> pl.LazyFrame:
    """Rows of the last `days` up to `as_of`, with `decay_age_days`, in whole days.

    A day that was counted after `as_of` (a replay of the past) is left out rather than foreseen.
    """
    today = as_of.date()
    return daily.filter(
        pl.col("date") <= today,
        pl.col("date") > today - dt.timedelta(days=round(days)),
        pl.col("last_at") <= as_of + CLOCK_SKEW,
    ).with_columns(decay_age_days=(pl.lit(today) - pl.col("date")).dt.total_days().cast(pl.Float64))


def decay(half_life_days: float) -> pl.Expr:
    """1 today, one half after `half_life_days`."""
    return (pl.col("decay_age_days") * (-float(np.log(2)) / half_life_days)).exp()


def decayed_weights(
    daily: pl.LazyFrame, *, as_of: dt.datetime, half_life_days: float, days: float, representatives: pl.LazyFrame
) -> pl.DataFrame:
    """Grain user_id, job_id: `weight`, the decayed sum of interaction weights, not 0; sorted.

    `representatives` (job_id, duplicate_of) are the known jobs: what happened to a duplicate counts for the job that
    stands for it, what happened to an unknown job for nothing.
    """
    micro = (pl.col("weight") * decay(half_life_days) * MICRO).round().cast(pl.Int64)
    return (
        recent(daily, as_of=as_of, days=days)
        .filter(pl.col("weight") != 0)
        .join(representatives.select("job_id", "duplicate_of"), on="job_id", how="inner")
        .select("user_id", pl.coalesce("duplicate_of", "job_id").alias("job_id"), micro.alias("micro"))
        .group_by("user_id", "job_id")
        .agg(pl.col("micro").sum())
        .filter(pl.col("micro") != 0)
        .select("user_id", "job_id", weight=pl.col("micro") / MICRO)
        .sort("user_id", "job_id")
        .collect()
    )


def weight_matrix(weights: pl.DataFrame) -> WeightMatrix:
    """`decayed_weights` as a matrix of the users and jobs that have at least one positive weight.

    Who only ever turned jobs down, and what nobody took to, can't be placed by them.
    """
    positive = weights.filter(pl.col("weight") > 0)
    users, jobs = sorted_ids(positive["user_id"]), sorted_ids(positive["job_id"])
    values = matrix(
        positions(users, weights["user_id"]),
        positions(jobs, weights["job_id"]),
        weights["weight"].to_numpy(),
        shape=(len(users), len(jobs)),
    )
    return WeightMatrix(users, jobs, values)


def positive_part(values: Csr) -> Csr:
    """The matrix without its negative entries."""
    kept = values.copy()
    kept.data = np.maximum(kept.data, 0)
    kept.eliminate_zeros()
    return kept
