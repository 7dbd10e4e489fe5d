"""What a fit will cost, estimated before it is made: seconds on two cores, and bytes at its peak.

The rates are measured ones (2.5 GHz); a search corrects the seconds by what its own fits took.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.fitting.collaborative import ALS, ITEM_KNN, LINEAR_ITEMS, POPULARITY, USER_KNN
from models.fitting.linear_items import n_known_neighbours
from models.fitting.user_knn import max_users_per_job
from models.fitting.weights import WeightMatrix

_ANY_FIT_SECONDS = 0.5
_SECONDS_PER_PRODUCT = 4e-9  # of two sparse entries, added to a row of sums
_SECONDS_PER_FACTOR = 4e-9  # of ALS: an entry times a factor, in one iteration
_SECONDS_PER_SQUARE = 6e-10  # of ALS: a factor times a factor of a row, in one iteration
_SECONDS_PER_CELL = 3e-9  # a score of a user on a job by factors
_SECONDS_PER_CUBE = 4e-12  # of a regression: neighbours cubed
_SECONDS_PER_PAIR = 5e-10  # a co-occurrence that a regression looks at
_SECONDS_PER_CO_OCCURRENCE = 1.2e-7  # to find it and to sort it
_PAIR_BYTES = 8  # an entry of a sparse matrix: value and column
_PLACE_BYTES = 8  # of one entry that a row of neighbours may have
_LINK_BYTES = 20  # an entry of a matrix of neighbours while it is made
_COPIES = 4  # of the interactions, while a model is fitted
_CO_OCCURRENCE_COPIES = 6


@dataclass(frozen=True)
class Size:
    """How much there is to fit on: `user_products` and `job_products` are the pairs of users of each job, of jobs of
    each user."""

    n_users: int = 0
    n_jobs: int = 0
    n_pairs: int = 0
    user_products: float = 0.0
    job_products: float = 0.0

    @classmethod
    def of(cls, weights: WeightMatrix) -> "Size":
        of_user = np.diff(weights.values.indptr).astype(np.float64)
        of_job = np.bincount(weights.values.indices, minlength=weights.values.shape[1]).astype(np.float64)
        most = max_users_per_job(weights.values.nnz)
        products = (of_job * np.minimum(of_job, most)).sum()
        return cls(len(of_user), len(of_job), weights.values.nnz, float(products), float((of_user**2).sum()))


def fit_seconds(model: str, settings: Any, size: Size, *, n_scored_users: int) -> float:
    """Of a fit of a model of the registry, and of scoring all jobs for `n_scored_users`."""
    return _ANY_FIT_SECONDS + _SECONDS[model](settings, size) + _SCORING.get(model, 0.0) * n_scored_users * size.n_jobs


def fit_bytes(model: str, settings: Any, size: Size) -> float:
    """At the peak of a fit of a model of the registry."""
    return _COPIES * _PAIR_BYTES * size.n_pairs + _BYTES[model](settings, size)


def _als_seconds(settings: Any, size: Size) -> float:
    rows, factors = size.n_users + size.n_jobs, settings.factors
    one = _SECONDS_PER_FACTOR * size.n_pairs * factors + _SECONDS_PER_SQUARE * rows * factors**2
    return float(settings.iterations * one)


def _linear_seconds(settings: Any, size: Size) -> float:
    k = min(settings.n_neighbours, size.n_jobs)
    _, common = _co_occurrences(settings, size)
    regressions = size.n_jobs * _SECONDS_PER_CUBE * k**3 + _SECONDS_PER_PAIR * k * common
    return float(_SECONDS_PER_PRODUCT * size.job_products + _SECONDS_PER_CO_OCCURRENCE * common + regressions)


def _linear_bytes(settings: Any, size: Size) -> float:
    places, common = _co_occurrences(settings, size)
    return _PLACE_BYTES * places + _CO_OCCURRENCE_COPIES * _PAIR_BYTES * common


def _co_occurrences(settings: Any, size: Size) -> tuple[float, float]:
    """How many have a place, and how many there are at most."""
    known = min(n_known_neighbours(settings.n_neighbours, size.n_jobs), size.n_jobs)
    return float(known * size.n_jobs), float(min(size.job_products, known * size.n_jobs))


_SECONDS: Mapping[str, Callable[[Any, Size], float]] = {
    POPULARITY: lambda _settings, _size: 0.0,
    USER_KNN: lambda _settings, size: _SECONDS_PER_PRODUCT * size.user_products,
    ITEM_KNN: lambda _settings, size: _SECONDS_PER_PRODUCT * size.job_products,
    ALS: _als_seconds,
    LINEAR_ITEMS: _linear_seconds,
}
_SCORING: Mapping[str, float] = {ALS: _SECONDS_PER_CELL}
_BYTES: Mapping[str, Callable[[Any, Size], float]] = {
    POPULARITY: lambda _settings, _size: 0.0,
    USER_KNN: lambda settings, size: _LINK_BYTES * size.n_users * settings.n_neighbours,
    ITEM_KNN: lambda settings, size: _LINK_BYTES * size.n_jobs * settings.n_neighbours,
    ALS: lambda settings, size: 2 * 4 * (size.n_users + size.n_jobs) * settings.factors,
    LINEAR_ITEMS: _linear_bytes,
}
