"""What the search tries of each model of the registry. How it searches is in models.fitting.tuning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from models.fitting.collaborative import ALS, ITEM_KNN, LINEAR_ITEMS, POPULARITY, USER_KNN

_FACTORS = (16, 32, 64, 128, 256)
_NEIGHBOURS = [25, 50, 100, 200, 400]
_LEAST_TO_HALVE = 32


def ask(trial: Any, model: str, start: Any, *, half_lives: Sequence[float], max_factors: int) -> Any:
    """The settings that Optuna's `trial` proposes for the model; what is not searched stays as in `start`."""
    chosen = _SPACES[model](trial, max_factors)
    lives = sorted({*half_lives, start.half_life_days})
    return replace(start, **chosen, half_life_days=trial.suggest_categorical("half_life_days", lives))


def smaller(settings: Any) -> Any | None:
    """The settings with half the neighbours or factors, which cost less; None if they are few already."""
    for name in ("n_neighbours", "factors"):
        value = getattr(settings, name, 0)
        if value >= _LEAST_TO_HALVE:
            return replace(settings, **{name: value // 2})
    return None


def _als(trial: Any, max_factors: int) -> dict[str, Any]:
    factors = [count for count in _FACTORS if count <= max_factors] or [max_factors]
    return {
        "factors": trial.suggest_categorical("factors", factors),
        "regularization": trial.suggest_float("regularization", 1e-2, 1e2, log=True),
        "alpha": trial.suggest_float("alpha", 0.1, 100.0, log=True),
        "popularity_power": trial.suggest_float("popularity_power", 0.0, 1.0),
    }


def _user_knn(trial: Any, _max_factors: int) -> dict[str, Any]:
    return {
        "n_neighbours": trial.suggest_categorical("n_neighbours", _NEIGHBOURS),
        "rarity_power": trial.suggest_float("rarity_power", 0.0, 2.0),
        "activity_power": trial.suggest_float("activity_power", 0.0, 0.6),
        **_common(trial),
    }


def _item_knn(trial: Any, _max_factors: int) -> dict[str, Any]:
    return {
        "n_neighbours": trial.suggest_categorical("n_neighbours", _NEIGHBOURS),
        "shrinkage": trial.suggest_float("shrinkage", 0.1, 100.0, log=True),
        "activity_power": trial.suggest_float("activity_power", 0.0, 1.0),
        **_common(trial),
    }


def _linear_items(trial: Any, _max_factors: int) -> dict[str, Any]:
    return {
        "n_neighbours": trial.suggest_categorical("n_neighbours", [50, 100, 200]),
        "regularization": trial.suggest_float("regularization", 1.0, 3000.0, log=True),
        **_common(trial),
    }


def _popularity(trial: Any, _max_factors: int) -> dict[str, Any]:
    return {"is_binary": trial.suggest_categorical("is_binary", [True, False])}


def _common(trial: Any) -> dict[str, Any]:
    return {
        "is_binary": trial.suggest_categorical("is_binary", [True, False]),
        "popularity_power": trial.suggest_float("popularity_power", 0.0, 0.6),
    }


_SPACES: Mapping[str, Callable[[Any, int], dict[str, Any]]] = {
    ALS: _als,
    USER_KNN: _user_knn,
    ITEM_KNN: _item_knn,
    LINEAR_ITEMS: _linear_items,
    POPULARITY: _popularity,
}
