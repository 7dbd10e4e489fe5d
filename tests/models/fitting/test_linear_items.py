from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fitting import linear_items
from models.fitting.linear_items import LinearItemSettings, fit_linear_items
from models.fitting.weights import WeightMatrix, weight_matrix

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), unique=True, min_size=1, max_size=40)


def weights_of(pairs: list[tuple[int, int]]) -> WeightMatrix:
    rows = [(f"u{user}", f"j{job}", 1.0 + user) for user, job in pairs]
    return weight_matrix(pl.DataFrame(rows, schema=["user_id", "job_id", "weight"], orient="row"))


def slow(history: np.ndarray, settings: LinearItemSettings) -> np.ndarray:
    """Ridge regressions by the normal equations, one job after the other."""
    gram = history.T @ history
    length = np.sqrt(np.diag(gram))
    cosine = np.round(gram / np.outer(length, length), 6)
    np.fill_diagonal(cosine, 0)
    made = np.zeros_like(gram)
    for job in range(len(gram)):
        order = np.lexsort((np.arange(len(gram)), -cosine[job]))[: settings.n_neighbours]
        chosen = np.sort(order[cosine[job][order] > 0])
        ridge = gram[np.ix_(chosen, chosen)] + settings.regularization * np.eye(len(chosen))
        made[chosen, job] = np.linalg.solve(ridge, gram[chosen, job]) if len(chosen) else 0
    return made


@pytest.mark.parametrize("is_binary", [True, False])
@given(pairs=PAIRS, n_neighbours=st.integers(1, 8), regularization=st.sampled_from([0.5, 10.0]))
def test_coefficients_are_those_of_a_ridge_regression_on_the_most_similar_jobs(
    pairs: list[tuple[int, int]], n_neighbours: int, regularization: float, is_binary: bool
) -> None:
    weights = weights_of(pairs)
    settings = LinearItemSettings(n_neighbours=n_neighbours, regularization=regularization, is_binary=is_binary)
    model = fit_linear_items(weights, settings)
    dense = weights.values.toarray().astype(np.float64)
    history = (dense > 0).astype(np.float64) if is_binary else np.log1p(dense)
    np.testing.assert_allclose(model.left.toarray(), history, rtol=1e-6)
    found = model.right.toarray()
    expected = slow(history, settings)
    # Of equally similar jobs, rounding decides which are among the neighbours.
    same = [
        job
        for job in range(found.shape[1])
        if set(np.flatnonzero(found[:, job])) <= set(np.flatnonzero(expected[:, job]))
    ]
    np.testing.assert_allclose(found[:, same], expected[:, same], atol=2e-4)
    if n_neighbours >= 8:
        assert len(same) == found.shape[1]


def test_neither_threads_nor_the_size_of_batches_change_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [(user, job) for user in range(40) for job in range(30) if (user * 7 + job * 3) % 11 < 3]
    whole = fit_linear_items(weights_of(pairs), LinearItemSettings(n_neighbours=9), n_threads=1)
    monkeypatch.setattr(linear_items, "_JOBS_AT_ONCE", 7)
    for n_threads in (1, 2):
        again = fit_linear_items(weights_of(pairs), LinearItemSettings(n_neighbours=9), n_threads=n_threads)
        np.testing.assert_array_equal(again.right.indices, whole.right.indices)
        np.testing.assert_array_equal(again.right.data, whole.right.data)


def test_regressions_without_a_positive_definite_matrix_are_solved_too(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = weights_of([(user, job) for user in range(40) for job in range(30) if (user * 7 + job * 3) % 11 < 3])
    usual = fit_linear_items(weights, LinearItemSettings(n_neighbours=9))

    def unsolved(*arguments: Any) -> None:
        arguments[-1][:] = False

    monkeypatch.setattr(linear_items, "_solve", unsolved)
    other = fit_linear_items(weights, LinearItemSettings(n_neighbours=9))
    np.testing.assert_allclose(other.right.toarray(), usual.right.toarray(), atol=2e-6)


def test_a_job_that_shares_no_user_has_no_coefficients() -> None:
    model = fit_linear_items(weights_of([(0, 0), (0, 1), (1, 2)]), LinearItemSettings(regularization=1.0))
    assert model.right.toarray()[2].tolist() == [0, 0, 0]
    assert model.right.toarray()[:, 2].tolist() == [0, 0, 0]
    assert model.right.toarray()[0, 1] == pytest.approx(0.5)
