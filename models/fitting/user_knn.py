"""Users who behave alike: user-user cosine of their interactions, the best few of each user."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from models.arrays import Csr, Floats, Ints, Longs
from models.fitting.artifacts import Artifact
from models.fitting.knn import largest_of_rows, most_similar_rows
from models.fitting.weights import WeightMatrix, positive_part

N_NEIGHBOURS = 50


@dataclass(frozen=True, eq=False)
class UserNeighbours(Artifact):
    """CSR users x users in parts: users who behave alike, score in (0, 1]; and the history of each user (users x jobs).

    What similar users did is `matrix() @ history()`, users x jobs.
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
