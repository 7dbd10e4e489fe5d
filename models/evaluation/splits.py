"""Splits of interactions into a part to fit on and a part to evaluate with."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from features.hashing import mix, stable_hash, uniform
from models.fitting.weights import WINDOW_HALF_LIVES, WeightMatrix, decayed_weights, weight_matrix

HALF_LIVES = (7.0, 14.0, 30.0, 60.0, 120.0, 365.0)
_GAINS = {"n_applies": 3.0, "n_saves": 2.0, "n_clicks": 1.0}


@dataclass(frozen=True)
class Split:
    """`train(half_life_days)` gives the weights to fit on; `truth` (user_id, job_id, gain) is held out.

    Pairs of `known` (user_id, job_id) are not recommended. `half_lives`: those worth trying.
    """

    train: Callable[[float], WeightMatrix]
    truth: pl.DataFrame
    known: pl.DataFrame
    half_lives: tuple[float, ...]


def time_split(
    daily: pl.LazyFrame, *, representatives: pl.LazyFrame, as_of: dt.datetime, held_out_days: int, max_users: int
) -> Split:
    """Holds out what users did in the last `held_out_days` before `as_of` on jobs that were new to them.

    `daily` has schema DAILY_INTERACTIONS. Gains: click 1, save 2, application 3. If more than `max_users` have held-out
    events, the truth is that of a fixed sample of them by hash; all users are trained on.
    """
    cut = as_of - dt.timedelta(days=held_out_days)
    representative_of = representatives.select("job_id", representative=pl.coalesce("duplicate_of", "job_id"))
    # Whole days: days that begin before the cut are the past.
    past, future = (
        daily.filter(is_past).join(representative_of, on="job_id")
        for is_past in (pl.col("date") < cut.date(), pl.col("date") >= cut.date())
    )
    gain = pl.max_horizontal(
        pl.when(pl.col(name) > 0).then(pl.lit(gain)).otherwise(0.0) for name, gain in _GAINS.items()
    )
    found = (
        future.filter(pl.col("last_at") <= as_of)
        .group_by("user_id", job_id="representative")
        .agg(gain=gain.max())
        .filter(pl.col("gain") > 0)
        .join(past.select("user_id", job_id="representative").unique(), on=["user_id", "job_id"], how="anti")
        .sort("user_id", "job_id")
        .collect()
    )
    users = sample_users(found["user_id"].unique().sort(), max_users)
    known = past.select("user_id", job_id="representative").join(users.to_frame().lazy(), on="user_id", how="semi")

    def train(half_life_days: float) -> WeightMatrix:
        return decayed_weights(
            daily.filter(pl.col("date") < cut.date()),
            as_of=cut,
            half_life_days=half_life_days,
            days=WINDOW_HALF_LIVES * half_life_days,
            representatives=representatives,
        )

    return Split(
        train=train,
        truth=found.join(users.to_frame(), on="user_id", how="semi", maintain_order="left"),
        known=known.unique().sort("user_id", "job_id").collect(),
        half_lives=HALF_LIVES,
    )


def random_split(weights: pl.DataFrame, *, share: float, seed: int) -> Split:
    """Holds out a random `share` of the pairs with a positive weight, all of gain 1.

    `weights`: user_id, job_id, weight. For data without meaningful times; `time_split` measures prediction better.
    """
    is_held_out = is_drawn(weights, share=share, seed=seed) & (weights["weight"] > 0)
    kept = weights.filter(~is_held_out)
    matrix = weight_matrix(kept)
    truth = weights.filter(is_held_out).select("user_id", "job_id", gain=pl.lit(1.0)).sort("user_id", "job_id")
    return Split(lambda _half_life: matrix, truth, kept.select("user_id", "job_id"), half_lives=())


def is_drawn(pairs: pl.DataFrame, *, share: float, seed: int) -> pl.Series:
    """Whether each pair (user_id, job_id) is among the random `share`, by a hash; a pair without a job never is."""
    pair = pairs.select(pl.concat_str("user_id", "job_id", separator="\0"))["user_id"]
    return pl.Series(uniform(mix(stable_hash(pair, f"split {seed}"))) < share) & pair.is_not_null()


def sample_users(users: pl.Series, most: int, *, salt: str = "tuning") -> pl.Series:
    """At most `most` of the distinct users, those with the smallest hashes, sorted."""
    hashes = pl.Series(stable_hash(users, salt))
    return users.gather(hashes.arg_sort().head(most)).sort()
