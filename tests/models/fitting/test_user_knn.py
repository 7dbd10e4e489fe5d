import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fitting.user_knn import UserNeighbours, fit_user_neighbours
from models.fitting.weights import weight_matrix
from tests.models.training_world import trade_matrix, trades

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), unique=True, min_size=1, max_size=40)


def test_users_of_a_trade_are_neighbours_and_not_their_own() -> None:
    model = fit_user_neighbours(trade_matrix())
    near = model.matrix().toarray()
    assert (near.diagonal() == 0).all()
    assert (near[:4, 4:] == 0).all()
    np.testing.assert_allclose(near[:4, :4] + np.eye(4), 1, atol=1e-5)


@settings(max_examples=30)
@given(pairs=PAIRS)
def test_user_neighbours_agree_with_the_dense_cosine(pairs: list[tuple[int, int]]) -> None:
    frame = pl.DataFrame(
        {
            "user_id": [f"u{user}" for user, _ in pairs],
            "job_id": [f"j{job}" for _, job in pairs],
            "weight": [1.0 + user + 2 * job for user, job in pairs],
        }
    )
    weights = weight_matrix(frame)
    dense = np.log1p(weights.values.toarray().astype(np.float64))
    described = dense * np.log1p(len(dense) / (dense > 0).sum(axis=0))
    described /= np.linalg.norm(described, axis=1, keepdims=True)
    expected = described @ described.T
    np.fill_diagonal(expected, 0)
    model = fit_user_neighbours(weights, n_threads=1)
    np.testing.assert_allclose(model.matrix().toarray(), expected, atol=1e-5)
    np.testing.assert_allclose(model.history().toarray(), dense, atol=1e-5)


def test_a_user_is_described_by_the_strongest_jobs() -> None:
    frame = trades().with_columns(weight=pl.when(pl.col("job_id") == "j0").then(1.0).otherwise(10.0))
    model = fit_user_neighbours(weight_matrix(frame), max_jobs_per_user=2)
    kept = model.history()[0].indices
    assert [model.job_ids[int(column)] for column in kept] == ["j1", "j2"]


def test_no_users_give_no_neighbours() -> None:
    model = fit_user_neighbours(weight_matrix(trades().clear()))
    assert model.matrix().shape == (0, 0)
    assert model.history().shape == (0, 0)


def test_fitted_neighbours_survive_the_disk(tmp_path: Path) -> None:
    users = fit_user_neighbours(trade_matrix())
    users.save(tmp_path / "users.npz")
    loaded = UserNeighbours.load(tmp_path / "users.npz")
    assert (loaded.matrix() != users.matrix()).nnz == 0
    assert (loaded.history() != users.history()).nnz == 0
