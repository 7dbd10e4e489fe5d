"""A linear model of jobs: a user's score of a job is a weighted sum of the user's interactions with similar jobs.

For each job a ridge regression of its column of the interaction matrix on the columns of its most similar jobs:
SLIM with feature selection (Ning and Karypis, "SLIM: Sparse linear methods for top-N recommender systems", 2011) with
a ridge for the elastic net. With all jobs as neighbours it equals EASE without its constraint on the diagonal (Steck,
"Embarrassingly shallow autoencoders for sparse data", 2019).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Csr, CsrArrays, Floats
from models.fitting.knn import largest_of_rows, most_similar_rows
from models.fitting.sparse_models import SparseModel, history_of, scale_columns, sparse_model
from models.fitting.weights import WeightMatrix
from models.kernels.cholesky import solve_positive
from models.kernels.compiling import compiled

_JOBS_AT_ONCE = 512  # in one call of a thread
_NEGLIGIBLE = 1e-5
# Co-occurrences that are kept, of all jobs together. Those of each job's most similar ones are kept, at least twice as
# many as neighbours; the rest counts as none, which costs quality: on MovieLens NDCG@20 .38 for .43 with twice as many.
_MAX_CO_OCCURRENCES = 60_000_000


@dataclass(frozen=True)
class LinearItemSettings:
    """Size and strength of the regressions, and how interactions count: `is_binary` ignores their weights."""

    n_neighbours: int = 200
    regularization: float = 30.0
    is_binary: bool = True
    popularity_power: float = 0.0
    half_life_days: float = 60.0
    max_jobs_per_user: int = 500


def fit_linear_items(weights: WeightMatrix, settings: LinearItemSettings, *, n_threads: int = 2) -> SparseModel:
    """w = (G_SS + regularization * I)^-1 G_Sj for each job j and its most similar jobs S by cosine; G = X'X.

    The same arguments give the same bytes, whatever `n_threads`.
    """
    history = history_of(weights.values, is_binary=settings.is_binary)
    learned = largest_of_rows(history, settings.max_jobs_per_user, largest=float(history.data.max(initial=1)))
    length = np.sqrt(np.asarray(learned.multiply(learned).sum(axis=0), dtype=np.float64).ravel())
    unit = scale_columns(learned, 1 / np.maximum(length, 1e-12))
    n_known = n_known_neighbours(settings.n_neighbours, len(length))
    similar = most_similar_rows(unit.T.tocsr(), unit, min(n_known, len(length)), n_threads=n_threads)
    coefficients = _coefficients(similar, length, settings, n_threads=n_threads)
    return sparse_model(weights, history, coefficients, popularity_power=settings.popularity_power)


def n_known_neighbours(n_neighbours: int, n_jobs: int) -> int:
    """Of how many jobs the co-occurrences with each job are kept."""
    return max(2 * n_neighbours, _MAX_CO_OCCURRENCES // max(n_jobs, 1))


def _coefficients(similar: Csr, length: NDArray[np.float64], settings: LinearItemSettings, *, n_threads: int) -> Csr:
    """jobs x jobs: entry (i, j) is the weight of job i in the score of job j."""
    neighbours = largest_of_rows(similar, settings.n_neighbours)
    once = sparse.tril(similar.maximum(similar.T), format="csr")  # each pair that either job of it knows, once
    once.data = np.asarray(once.data * np.repeat(length, np.diff(once.indptr)) * length[once.indices], dtype=np.float32)
    rows, pairs = CsrArrays.of(neighbours), CsrArrays.of(once)
    targets = neighbours.data * np.repeat(length, np.diff(neighbours.indptr)) * length[neighbours.indices]
    found = targets.astype(np.float32)
    diagonal = np.asarray(length * length + settings.regularization, dtype=np.float32)

    def solve(start: int) -> None:
        stop = min(start + _JOBS_AT_ONCE, len(length))
        is_solved = np.ones(stop - start, dtype=np.bool_)
        _solve(start, rows, pairs, diagonal, found, is_solved)
        for job in (start + np.flatnonzero(~is_solved)).tolist():
            own = slice(rows.indptr[job], rows.indptr[job + 1])
            found[own] = np.linalg.solve(_gram_matrix(job, rows, pairs, diagonal), found[own])

    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(solve, range(0, len(length), _JOBS_AT_ONCE)))
    value = np.round(found, 6)
    kept = np.abs(value) > _NEGLIGIBLE
    job = np.repeat(np.arange(len(length)), np.diff(neighbours.indptr))
    coordinates = (neighbours.indices[kept], job[kept])
    made = sparse.csr_matrix((value[kept], coordinates), shape=similar.shape)
    made.sort_indices()
    return made


@compiled
def _solve(start: int, neighbours: Any, pairs: Any, diagonal: Any, found: Any, is_solved: Any) -> None:
    """Replaces the right sides in `found`, of the jobs from `start` on, by the coefficients.

    `is_solved` is set to False for a job whose matrix is not positive definite: co-occurrences that are not known count
    as none. Its right side stays.
    """
    indptr, indices = neighbours.indptr, neighbours.indices
    stop, most = start + len(is_solved), 0
    for job in range(start, stop):
        most = max(most, indptr[job + 1] - indptr[job])
    gram = np.empty((most, most + 1), dtype=np.float32)
    place = np.full(len(diagonal), most, dtype=np.int32)
    for job in range(start, stop):
        first, last = indptr[job], indptr[job + 1]
        _fill_gram(indices[first:last], pairs, diagonal, place, gram)
        is_solved[job - start] = solve_positive(gram, last - first, found[first:last])


@compiled
def _fill_gram(jobs: Any, pairs: Any, diagonal: Any, place: Any, gram: Any) -> None:
    """The lower triangle of the ridge regression's matrix of `jobs` (ascending).

    The last column takes pairs with other jobs, whose `place` it is: a branch would often be predicted wrongly.
    """
    for position in range(len(jobs)):
        place[jobs[position]] = position
        gram[position, :position] = 0
    for position in range(len(jobs)):
        job = jobs[position]
        for entry in range(pairs.indptr[job], pairs.indptr[job + 1]):
            gram[position, place[pairs.indices[entry]]] = pairs.data[entry]
        gram[position, position] = diagonal[job]
    for position in range(len(jobs)):
        place[jobs[position]] = gram.shape[1] - 1


def _gram_matrix(job: int, neighbours: CsrArrays, pairs: CsrArrays, diagonal: Floats) -> Floats:
    """The whole symmetric matrix of one job."""
    jobs = neighbours.indices[neighbours.indptr[job] : neighbours.indptr[job + 1]]
    filled = np.empty((len(jobs), len(jobs) + 1), dtype=np.float32)
    _fill_gram(jobs, pairs, diagonal, np.full(len(diagonal), len(jobs), dtype=np.int32), filled)
    lower = np.tril(filled[:, :-1])
    return np.asarray(lower + np.tril(lower, -1).T)
