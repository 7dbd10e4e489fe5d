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

from models.arrays import Csr, CsrArrays, Longs, rank_within
from models.fitting.knn import largest_of_rows, most_similar_rows
from models.fitting.sparse_models import SparseModel, history_of, scale_columns, sparse_model
from models.fitting.weights import WeightMatrix
from models.kernels.compiling import compiled

_BATCH_BYTES = 64_000_000  # of the matrices that are solved at once
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
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    n_jobs = len(length)
    neighbours = largest_of_rows(similar, settings.n_neighbours)
    once = sparse.triu(similar.maximum(similar.T), format="csr")  # each pair that either job of it knows, once
    # Jobs with about as many neighbours are solved together.
    order = np.argsort(np.diff(neighbours.indptr), kind="stable")
    batches = _batches(np.diff(neighbours.indptr)[order])

    def solve(batch: slice) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        return _solve(order[batch], neighbours, once, length, settings.regularization)

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        parts = list(pool.map(solve, batches))
    found = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [np.zeros(0, np.int32)] * 3
    made = sparse.csr_matrix((found[2].astype(np.float32), (found[0], found[1])), shape=(n_jobs, n_jobs))
    made.sort_indices()
    return made


def _batches(sizes: Longs) -> list[slice]:
    """Slices of the ascending `sizes` whose matrices fit into _BATCH_BYTES; jobs without neighbours are left out."""
    batches, start = [], int(np.searchsorted(sizes, 1))
    while start < len(sizes):
        stop = start + max(1, _BATCH_BYTES // (4 * int(sizes[start]) ** 2))
        width = int(sizes[min(stop, len(sizes)) - 1])
        stop = min(len(sizes), start + max(1, _BATCH_BYTES // (4 * width**2)))
        batches.append(slice(start, stop))
        start = stop
    return batches


def _solve(
    jobs: Longs, neighbours: Csr, pairs: Csr, length: NDArray[np.float64], regularization: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The coordinates (i, j) of the coefficients of the `jobs`, and the coefficients."""
    counts = np.diff(neighbours.indptr)[jobs]
    width = int(counts.max())
    gram = np.zeros((len(jobs), width, width), dtype=np.float32)
    target = np.zeros((len(jobs), width), dtype=np.float32)
    gram[:, np.arange(width), np.arange(width)] = 1  # padding solves to 0
    _gram_matrices(
        jobs, CsrArrays.of(neighbours), CsrArrays.of(pairs), length, np.float32(regularization), gram, target
    )
    solved = np.linalg.solve(gram, target[:, :, None])[:, :, 0]
    owner = np.repeat(np.arange(len(jobs)), counts)
    value = np.round(solved[owner, rank_within(owner)], 6)
    row = neighbours[jobs].indices
    kept = np.abs(value) > _NEGLIGIBLE
    return row[kept], jobs[owner][kept], value[kept]


@compiled
def _gram_matrices(
    jobs: Any, neighbours: Any, pairs: Any, length: Any, regularization: Any, gram: Any, target: Any
) -> None:
    indptr, indices, data = neighbours.indptr, neighbours.indices, neighbours.data
    pair_indptr, pair_indices, cosine = pairs.indptr, pairs.indices, pairs.data
    place = np.full(len(length), -1, dtype=np.int32)
    for number in range(len(jobs)):
        job = jobs[number]
        start, stop = indptr[job], indptr[job + 1]
        for position in range(start, stop):
            place[indices[position]] = position - start
        for position in range(start, stop):
            other, row = indices[position], position - start
            target[number, row] = data[position] * length[job] * length[other]
            gram[number, row, row] = length[other] * length[other] + regularization
            for entry in range(pair_indptr[other], pair_indptr[other + 1]):
                column = place[pair_indices[entry]]
                if column >= 0:
                    product = np.float32(cosine[entry] * length[other] * length[pair_indices[entry]])
                    gram[number, row, column] = product
                    gram[number, column, row] = product
        for position in range(start, stop):
            place[indices[position]] = -1
