"""Searches the jobs whose vectors have the greatest products with a user's: exactly, or in the likeliest clusters.

Above `EXACT_JOBS` an inverted file (Jégou, Douze, Schmid, "Product quantization for nearest neighbor search", 2011,
without the quantization): docs/adr/0008 has the measurements. The search skips forbidden jobs.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import NO_ENTRY, Csr, CsrArrays, Floats, Ints, positions, row_digests, unit_rows
from models.fitting.artifacts import Artifact
from models.fitting.clusters import cluster, nearest_direction
from models.kernels.compiling import compiled
from models.kernels.dense_rows import sums_of_runs
from models.kernels.heaps import heap_drain, heap_offer
from models.kernels.sparse_rows import mark_row
from models.ranking.settings import EXACT_JOBS
from models.sort_keys import descending_key, score_of_key

PROBED_JOBS = 4_000  # compared with each user, however many jobs there are
_SEED = 1


class VectorIndex(NamedTuple):
    """The vectors of jobs, cluster by cluster: rows (n, d), the job of each row, and the start of each cluster.

    One cluster without a centroid means exact search.
    """

    rows: Floats
    jobs: Ints
    starts: Ints
    centroids: Floats
    n_probed: int
    n_jobs: int


@dataclass(frozen=True, eq=False)
class JobClusters(Artifact):
    """The clusters that a run for all users searched: centroids (c, d), and the jobs (n) with the cluster of each.

    `space` names what the vectors are of; `digests` are their `row_digests`. No centroids: all jobs were compared.
    """

    space: str
    centroids: Floats
    job_ids: pl.Series
    digests: NDArray[np.uint64]
    labels: Ints

    @classmethod
    def of(cls, index: VectorIndex, vectors: Floats, job_ids: pl.Series, *, space: str) -> Self:
        """Those of an index of the rows of `vectors`, which are of `job_ids`."""
        labels = np.repeat(
            np.arange(len(index.centroids), dtype=np.int32), np.diff(index.starts)[: len(index.centroids)]
        )
        jobs = index.jobs[: len(labels)]
        return cls(space, index.centroids, job_ids.gather(jobs), row_digests(vectors[jobs]), labels)

    def known(self, vectors: Floats, job_ids: pl.Series) -> "KnownClusters":
        """What they say of these jobs and vectors."""
        row = positions(self.job_ids, job_ids)
        is_same = row >= 0
        is_same[is_same] = self.digests[row[is_same]] == row_digests(vectors[is_same])
        labels = np.full(len(row), NO_ENTRY, dtype=np.int32)
        labels[is_same] = self.labels[row[is_same]]
        return KnownClusters(self.centroids, labels)


class KnownClusters(NamedTuple):
    """Centroids (c, d), and the cluster of each row of some vectors, -1 where it must be found."""

    centroids: Floats
    labels: Ints


def build_index(
    vectors: Floats,
    *,
    exact_jobs: int = EXACT_JOBS,
    probed_jobs: int = PROBED_JOBS,
    known: KnownClusters | None = None,
) -> VectorIndex:
    """An index of the rows of `vectors` (J, d) that are not zero; above `exact_jobs` it reads about `probed_jobs`.

    The `known` clusters of an earlier index of about the same vectors spare the fit.
    """
    jobs = np.flatnonzero(vectors.any(axis=1)).astype(np.int32)
    rows = vectors if len(jobs) == len(vectors) else vectors[jobs]
    if len(jobs) <= exact_jobs:
        starts = np.array([0, len(jobs)], dtype=np.int32)
        return VectorIndex(rows, jobs, starts, np.zeros((0, rows.shape[1]), np.float32), 1, len(vectors))
    if known is not None and len(known.centroids) and known.centroids.shape[1] == rows.shape[1]:
        n_clusters, labels = len(known.centroids), known.labels[jobs]
        is_open = labels == NO_ENTRY
        labels[is_open] = nearest_direction(rows[is_open], known.centroids)
    else:
        n_clusters = round(2 * len(jobs) ** 0.5)
        labels = cluster(unit_rows(rows), n_clusters=n_clusters, seed=_SEED).labels
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(n_clusters + 1)).astype(np.int32)
    rows = np.ascontiguousarray(rows[order])
    centroids = (sums_of_runs(rows, starts) / np.maximum(np.diff(starts), 1)[:, None]).astype(np.float32)
    n_probed = min(n_clusters, max(1, round(probed_jobs * n_clusters / len(jobs))))
    return VectorIndex(rows, jobs[order], starts, centroids, n_probed, len(vectors))


def nearest_jobs(
    index: VectorIndex, users: Floats, is_known: NDArray[np.bool_], forbidden: Csr, k: int
) -> tuple[Ints, Floats]:
    """The `k` jobs with the greatest positive products per user, (B, k), -1 padded, and the greatest product (B,).

    `users` (B, d); users that are not known are skipped. Jobs of `forbidden` (B x J) are never returned, but they may
    set the greatest product. Equal products come in the order of the jobs if all are compared.
    """
    # At least one column: the greatest product is needed whatever `k` is.
    found = np.full((len(users), max(k, 1)), -1, dtype=np.int32)
    best = np.zeros(len(users), dtype=np.float32)
    if len(index.jobs) and is_known.any():
        queries = np.ascontiguousarray(users, dtype=np.float32)
        if len(index.centroids) == 0:
            scores = _products(queries, index.rows)
            _search_all(scores, index, is_known, CsrArrays.of(forbidden), found, best)
        else:
            similarity = _products(queries, index.centroids)
            _search_clusters(queries, similarity, index, is_known, CsrArrays.of(forbidden), found, best)
    return found[:, : max(k, 0)], best


def _products(users: Floats, rows: Floats) -> Floats:
    """All products (B, n). In single precision a user's would differ with the other users, and equal jobs from each
    other: the order of the sums depends on the shapes of the matrices and on the place in them."""
    return np.asarray(users.astype(np.float64) @ rows.astype(np.float64).T, dtype=np.float32)


@compiled
def _search_all(scores: Any, index: Any, is_known: Any, forbidden: Any, found: Any, best: Any) -> None:
    jobs = index.jobs
    is_forbidden = np.zeros(index.n_jobs, dtype=np.bool_)
    heap = np.empty(found.shape[1], dtype=np.int64)
    for row in range(found.shape[0]):
        if not is_known[row]:
            continue
        mark_row(is_forbidden, forbidden, row, True)
        size, greatest, threshold = 0, np.float32(0), np.float32(0)
        for place in range(len(jobs)):
            score = scores[row, place]
            if score <= threshold and (size == len(heap) or score <= 0):
                # If equal to the least of a full heap, the job in the heap comes earlier and stays.
                continue
            greatest = max(greatest, score)
            if not is_forbidden[jobs[place]]:
                size = heap_offer(heap, size, descending_key(score, jobs[place]))
                if size == len(heap):
                    threshold = score_of_key(heap[0])
        best[row] = greatest
        heap_drain(heap, size, found[row])
        mark_row(is_forbidden, forbidden, row, False)


@compiled
def _search_clusters(
    queries: Any, similarity: Any, index: Any, is_known: Any, forbidden: Any, found: Any, best: Any
) -> None:
    # Cluster by cluster: the vectors of one stay in the cache for all users who search it.
    rows, jobs, starts = index.rows, index.jobs, index.starts
    n_users, n_clusters = similarity.shape
    is_forbidden = np.zeros(index.n_jobs, dtype=np.bool_)
    heaps, sizes = np.empty((n_users, found.shape[1]), dtype=np.int64), np.zeros(n_users, dtype=np.int64)
    least = np.zeros(n_users, dtype=np.float32)
    is_probed = _probed(similarity, is_known, index.n_probed)
    for probed in range(n_clusters):
        for row in range(n_users):
            if not is_probed[probed, row]:
                continue
            mark_row(is_forbidden, forbidden, row, True)
            query, heap, size, threshold, greatest = queries[row], heaps[row], sizes[row], least[row], best[row]
            for position in range(starts[probed], starts[probed + 1]):
                vector = rows[position]
                score = np.float32(0)
                for dimension in range(len(query)):
                    score += query[dimension] * vector[dimension]
                if score < threshold or score <= 0:
                    continue
                greatest = max(greatest, score)
                if not is_forbidden[jobs[position]]:
                    size = heap_offer(heap, size, descending_key(score, jobs[position]))
                    if size == len(heap):
                        threshold = score_of_key(heap[0])
            sizes[row], least[row], best[row] = size, threshold, greatest
            mark_row(is_forbidden, forbidden, row, False)
    for row in range(n_users):
        heap_drain(heaps[row], sizes[row], found[row])


@compiled
def _probed(similarity: Any, is_known: Any, n_probed: int) -> Any:
    """Which clusters each known user searches, those most similar to the user: clusters x users."""
    is_probed = np.zeros((similarity.shape[1], similarity.shape[0]), dtype=np.bool_)
    probes = np.empty(n_probed, dtype=np.int64)
    clusters = np.empty(n_probed, dtype=np.int32)
    lowest = np.float32(similarity.min())
    for row in range(similarity.shape[0]):
        if not is_known[row]:
            continue
        n_clusters = 0
        for place in range(similarity.shape[1]):
            n_clusters = heap_offer(probes, n_clusters, descending_key(similarity[row, place] - lowest, place))
        heap_drain(probes, n_clusters, clusters)
        for probe in range(n_clusters):
            is_probed[clusters[probe], row] = True
    return is_probed
