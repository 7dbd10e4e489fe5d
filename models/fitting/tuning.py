"""The parameters of ALS chosen on held-out interactions: the splits, the search, and what came of it.

The search is a Tree-structured Parzen Estimator (Bergstra et al., "Algorithms for hyper-parameter optimization", 2011)
by Optuna, one trial after the other: the same inputs and seed give the same choice.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from features.errors import JobfeedError
from features.hashing import mix, stable_hash, uniform
from models.evaluation.metrics import evaluate_lists
from models.evaluation.recommenders import als_recommender, recommend
from models.fitting.als import AlsSettings, fit_als
from models.fitting.weights import WINDOW_HALF_LIVES, WeightMatrix, decayed_weights, weight_matrix

LIST_LENGTH = 20
HALF_LIVES = (7.0, 14.0, 30.0, 60.0, 120.0, 365.0)
FACTORS = (16, 32, 64, 128)
_GAINS = {"n_applies": 3.0, "n_saves": 2.0, "n_clicks": 1.0}
_TRIALS = {
    "trial": pl.Int64, "factors": pl.Int64, "regularization": pl.Float64, "alpha": pl.Float64,
    "popularity_power": pl.Float64, "half_life_days": pl.Float64, "ndcg": pl.Float64, "recall": pl.Float64,
}  # fmt: skip


class TuningError(JobfeedError, ValueError):
    """There is too little to choose by."""


@dataclass(frozen=True)
class Split:
    """`train(half_life_days)` to fit on; `truth` (user_id, job_id, gain) of what was held out.

    A job of `known` (user_id, job_id) is no news to its user and is not recommended.
    """

    train: Callable[[float], WeightMatrix]
    truth: pl.DataFrame
    known: pl.DataFrame
    half_lives: tuple[float, ...]


@dataclass(frozen=True)
class Tuned:
    """The best settings, and `trials` with NDCG and recall of the first 20; the first trial is what was in use."""

    settings: AlsSettings
    trials: pl.DataFrame

    @property
    def start_ndcg(self) -> float:
        return float(self.trials["ndcg"][0])

    @property
    def best_ndcg(self) -> float:
        return float(self.trials["ndcg"].max())  # type: ignore[arg-type]


def time_split(
    daily: pl.LazyFrame, *, representatives: pl.LazyFrame, as_of: dt.datetime, held_out_days: int, max_users: int
) -> Split:
    """What users did in the last `held_out_days` before `as_of`, on jobs new to them, by what was known before.

    `daily` has schema DAILY_INTERACTIONS. Gains: click 1, save 2, application 3. Of more than `max_users` with
    anything held out, a fixed choice by hash is taken for truth; all are trained on.
    """
    cut = as_of - dt.timedelta(days=held_out_days)
    stands_for = representatives.select("job_id", representative=pl.coalesce("duplicate_of", "job_id"))
    # Whole days: those that begin before the cut are history.
    past, future = (
        daily.filter(is_past).join(stands_for, on="job_id")
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
    users = _sample(found["user_id"].unique().sort(), max_users)
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
    """A `share` of the pairs with a positive weight is held out at random, all of gain 1.

    `weights`: user_id, job_id, weight. For data whose times mean nothing; what comes next is better told by
    `time_split`.
    """
    pair = weights.select(pl.concat_str("user_id", "job_id", separator="\0"))["user_id"]
    is_held_out = pl.Series(uniform(mix(stable_hash(pair, f"split {seed}"))) < share) & (weights["weight"] > 0)
    kept = weights.filter(~is_held_out)
    matrix = weight_matrix(kept)
    truth = weights.filter(is_held_out).select("user_id", "job_id", gain=pl.lit(1.0)).sort("user_id", "job_id")
    return Split(lambda _half_life: matrix, truth, kept.select("user_id", "job_id"), half_lives=())


def tune_als(
    split: Split,
    *,
    start: AlsSettings,
    n_trials: int,
    seed: int,
    max_factors: int,
    on_trial: Callable[[int, AlsSettings, float], None] | None = None,
) -> Tuned:
    """The best of `n_trials` settings by NDCG@20 on what `split` holds out; `start` is tried first and wins ties.

    Searched are factors (up to `max_factors`), regularization, alpha, popularity_power and the half-life. Raises
    TuningError where nothing is held out.
    """
    if split.truth.is_empty():
        raise TuningError("no interaction is held out to choose by; there must be clicks, saves or applications in it")
    matrices: dict[float, WeightMatrix] = {}
    study, ask = _study(start, split.half_lives, seed=seed, max_factors=max_factors)
    rows: list[dict[str, Any]] = []
    best = start
    for number in range(n_trials):
        trial, settings = ask()
        if settings.half_life_days not in matrices:
            matrices[settings.half_life_days] = split.train(settings.half_life_days)
        ndcg, recall = _score(matrices[settings.half_life_days], split, settings, seed=seed)
        study.tell(trial, ndcg)
        if ndcg > max((row["ndcg"] for row in rows), default=-1.0):
            best = settings
        named = {name: getattr(settings, name) for name in _TRIALS if hasattr(settings, name)}
        rows.append({"trial": number, **named, "ndcg": ndcg, "recall": recall})
        if on_trial is not None:
            on_trial(number, settings, ndcg)
    return Tuned(best, pl.DataFrame(rows, schema=_TRIALS))


def _score(weights: WeightMatrix, split: Split, settings: AlsSettings, *, seed: int) -> tuple[float, float]:
    model = fit_als(weights, settings=settings, as_of="", seed=seed)
    users = split.truth["user_id"].unique().sort()
    lists = recommend(als_recommender(model, job_ids=model.job_ids), users, k=LIST_LENGTH, excluded=split.known)
    found = evaluate_lists(lists, split.truth, k=LIST_LENGTH)
    # Nine decimals: a sum in another order must not make another choice.
    return round(float(found["ndcg"].mean()), 9), round(float(found["recall"].mean()), 9)  # type: ignore[arg-type]


def _study(
    start: AlsSettings, half_lives: tuple[float, ...], *, seed: int, max_factors: int
) -> tuple[Any, Callable[[], tuple[Any, AlsSettings]]]:
    """An Optuna study, and how to ask it for the next settings."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    factors = sorted({*(count for count in FACTORS if count <= max_factors), start.factors})
    lives = sorted({*half_lives, start.half_life_days})
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(
        {
            "factors": start.factors,
            "regularization": min(max(start.regularization, 1e-2), 1e2),
            "alpha": min(max(start.alpha, 0.1), 100.0),
            "popularity_power": start.popularity_power,
            "half_life_days": start.half_life_days,
        }
    )

    def ask() -> tuple[Any, AlsSettings]:
        trial = study.ask()
        return trial, replace(
            start,
            factors=trial.suggest_categorical("factors", factors),
            regularization=trial.suggest_float("regularization", 1e-2, 1e2, log=True),
            alpha=trial.suggest_float("alpha", 0.1, 100.0, log=True),
            popularity_power=trial.suggest_float("popularity_power", 0.0, 1.0),
            half_life_days=trial.suggest_categorical("half_life_days", lives),
        )

    return study, ask


def _sample(users: pl.Series, most: int) -> pl.Series:
    """At most `most` of the users, those with the smallest hashes."""
    hashes = pl.Series(stable_hash(users, "tuning"))
    return users.gather(hashes.arg_sort().head(most)).sort()
