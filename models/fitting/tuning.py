"""The search for the parameters of ALS that predict held-out interactions best.

A Tree-structured Parzen Estimator (Bergstra et al., "Algorithms for hyper-parameter optimization", 2011) by Optuna,
one trial after the other: the same inputs and seed give the same choice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from features.errors import JobfeedError
from models.evaluation.metrics import evaluate_lists
from models.evaluation.recommenders import als_recommender, recommend
from models.evaluation.splits import Split
from models.fitting.als import AlsSettings, fit_als
from models.fitting.weights import WeightMatrix

LIST_LENGTH = 20
FACTORS = (16, 32, 64, 128)
_TRIALS = {
    "trial": pl.Int64, "factors": pl.Int64, "regularization": pl.Float64, "alpha": pl.Float64,
    "popularity_power": pl.Float64, "half_life_days": pl.Float64, "ndcg": pl.Float64, "recall": pl.Float64,
}  # fmt: skip


class TuningError(JobfeedError, ValueError):
    """No interaction is held out to choose by."""


@dataclass(frozen=True)
class Tuned:
    """The best settings, and `trials` with NDCG and recall of the first 20; the first trial is the settings in use."""

    settings: AlsSettings
    trials: pl.DataFrame

    @property
    def start_ndcg(self) -> float:
        return float(self.trials["ndcg"][0])

    @property
    def best_ndcg(self) -> float:
        return float(self.trials["ndcg"].max())  # type: ignore[arg-type]


def tune_als(
    split: Split,
    *,
    start: AlsSettings,
    n_trials: int,
    seed: int,
    max_factors: int,
    on_trial: Callable[[int, AlsSettings, float], None] | None = None,
) -> Tuned:
    """The best of `n_trials` settings by NDCG@20 on the truth of `split`; `start` is tried first and wins ties.

    The search covers factors (up to `max_factors`), regularization, alpha, popularity_power and the half-life. Raises
    TuningError if nothing is held out.
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
    # Nine decimals: another order of summation must not lead to another choice.
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
