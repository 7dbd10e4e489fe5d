"""Tests of conversions between arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from models.arrays import csr_with_columns, row_digests


@pytest.mark.parametrize("changed", [1e-7, -0.5, 0.0, 1e30])
def test_rows_have_the_same_digest_only_if_all_their_numbers_are_the_same(changed: float) -> None:
    rows = np.random.default_rng(3).random((3_000, 24), dtype=np.float32)
    digests = row_digests(rows)
    assert len(np.unique(digests)) == len(rows)
    other = rows.copy()
    other[np.arange(len(rows)), np.arange(len(rows)) % 24] = changed
    assert (row_digests(other) != digests).all()
    assert np.array_equal(row_digests(other[::-1]), row_digests(other)[::-1])


def test_the_order_of_numbers_counts() -> None:
    digests = row_digests(np.array([[1, 2, 0], [2, 1, 0], [0, 0, 0]], dtype=np.float32))
    assert len(np.unique(digests)) == 3


@given(seed=st.integers(0, 1000), n_columns=st.integers(1, 6))
def test_columns_move_to_their_places_and_others_go(seed: int, n_columns: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = sparse.random(4, n_columns, density=0.5, format="csr", dtype=np.float32, random_state=seed)
    place = np.where(rng.random(n_columns) < 0.3, -1, rng.permutation(n_columns)).astype(np.int32)
    moved = csr_with_columns(matrix, place, n_columns=n_columns)
    expected = np.zeros(matrix.shape, dtype=np.float32)
    expected[:, place[place >= 0]] = matrix.toarray()[:, place >= 0]
    assert (moved.toarray() == expected).all() and moved.has_sorted_indices and moved.dtype == np.float32
