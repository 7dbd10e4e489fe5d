import numpy as np
import pytest

from models.arrays import unit_rows
from models.fitting.clusters import cluster


@pytest.mark.parametrize("n_clusters", [1, 3, 50])
def test_every_vector_is_in_the_nearest_cluster(n_clusters: int) -> None:
    rows = unit_rows(np.random.default_rng(7).normal(size=(40, 6)).astype(np.float32))
    made = cluster(rows, n_clusters=n_clusters, seed=1)
    assert len(made.centroids) == min(n_clusters, 40)
    np.testing.assert_array_equal(made.labels, np.round(rows @ made.centroids.T, 6).argmax(axis=1))
    np.testing.assert_allclose(np.linalg.norm(made.centroids, axis=1), 1, atol=1e-5)
