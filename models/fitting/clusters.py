"""Spherical k-means, to look for similar vectors in a part of them only."""

from dataclasses import dataclass
from warnings import catch_warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float32]

_BLOCK_ROWS = 8192
_SAMPLE_PER_CLUSTER = 64


@dataclass(frozen=True, eq=False)
class Clusters:
    """`centroids` (k, d) of length 1; `labels` (n), the nearest centroid of each vector fitted on."""

    centroids: Floats
    labels: NDArray[np.int32]

    def assign(self, vectors: Floats) -> NDArray[np.int32]:
        """The nearest centroid of each vector; the first of equals."""
        return _nearest(vectors, self.centroids)


def cluster(vectors: Floats, *, n_clusters: int, seed: int, n_iterations: int = 8) -> Clusters:
    """k-means on unit vectors, trained on a seeded sample; its centroids are scaled to length 1, so that the nearest is
    the one with the largest cosine (Dhillon and Modha, 2001). One thread, for the same sums on every machine."""
    n_clusters = max(1, min(n_clusters, len(vectors)))
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(len(vectors))[: n_clusters * _SAMPLE_PER_CLUSTER]
    start = vectors[np.sort(drawn[:n_clusters])]
    with threadpool_limits(1), catch_warnings(category=ConvergenceWarning, action="ignore"):
        # Fewer distinct vectors than clusters is no mistake here: some clusters stay empty.
        fitted = KMeans(n_clusters, init=start, n_init=1, max_iter=n_iterations).fit(vectors[np.sort(drawn)])
    centroids = np.asarray(normalize(fitted.cluster_centers_), dtype=np.float32)
    return Clusters(centroids, _nearest(vectors, centroids))


def _nearest(vectors: Floats, centroids: Floats) -> NDArray[np.int32]:
    labels = np.empty(len(vectors), dtype=np.int32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        likeness = np.round(vectors[start : start + _BLOCK_ROWS] @ centroids.T, 6)
        labels[start : start + _BLOCK_ROWS] = likeness.argmax(axis=1)
    return labels
