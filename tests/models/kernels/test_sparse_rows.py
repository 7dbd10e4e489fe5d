from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from models.kernels.sparse_rows import best_columns, common_entries, dot_pairs, lookup, sums_over_terms

_SEEDS = st.integers(0, 10_000)


def _random(rng: np.random.Generator, n_rows: int, n_columns: int, density: float = 0.4) -> Any:
    values = np.round(rng.normal(size=(n_rows, n_columns)), 1) * (rng.random((n_rows, n_columns)) < density)
    return sparse.csr_matrix(values.astype(np.float32))


@given(_SEEDS, st.integers(1, 6), st.integers(1, 30), st.integers(0, 12))
def test_the_best_of_a_row_are_those_of_sorting_it(seed: int, n_rows: int, n_columns: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    table, forbidden = _random(rng, n_rows, n_columns), _random(rng, n_rows, n_columns, 0.2)
    found = best_columns(table, forbidden, k)
    for row, values in enumerate(table.toarray()):
        allowed = [c for c in range(n_columns) if values[c] > 0 and c not in forbidden[row].indices]
        expected = sorted(allowed, key=lambda c: (-values[c], c))[:k]
        assert [c for c in found[row].tolist() if c >= 0] == expected
        assert (np.diff((found[row] < 0).astype(int)) >= 0).all()


@given(_SEEDS, st.integers(1, 5), st.integers(1, 8))
def test_look_ups_and_sums_are_those_of_dense_arrays(seed: int, n_rows: int, n_chosen: int) -> None:
    rng = np.random.default_rng(seed)
    users, items = _random(rng, n_rows, 12), _random(rng, 20, 12)
    columns = rng.integers(0, 12, (n_rows, n_chosen)).astype(np.int32)
    assert (lookup(users, columns) == np.take_along_axis(users.toarray(), columns, axis=1)).all()
    chosen = rng.integers(0, 20, (n_rows, n_chosen)).astype(np.int32)
    expected = np.einsum("bt,bct->bc", users.toarray(), items.toarray()[chosen])
    assert np.allclose(sums_over_terms(items, chosen, users), expected, atol=1e-5)
    rows = rng.normal(size=(20, 7)).astype(np.float32)
    wishes = rng.normal(size=(n_rows, 7)).astype(np.float32)
    assert np.allclose(dot_pairs(wishes, rows, chosen), np.einsum("bd,bcd->bc", wishes, rows[chosen]), atol=1e-5)


@given(_SEEDS, st.integers(1, 8), st.integers(1, 12))
def test_common_entries_are_those_of_dense_rows_and_stored_zeros_do_not_count(seed: int, n_rows: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    table = _random(rng, n_rows, 12)
    table.data[rng.random(table.nnz) < 0.2] = 0
    rows, others = rng.integers(0, n_rows, (2, n)).astype(np.int32)
    dense = table.toarray() != 0
    assert common_entries(table, rows, others).tolist() == (dense[rows] & dense[others]).sum(axis=1).tolist()


@pytest.mark.parametrize("row", [-1, 3])
def test_a_row_that_is_not_there_is_refused(row: int) -> None:
    with pytest.raises(ValueError, match=rf"rows must be in 0\.\.2; received .*{row}"):
        dot_pairs(np.ones((1, 2), np.float32), np.ones((3, 2), np.float32), np.array([[0, row]], dtype=np.int32))


def test_empty_matrices_are_no_error() -> None:
    empty = sparse.csr_matrix((2, 5), dtype=np.float32)
    nothing = np.zeros((2, 0), dtype=np.int32)
    assert lookup(empty, nothing).shape == (2, 0)
    assert (best_columns(empty, empty, 3) == -1).all()
    assert (sums_over_terms(empty, np.zeros((2, 2), dtype=np.int32), empty) == 0).all()
    assert dot_pairs(np.zeros((2, 0), np.float32), np.zeros((3, 0), np.float32), nothing).shape == (2, 0)
