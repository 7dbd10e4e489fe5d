"""Spherical k-means, to look for similar vectors in a part of them only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """Lloyd's algorithm on unit vectors by cosine (Dhillon and Modha, 2001), trained on a seeded sample."""
    n_clusters = max(1, min(n_clusters, len(vectors)))
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(len(vectors))[: n_clusters * _SAMPLE_PER_CLUSTER]
    sample = vectors[np.sort(drawn)]
    centroids = vectors[np.sort(drawn[:n_clusters])].copy()
    for _ in range(n_iterations):
        labels = _nearest(sample, centroids)
        order = np.argsort(labels, kind="stable")
        filled, starts = np.unique(labels[order], return_index=True)
        sums = np.add.reduceat(sample[order], starts, axis=0)
        # A cluster that lost its last member keeps its place.
        centroids[filled] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return Clusters(centroids, _nearest(vectors, centroids))


def _nearest(vectors: Floats, centroids: Floats) -> NDArray[np.int32]:
    labels = np.empty(len(vectors), dtype=np.int32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        likeness = np.round(vectors[start : start + _BLOCK_ROWS] @ centroids.T, 6)
        labels[start : start + _BLOCK_ROWS] = likeness.argmax(axis=1)
    return labels
