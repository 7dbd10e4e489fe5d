"""Decayed interaction weights of users and jobs: the input of ALS, of the neighbours and of the user vectors.

They are computed from daily counters (`DAILY_INTERACTIONS`), never from raw events.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.interactions import CLOCK_SKEW, EVENT_WEIGHTS
from models.arrays import MICRO, Csr, csr_from_coordinates, positions, sorted_ids
from models.fitting.sparse_sums import sparse_sums

# Events older than six half-lives weigh less than 2 %.
WINDOW_HALF_LIVES = 6


@dataclass(frozen=True, eq=False)
class WeightMatrix:
    """Users x jobs, CSR float32: net decayed weight, negative where the user rejected the job. Ids are sorted."""

    user_ids: pl.Series
    job_ids: pl.Series
    values: Csr


def recent(daily: pl.LazyFrame, *, as_of: dt.datetime, days: float) -> pl.LazyFrame:
    """Rows of the last `days` up to `as_of`, with `decay_age_days` in whole days.

    A day that was counted after `as_of` is left out: when a past instant is computed again, it lies in the future.
    """
    today = as_of.date()
    return daily.filter(
        pl.col("date") <= today,
        pl.col("date") > today - dt.timedelta(days=round(days)),
        pl.col("last_at") <= as_of + CLOCK_SKEW,
    ).with_columns(decay_age_days=(pl.lit(today) - pl.col("date")).dt.total_days().cast(pl.Float64))


def decay(half_life_days: float) -> pl.Expr:
    """1 for today, one half after `half_life_days`."""
    return (pl.col("decay_age_days") * (-float(np.log(2)) / half_life_days)).exp()


def decayed_weights(
    daily: pl.LazyFrame, *, as_of: dt.datetime, half_life_days: float, days: float, representatives: pl.LazyFrame
) -> WeightMatrix:
    """The decayed sums of interaction weights of the last `days`, for the users and jobs with a sum above 0.

    `representatives` (job_id, duplicate_of) are the known jobs. Events on a duplicate count for its representative,
    events on an unknown job are ignored. Saves minus unsaves count at least 0: a user who takes back a save has no
    opinion, but the unsave is younger, decays less and would look like dislike.
    """
    saved = EVENT_WEIGHTS["save"] * pl.col("n_saves").fill_null(0) + EVENT_WEIGHTS["unsave"] * pl.col(
        "n_unsaves"
    ).fill_null(0)
    events = (
        recent(daily, as_of=as_of, days=days)
        .with_columns(saved=saved)
        .with_columns(rest=pl.col("weight") - pl.col("saved"))
        .filter((pl.col("rest") != 0) | (pl.col("saved") != 0))
    )
    known = representatives.select("job_id", representative=pl.coalesce("duplicate_of", "job_id")).collect()
    jobs = sorted_ids(known["representative"])
    users = events.select(pl.col("user_id").unique()).collect(engine="streaming")["user_id"].sort()
    micro = (pl.col(name) * decay(half_life_days) * MICRO for name in ("rest", "saved"))
    rest, saves = sparse_sums(
        events.select("user_id", "job_id", *(amount.round().cast(pl.Int64) for amount in micro)),
        amounts=("rest", "saved"),
        user_ids=users,
        column_of_job=known.select("job_id", column=pl.Series(positions(jobs, known["representative"]))),
        n_columns=len(jobs),
    )
    saves.data = np.maximum(saves.data, 0)
    net = rest + saves if saves.nnz else rest
    net.eliminate_zeros()
    return _with_positives(users, jobs, net, unit=MICRO)


def weights_since(
    interactions: pl.DataFrame,
    *,
    fitted_at: dt.datetime,
    fitted_users: pl.Series,
    as_of: dt.datetime,
    half_lives: Sequence[float],
    representatives: pl.DataFrame,
) -> list[pl.DataFrame]:
    """All weights (user_id, job_id, weight) of the users to fold in: new ones, and those active after `fitted_at`.

    A frame for each of `half_lives` (days), of the last WINDOW_HALF_LIVES of it. Computed from INTERACTIONS, which has
    no daily counters: a pair decays as if all its events were on its last day. `representatives` as in
    `decayed_weights`.
    """
    age_days = (pl.lit(as_of.date()) - pl.col("last_at").dt.date()).dt.total_days().cast(pl.Float64)
    wanted = (
        interactions.group_by("user_id")
        .agg(pl.col("last_at").max())
        .join(fitted_users.to_frame("user_id").with_columns(is_fitted=pl.lit(True)), on="user_id", how="left")
        .filter((pl.col("last_at") > fitted_at) | pl.col("is_fitted").is_null())
    )
    pairs = (
        interactions.join(wanted.select("user_id"), on="user_id", how="semi")
        .with_columns(decay_age_days=age_days)
        .filter(pl.col("last_at") <= as_of + CLOCK_SKEW)
        .join(representatives.select("job_id", "duplicate_of"), on="job_id")
        .group_by("user_id", pl.coalesce("duplicate_of", "job_id").alias("job_id"))
        .agg(_micro_weight(half_life).alias(str(place)) for place, half_life in enumerate(half_lives))
        .sort("user_id", "job_id")
    )
    return [
        pairs.select("user_id", "job_id", micro=str(place))
        .filter(pl.col("micro") != 0)
        .select("user_id", "job_id", weight=pl.col("micro") / MICRO)
        for place in range(len(half_lives))
    ]


def _micro_weight(half_life_days: float) -> pl.Expr:
    """The decayed sum of `weight`, in millionths."""
    is_recent = pl.col("decay_age_days") < WINDOW_HALF_LIVES * half_life_days
    micro = (pl.col("weight") * decay(half_life_days) * MICRO).round().cast(pl.Int64)
    return micro.filter(is_recent).sum()


def weight_matrix(weights: pl.DataFrame) -> WeightMatrix:
    """Weights of distinct pairs (user_id, job_id, weight) as a matrix like the one of `decayed_weights`."""
    users, jobs = sorted_ids(weights["user_id"]), sorted_ids(weights["job_id"])
    values = csr_from_coordinates(
        positions(users, weights["user_id"]),
        positions(jobs, weights["job_id"]),
        weights["weight"].to_numpy(),
        shape=(len(users), len(jobs)),
    )
    return _with_positives(users, jobs, values, unit=1)


def weight_pairs(weights: WeightMatrix) -> pl.DataFrame:
    """user_id, job_id, weight of the entries: the inverse of `weight_matrix`."""
    row = np.repeat(np.arange(weights.values.shape[0]), np.diff(weights.values.indptr))
    return pl.DataFrame(
        {
            "user_id": weights.user_ids.gather(row),
            "job_id": weights.job_ids.gather(weights.values.indices),
            "weight": weights.values.data,
        }
    )


def _with_positives(users: pl.Series, jobs: pl.Series, values: Csr, *, unit: int) -> WeightMatrix:
    """The rows and columns with at least one positive value, values divided by `unit`.

    Dislikes alone do not place a user or a job.
    """
    is_positive = values.data > 0
    of_user = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
    is_user, is_job = np.zeros(values.shape[0], dtype=np.bool_), np.zeros(values.shape[1], dtype=np.bool_)
    is_user[of_user[is_positive]] = True
    is_job[values.indices[is_positive]] = True
    kept = values[is_user][:, is_job]
    kept.data = np.asarray(kept.data / unit, dtype=np.float32)
    kept.sort_indices()
    return WeightMatrix(users.filter(pl.Series(is_user)), jobs.filter(pl.Series(is_job)), kept)


def positive_part(values: Csr) -> Csr:
    """The matrix without its negative entries."""
    kept = values.copy()
    kept.data = np.maximum(kept.data, 0)
    kept.eliminate_zeros()
    return kept
