"""Jobs that the same people applied to: item-item cosine, the best few of each job.

Sarwar et al., "Item-based collaborative filtering recommendation algorithms" (2001).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from models.arrays import Csr, Floats, Ints, Longs, csr_from_coordinates, positions, sorted_ids
from models.fitting.artifacts import Artifact
from models.fitting.knn import largest_of_rows, stack_rows

N_NEIGHBOURS = 50
_BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class JobNeighbours(Artifact):
    """CSR jobs x jobs in parts: for each job those that the same people applied to, with a score in (0, 1]."""

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
    """Item-item cosine over `applications` (user_id, job_id, last_at; unique pairs): SPEC section 5, also_applied.

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
