"""Tests of conversions between arrays."""

import numpy as np
import pytest

from models.arrays import row_digests


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
