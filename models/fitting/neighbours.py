"""Who behaves alike, and which jobs are applied to by the same people: sparse cosines, the best few of each row.

Sarwar et al., "Item-based collaborative filtering recommendation algorithms" (2001), and its user-based elder.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import MICRO, Csr, csr_from_coordinates, positions, rank_within, sorted_ids
from models.fitting.artifacts import Artifact
from models.fitting.knn import most_similar_rows
from models.fitting.weights import WeightMatrix, positive_part

Floats = NDArray[np.float32]

N_NEIGHBOURS = 50
_BLOCK_ROWS = 1024
_COLUMN_BITS, _SCORE_BITS = 31, 21


@dataclass(frozen=True, eq=False)
class JobNeighbours(Artifact):
    """CSR jobs x jobs in parts: for each job those that the same people applied to, with a score in (0, 1]."""

    job_ids: pl.Series
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    scores: Floats

    def matrix(self) -> Csr:
        """CSR float32 (n_jobs, n_jobs)."""
        return sparse.csr_matrix((self.scores, self.indices, self.indptr), shape=(len(self.job_ids),) * 2)


@dataclass(frozen=True, eq=False)
class UserNeighbours(Artifact):
    """CSR users x users in parts: those who behave alike, score in (0, 1]; and what each user took to (users x jobs).

    What similar users did is `matrix() @ history()`, users x jobs.
    """

    user_ids: pl.Series
    job_ids: pl.Series
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    scores: Floats
    history_indptr: NDArray[np.int64]
    history_indices: NDArray[np.int32]
    history_weights: Floats

    def matrix(self) -> Csr:
        """CSR float32 (n_users, n_users)."""
        return sparse.csr_matrix((self.scores, self.indices, self.indptr), shape=(len(self.user_ids),) * 2)

    def history(self) -> Csr:
        """CSR float32 (n_users, n_jobs): ln(1 + decayed weight), positive only, each user's strongest jobs."""
        shape = (len(self.user_ids), len(self.job_ids))
        return sparse.csr_matrix((self.history_weights, self.history_indices, self.history_indptr), shape=shape)


def fit_also_applied(
    applications: pl.DataFrame,
    *,
    n_neighbours: int = N_NEIGHBOURS,
    shrinkage: float = 0.0,
    max_jobs_per_user: int = 200,
    n_threads: int = 2,
) -> JobNeighbours:
    """Item-item cosine over `applications` (user_id, job_id, last_at; unique pairs): SPEC section 5, also_applied.

    `shrinkage` times it by c / (c + shrinkage), where c people applied to both (Bell and Koren, 2007). Only the newest
    `max_jobs_per_user` of a user count, so that who applies to everything does not tie everything together.
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

    def block(rows: slice) -> Csr:
        common = by_job[rows] @ applied
        row = np.repeat(np.arange(rows.start, rows.stop), np.diff(common.indptr))
        cosine = common.data / np.sqrt(n_applied[row] * n_applied[common.indices])
        common.data = np.asarray(cosine * common.data / (common.data + shrinkage), dtype=np.float32)
        return best_of_rows(_without_diagonal(common, rows.start), n_neighbours)

    best = _stack(len(jobs), block, n_threads=n_threads)
    return JobNeighbours(job_ids=jobs, indptr=best.indptr, indices=best.indices, scores=best.data)


def fit_user_neighbours(
    weights: WeightMatrix,
    *,
    n_neighbours: int = N_NEIGHBOURS,
    max_jobs_per_user: int = 30,
    max_users_per_job: int = 100,
    n_threads: int = 2,
) -> UserNeighbours:
    """User-user cosine over ln(1 + positive weight) * idf of the job.

    A user is described by the `max_jobs_per_user` strongest jobs, and a job names the `max_users_per_job` users to whom
    it means most: the cost is bounded by users * 30 * 100, whatever the popularity of a job. Twice as many of both
    foretell no better on the simulated market.
    """
    logged = positive_part(weights.values)
    logged.data = np.log1p(logged.data)
    history = best_of_rows(logged, max_jobs_per_user, largest=float(logged.data.max(initial=1)))
    n_users = history.shape[0]
    idf = np.log1p(n_users / np.maximum(np.bincount(history.indices, minlength=history.shape[1]), 1))
    described = history.copy()
    described.data = np.asarray(history.data * idf[history.indices], dtype=np.float32)
    described = _unit_rows(described)
    named = best_of_rows(described.T.tocsr(), max_users_per_job)
    best = most_similar_rows(described, named, n_neighbours, n_threads=n_threads)
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


def best_of_rows(values: Csr, k: int, *, largest: float = 1.0) -> Csr:
    """The `k` largest positive entries of each row, rounded to millionths of `largest`; equal ones by column.

    Row, score and column are packed into one integer each, which NumPy sorts ten times faster than three keys.
    """
    parts = []
    for start in range(0, values.shape[0], _BLOCK_ROWS):
        block = values[start : start + _BLOCK_ROWS]
        row = np.repeat(np.arange(block.shape[0], dtype=np.int64), np.diff(block.indptr))
        score = np.rint(np.clip(block.data.astype(np.float64) / largest, 0, 1) * MICRO).astype(np.int64)
        kept = score > 0
        key = row[kept] << (_COLUMN_BITS + _SCORE_BITS)
        key |= (MICRO - score[kept]) << _COLUMN_BITS
        key |= block.indices[kept]
        key.sort()
        key = key[rank_within(key >> (_COLUMN_BITS + _SCORE_BITS)) < k]
        score = MICRO - ((key >> _COLUMN_BITS) & ((1 << _SCORE_BITS) - 1))
        part = sparse.csr_matrix(
            (
                (score * (largest / MICRO)).astype(np.float32),
                (key >> (_COLUMN_BITS + _SCORE_BITS), key & ((1 << _COLUMN_BITS) - 1)),
            ),
            shape=block.shape,
        )
        part.sort_indices()
        parts.append(part)
    return _concatenate(parts, values.shape)


def _stack(n_rows: int, block: Any, *, n_threads: int) -> Csr:
    """`block(rows)` of all rows, one below the other; SciPy lets threads run side by side in its products."""
    slices: Iterator[slice] = (
        slice(start, min(start + _BLOCK_ROWS, n_rows)) for start in range(0, n_rows, _BLOCK_ROWS)
    )
    with ThreadPoolExecutor(n_threads) as pool:
        return _concatenate(list(pool.map(block, slices)), (n_rows, n_rows))


def _concatenate(parts: list[Csr], shape: tuple[int, int]) -> Csr:
    made = sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix(shape, dtype=np.float32)
    made.indptr, made.indices = made.indptr.astype(np.int64), made.indices.astype(np.int32)
    return made


def _without_diagonal(block: Csr, first_row: int) -> Csr:
    row = np.repeat(np.arange(first_row, first_row + block.shape[0]), np.diff(block.indptr))
    block.data[block.indices == row] = 0
    return block


def _unit_rows(values: Csr) -> Csr:
    length = np.sqrt(np.asarray(values.multiply(values).sum(axis=1)).ravel())
    values.data = np.asarray(
        values.data / np.repeat(np.maximum(length, 1e-12), np.diff(values.indptr)), dtype=np.float32
    )
    return values
