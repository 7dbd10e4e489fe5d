"""Item-item cosine of applications (also_applied) and of all interactions (item-kNN), cut to the best few per job.

Sarwar et al., "Item-based collaborative filtering recommendation algorithms" (2001).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from models.arrays import Csr, Floats, Ints, Longs, csr_from_coordinates, positions, sorted_ids
from models.fitting.artifacts import Artifact
from models.fitting.knn import largest_of_rows, most_similar_rows, stack_rows
from models.fitting.sparse_models import SparseModel, history_of, scale_columns, scale_rows, sparse_model
from models.fitting.weights import WeightMatrix

N_NEIGHBOURS = 50
_BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class JobNeighbours(Artifact):
    """The arrays of a CSR matrix jobs x jobs: jobs that the same people applied to, scores in (0, 1]."""

    job_ids: pl.Series
    indptr: Longs
    indices: Ints
    scores: Floats

    def matrix(self) -> Csr:
        """CSR float32 (n_jobs, n_jobs)."""
        return sparse.csr_matrix((self.scores, self.indices, self.indptr), shape=(len(self.job_ids),) * 2)


def fit_also_applied(
    applications: pl.DataFrame,
    *,
    n_neighbours: int = N_NEIGHBOURS,
    shrinkage: float = 0.0,
    max_jobs_per_user: int = 200,
    n_threads: int = 2,
) -> JobNeighbours:
    """Item-item cosine over `applications` (user_id, job_id, last_at; unique pairs).

    `shrinkage` multiplies a score by c / (c + shrinkage), where c people applied to both (Bell and Koren, 2007). Only
    the newest `max_jobs_per_user` applications of a user count, so that users who apply to everything do not connect
    everything.
    """
    kept = (
        applications.sort(["user_id", "last_at", "job_id"], descending=[False, True, False], nulls_last=True)
        .group_by("user_id", maintain_order=True)
        .head(max_jobs_per_user)
    )
    users, jobs = sorted_ids(kept["user_id"]), sorted_ids(kept["job_id"])
    applied = csr_from_coordinates(
        positions(users, kept["user_id"]),
        positions(jobs, kept["job_id"]),
        np.ones(len(kept), dtype=np.float32),
        shape=(len(users), len(jobs)),
    )
    n_applied = np.bincount(applied.indices, minlength=len(jobs)).astype(np.float64)
    by_job = applied.T.tocsr()

    def block(start: int) -> Csr:
        common = by_job[start : start + _BLOCK_ROWS] @ applied
        row = start + np.repeat(np.arange(common.shape[0]), np.diff(common.indptr))
        cosine = common.data / np.sqrt(n_applied[row] * n_applied[common.indices])
        common.data = np.asarray(cosine * common.data / (common.data + shrinkage), dtype=np.float32)
        common.data[common.indices == row] = 0
        return largest_of_rows(common, n_neighbours)

    # SciPy releases the interpreter lock in its products: blocks run side by side.
    with ThreadPoolExecutor(n_threads) as pool:
        best = stack_rows(list(pool.map(block, range(0, len(jobs), _BLOCK_ROWS))), (len(jobs), len(jobs)))
    return JobNeighbours(job_ids=jobs, indptr=best.indptr, indices=best.indices, scores=best.data)


@dataclass(frozen=True)
class ItemKnnSettings:
    """`shrinkage`: average users added to each job, so that a few common users make little similarity.

    `activity_power`: interactions of a user with n jobs count n ** -power in the similarities.
    """

    n_neighbours: int = 100
    shrinkage: float = 10.0
    activity_power: float = 0.5
    is_binary: bool = True
    popularity_power: float = 0.0
    half_life_days: float = 60.0
    max_jobs_per_user: int = 500


def fit_item_knn(weights: WeightMatrix, settings: ItemKnnSettings, *, n_threads: int = 2) -> SparseModel:
    """The score of a job is the sum of its cosines with the user's jobs, over all positive interactions.

    The same arguments give the same bytes, whatever `n_threads`.
    """
    history = history_of(weights.values, is_binary=settings.is_binary)
    learned = largest_of_rows(history, settings.max_jobs_per_user, largest=float(history.data.max(initial=1)))
    n_jobs = np.maximum(np.diff(learned.indptr), 1).astype(np.float64)
    learned = scale_rows(learned, n_jobs**-settings.activity_power)
    squares = np.asarray(learned.multiply(learned).sum(axis=0), dtype=np.float64).ravel()
    n_users = np.maximum(np.bincount(learned.indices, minlength=learned.shape[1]), 1)
    # Adds `shrinkage` average users to each job; they have no other job.
    unit = scale_columns(learned, 1 / np.sqrt(np.maximum(squares * (1 + settings.shrinkage / n_users), 1e-12)))
    similar = most_similar_rows(unit.T.tocsr(), unit, settings.n_neighbours, n_threads=n_threads)
    return sparse_model(weights, history, similar, popularity_power=settings.popularity_power)
