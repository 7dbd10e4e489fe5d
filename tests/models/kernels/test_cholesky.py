import numpy as np
import pytest

from models.kernels.cholesky import solve_positive


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 8, 50, 101])
def test_systems_are_solved_as_numpy_solves_them(n: int) -> None:
    rng = np.random.default_rng(n)
    factors = rng.random((2 * n, n))
    whole = factors.T @ factors + np.eye(n)
    right = rng.random(n)
    matrix = np.full((n + 2, n + 3), np.nan, dtype=np.float32)
    matrix[:n, :n] = np.tril(whole) + np.triu(np.full((n, n), np.nan), 1)
    found = right.astype(np.float32)
    assert solve_positive(matrix, n, found)
    np.testing.assert_allclose(found, np.linalg.solve(whole, right), atol=1e-4)


@pytest.mark.parametrize("n", [2, 5, 9])
def test_a_matrix_that_is_not_positive_definite_is_refused(n: int) -> None:
    matrix = np.full((n, n), 2.0, dtype=np.float32) - np.eye(n, dtype=np.float32)
    right = np.ones(n, dtype=np.float32)
    assert not solve_positive(matrix, n, right)
    assert right.tolist() == [1.0] * n
