"""Spherical k-means: a search for similar vectors then compares a few clusters only."""

from dataclasses import dataclass
from threading import Lock
from warnings import catch_warnings

import numpy as np
from threadpoolctl import threadpool_limits

from models.arrays import Floats, Ints, unit_rows

_BLOCK_ROWS = 8192
_SAMPLE_PER_CLUSTER = 64
_settings_of_process = Lock()  # the number of threads and the filter of warnings are not those of a thread alone


@dataclass(frozen=True, eq=False)
class Clusters:
    """`centroids` (k, d) of length 1; `labels` (n), the nearest centroid of each vector fitted on."""

    centroids: Floats
    labels: Ints


def cluster(vectors: Floats, *, n_clusters: int, seed: int, n_iterations: int = 8) -> Clusters:
    """k-means on unit vectors, trained on a seeded sample.

    Centroids are scaled to length 1, so that the nearest one has the largest cosine (Dhillon and Modha, 2001). One
    thread, so that the sums are the same on every machine.
    """
    # Takes seconds to import, and most runs use clusters that were fitted before.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    n_clusters = max(1, min(n_clusters, len(vectors)))
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(len(vectors))[: n_clusters * _SAMPLE_PER_CLUSTER]
    start = vectors[np.sort(drawn[:n_clusters])]
    with _settings_of_process, threadpool_limits(1), catch_warnings(category=ConvergenceWarning, action="ignore"):
        # Fewer distinct vectors than clusters are allowed: some clusters stay empty.
        fitted = KMeans(n_clusters, init=start, n_init=1, max_iter=n_iterations).fit(vectors[np.sort(drawn)])
    centroids = unit_rows(fitted.cluster_centers_)
    return Clusters(centroids, nearest(vectors, centroids))


def nearest(vectors: Floats, centroids: Floats) -> Ints:
    """The nearest centroid of each vector; the first of equal ones."""
    labels = np.empty(len(vectors), dtype=np.int32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        similarity = np.round(vectors[start : start + _BLOCK_ROWS] @ centroids.T, 6)
        labels[start : start + _BLOCK_ROWS] = similarity.argmax(axis=1)
    return labels


def nearest_direction(vectors: Floats, centroids: Floats) -> Ints:
    """The same for vectors and centroids of any length: the greatest cosine. No copy of all vectors is made."""
    blocks = range(0, len(vectors), _BLOCK_ROWS)
    units = unit_rows(centroids)
    labels = [nearest(unit_rows(vectors[start : start + _BLOCK_ROWS]), units) for start in blocks]
    return np.concatenate([np.empty(0, dtype=np.int32), *labels])
