"""User-user cosine of interactions, cut to the most similar users of each user.

Ranking reads `UserNeighbours` as neighbours; `fit_user_knn` fits the collaborative model with tuned parameters.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Csr, Floats, Ints, Longs
from models.fitting.artifacts import Artifact
from models.fitting.knn import largest_of_rows, most_similar_rows
from models.fitting.sparse_models import SparseModel, history_of, scale_columns, scale_rows, sparse_model, users_per_job
from models.fitting.weights import WeightMatrix, positive_part

N_NEIGHBOURS = 50


@dataclass(frozen=True, eq=False)
class UserNeighbours(Artifact):
    """The arrays of two CSR matrices: similar users (users x users, scores in (0, 1]) and histories (users x jobs).

    The interactions of similar users are `matrix() @ history()`, users x jobs.
    """

    user_ids: pl.Series
    job_ids: pl.Series
    indptr: Longs
    indices: Ints
    scores: Floats
    history_indptr: Longs
    history_indices: Ints
    history_weights: Floats

    def matrix(self) -> Csr:
        """CSR float32 (n_users, n_users)."""
        return sparse.csr_matrix((self.scores, self.indices, self.indptr), shape=(len(self.user_ids),) * 2)

    def history(self) -> Csr:
        """CSR float32 (n_users, n_jobs): ln(1 + decayed weight), positive only, each user's strongest jobs."""
        shape = (len(self.user_ids), len(self.job_ids))
        return sparse.csr_matrix((self.history_weights, self.history_indices, self.history_indptr), shape=shape)


def fit_user_neighbours(
    weights: WeightMatrix,
    *,
    n_neighbours: int = N_NEIGHBOURS,
    max_jobs_per_user: int = 30,
    max_users_per_job: int = 100,
    n_threads: int = 2,
) -> UserNeighbours:
    """User-user cosine over ln(1 + positive weight) * idf of the job.

    A user is described by the `max_jobs_per_user` strongest jobs, and a job by the `max_users_per_job` users with
    the greatest weights. This bounds the cost by users * 30 * 100, whatever the popularity of a job. Twice as many of
    both predict no better on the simulated market.
    """
    logged = positive_part(weights.values)
    logged.data = np.log1p(logged.data)
    history = largest_of_rows(logged, max_jobs_per_user, largest=float(logged.data.max(initial=1)))
    n_users = history.shape[0]
    idf = np.log1p(n_users / np.maximum(np.bincount(history.indices, minlength=history.shape[1]), 1))
    described = history.copy()
    described.data = np.asarray(history.data * idf[history.indices], dtype=np.float32)
    length = np.sqrt(np.asarray(described.multiply(described).sum(axis=1)).ravel())
    described.data = np.asarray(
        described.data / np.repeat(np.maximum(length, 1e-12), np.diff(described.indptr)), dtype=np.float32
    )
    strongest_users = largest_of_rows(described.T.tocsr(), max_users_per_job)
    best = most_similar_rows(described, strongest_users, n_neighbours, n_threads=n_threads)
    return UserNeighbours(
        user_ids=weights.user_ids,
        job_ids=weights.job_ids,
        indptr=best.indptr,
        indices=best.indices,
        scores=best.data,
        history_indptr=history.indptr.astype(np.int64),
        history_indices=history.indices.astype(np.int32),
        history_weights=history.data,
    )


@dataclass(frozen=True)
class UserKnnSettings:
    """`rarity_power`: how much more a rare job counts in the similarity of users: idf ** power.

    `activity_power`: the history of a similar user with n jobs counts n ** -power. `max_products` bounds the cost: it
    limits the users by which a job is described.
    """

    n_neighbours: int = 100
    rarity_power: float = 0.5
    activity_power: float = 0.0
    is_binary: bool = True
    popularity_power: float = 0.0
    half_life_days: float = 60.0
    max_jobs_per_user: int = 500
    max_products: int = 20_000_000_000


def fit_user_knn(weights: WeightMatrix, settings: UserKnnSettings, *, n_threads: int = 2) -> SparseModel:
    """The score of a job is the sum of the similarities of the similar users who interacted with it.

    The same arguments give the same bytes, whatever `n_threads`.
    """
    history = history_of(weights.values, is_binary=settings.is_binary)
    history = largest_of_rows(history, settings.max_jobs_per_user, largest=float(history.data.max(initial=1)))
    described = describe_users(history, users_per_job(history), rarity_power=settings.rarity_power)
    most = max_users_per_job(described.nnz, max_products=settings.max_products)
    by_job = described.T.tocsr()
    if np.diff(by_job.indptr).max(initial=0) > most:
        by_job = largest_of_rows(by_job, most)
    links = most_similar_rows(described, by_job, settings.n_neighbours, n_threads=n_threads)
    n_jobs = np.maximum(np.diff(history.indptr), 1).astype(np.float64)
    shared = scale_rows(history, n_jobs**-settings.activity_power)
    return sparse_model(weights, links, shared, popularity_power=settings.popularity_power)


def max_users_per_job(n_pairs: int, *, max_products: int = UserKnnSettings.max_products) -> int:
    """How many users may describe a job, so that about `max_products` similarities are added up."""
    return max(100, max_products // max(n_pairs, 1))


def describe_users(
    history: Csr, n_users_of_job: NDArray[np.float64], *, rarity_power: float, n_users: int | None = None
) -> Csr:
    """The rows of `history` (users x jobs), weighted by the rarity of their jobs and scaled to length 1.

    Of `n_users` (None: the rows of `history`), `n_users_of_job` interacted with each job.
    """
    described = scale_columns(history, rarity(n_users_of_job, n_users=n_users or history.shape[0], power=rarity_power))
    length = np.sqrt(np.asarray(described.multiply(described).sum(axis=1), dtype=np.float64).ravel())
    return scale_rows(described, 1 / np.maximum(length, 1e-12))


def rarity(n_users_of_job: NDArray[np.float64], *, n_users: int, power: float) -> NDArray[np.float64]:
    """The inverse frequency (n_jobs) of jobs of which some of `n_users` have each, to a power."""
    return np.asarray(np.log1p(max(n_users, 1) / np.maximum(n_users_of_job, 1)) ** power)
