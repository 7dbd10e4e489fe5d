"""What the sparse collaborative models share: their form, the interactions they learn from, the popularity correction.

The models are in item_knn, user_knn and linear_items.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import Csr, Floats
from models.fitting.weights import WeightMatrix, positive_part


@dataclass(frozen=True, eq=False)
class SparseModel:
    """The scores of users are `left @ right`: (users x terms) @ (terms x jobs). Ids are sorted.

    The terms are jobs for a model of items (`left` is the history), and users for a model of users (`left` holds the
    similar users). No entry in the product is no opinion.
    """

    user_ids: pl.Series
    job_ids: pl.Series
    left: Csr
    right: Csr


def history_of(values: Csr, *, is_binary: bool) -> Csr:
    """The positive entries of users x jobs as float32: 1 if `is_binary`, else ln(1 + weight)."""
    history = positive_part(values).astype(np.float32)
    history.data = np.ones_like(history.data) if is_binary else np.log1p(history.data)
    return history


def users_per_job(values: Csr) -> NDArray[np.float64]:
    """(n_jobs): how many users have a positive entry."""
    return np.bincount(values.indices[values.data > 0], minlength=values.shape[1]).astype(np.float64)


def popularity_scale(values: Csr, *, power: float) -> Floats:
    """(n_jobs): (users of the job / their mean over jobs) ** -power; 1 for all jobs with a power of 0.

    A popular job was shown to many users, so a choice of it says little about taste. This is inverse propensity
    weighting with popularity as the propensity (Schnabel et al., "Recommendations as treatments", 2016).
    """
    n_users = np.maximum(users_per_job(values), 1)
    return np.asarray((n_users / max(n_users.mean(), 1) if len(n_users) else n_users) ** -power, dtype=np.float32)


def scale_rows(values: Csr, factors: NDArray[np.floating]) -> Csr:
    """Each row times its factor, float32."""
    made = values.copy()
    made.data = np.asarray(made.data * np.repeat(factors, np.diff(made.indptr)), dtype=np.float32)
    return made


def scale_columns(values: Csr, factors: NDArray[np.floating]) -> Csr:
    """Each column times its factor, float32."""
    made = values.copy()
    made.data = np.asarray(made.data * factors[made.indices], dtype=np.float32)
    return made


def sparse_model(weights: WeightMatrix, left: Csr, right: Csr, *, popularity_power: float) -> SparseModel:
    """The model of the users and jobs of `weights`, its scores corrected for popularity."""
    if popularity_power:
        right = scale_columns(right, popularity_scale(weights.values, power=popularity_power))
    return SparseModel(weights.user_ids, weights.job_ids, left, right)
