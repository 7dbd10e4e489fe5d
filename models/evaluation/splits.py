"""Splits of interactions into a part to fit on and a part to evaluate with."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from features.hashing import mix, stable_hash, uniform
from models.fitting.weights import (
    WINDOW_HALF_LIVES,
    WeightMatrix,
    decayed_weights,
    recent,
    weight_matrix,
    weight_pairs,
)

HALF_LIVES = (7.0, 14.0, 30.0, 60.0, 120.0, 365.0)
NO_DECAY_DAYS = 36_500.0  # in a random split the past holds what is to be predicted
RANDOM_SHARE = 0.2
# A time split needs so many users with held-out pairs, or this share of all users in small data.
_LEAST_USERS, _LEAST_SHARE = 100, 0.05
# Times say nothing if so great a share of all rows lies on one day.
_SAME_DAY_SHARE = 0.8
_GAINS = {"n_applies": 3.0, "n_saves": 2.0, "n_clicks": 1.0}


@dataclass(frozen=True)
class Split:
    """`train(half_life_days)` gives the weights to fit on; `truth` (user_id, job_id, gain) is held out.

    Pairs of `known` (user_id, job_id) are not recommended. `half_lives`: those worth trying. `kind`: time or random;
    `reason`: why this kind.
    """

    train: Callable[[float], WeightMatrix]
    truth: pl.DataFrame
    known: pl.DataFrame
    half_lives: tuple[float, ...]
    kind: str = "random"
    reason: str = ""


def choose_split(
    daily: pl.LazyFrame,
    *,
    representatives: pl.LazyFrame,
    as_of: dt.datetime,
    held_out_days: int,
    max_users: int,
    seed: int,
) -> Split:
    """`time_split`; `random_split` without decay where times say nothing or too few users have held-out pairs."""
    days = recent(daily, as_of=as_of, days=NO_DECAY_DAYS).filter(pl.col("weight") > 0).group_by("date").len()
    rows = days.collect()["len"]
    if len(rows) and rows.max() > _SAME_DAY_SHARE * rows.sum():  # type: ignore[operator]
        reason = f"{rows.max() / rows.sum():.0%} of the interactions are on one day"  # type: ignore[operator]
    else:
        split = time_split(
            daily, representatives=representatives, as_of=as_of, held_out_days=held_out_days, max_users=max_users
        )
        n_users = int(daily.select(pl.col("user_id").n_unique()).collect(engine="streaming").item())
        n_found, n_least = split.truth["user_id"].n_unique(), min(_LEAST_USERS, _LEAST_SHARE * n_users)
        if n_found > 0 and n_found >= n_least:
            return replace(split, reason=f"{n_found} users have pairs in the last {held_out_days} days")
        reason = f"only {n_found} users have pairs in the last {held_out_days} days"
    weights = decayed_weights(
        daily, as_of=as_of, half_life_days=NO_DECAY_DAYS, days=NO_DECAY_DAYS, representatives=representatives
    )
    split = random_split(weight_pairs(weights), share=RANDOM_SHARE, seed=seed, max_users=max_users)
    return replace(split, reason=reason)


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
        kind="time",
    )


def random_split(weights: pl.DataFrame, *, share: float, seed: int, max_users: int | None = None) -> Split:
    """Holds out a random `share` of the pairs with a positive weight, all of gain 1.

    The truth is that of at most `max_users` users; the pairs of all others that are held out are not used.

    `weights`: user_id, job_id, weight. For data without meaningful times; `time_split` measures prediction better.
    """
    is_held_out = is_drawn(weights, share=share, seed=seed) & (weights["weight"] > 0)
    kept = weights.filter(~is_held_out)
    matrix = weight_matrix(kept)
    truth = weights.filter(is_held_out).select("user_id", "job_id", gain=pl.lit(1.0)).sort("user_id", "job_id")
    known = kept.select("user_id", "job_id")
    if max_users is not None:
        users = sample_users(truth["user_id"].unique().sort(), max_users).to_frame()
        truth = truth.join(users, on="user_id", how="semi", maintain_order="left")
        known = known.join(users, on="user_id", how="semi", maintain_order="left")
    return Split(lambda _half_life: matrix, truth, known, half_lives=())


def is_drawn(pairs: pl.DataFrame, *, share: float, seed: int, salt: str = "split") -> pl.Series:
    """Whether each pair (user_id, job_id) is among the random `share`, by a hash; a pair without a job never is.

    Draws of another `salt` are independent: what one draw keeps, another divides again.
    """
    pair = pairs.select(pl.concat_str("user_id", "job_id", separator="\0"))["user_id"]
    return pl.Series(uniform(mix(stable_hash(pair, f"{salt} {seed}"))) < share) & pair.is_not_null()


def sample_users(users: pl.Series, most: int, *, salt: str = "tuning") -> pl.Series:
    """At most `most` of the distinct users, those with the smallest hashes, sorted."""
    hashes = pl.Series(stable_hash(users, salt))
    return users.gather(hashes.arg_sort().head(most)).sort()
