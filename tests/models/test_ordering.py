import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.ordering import best_first, rank_in_group

_SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
_VALUES = st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([-np.inf, np.inf, 0.0, -0.0, 0.5, 1e-40, -1e-40]))


@given(hnp.arrays(np.float32, _SHAPES, elements=_VALUES))
def test_rows_come_in_the_order_of_a_stable_sort(values: NDArray[np.float32]) -> None:
    assert (best_first(values) == np.argsort(-values, axis=1, kind="stable")).all()


@given(hnp.arrays(np.int32, _SHAPES, elements=st.integers(-1, 3)))
def test_a_rank_counts_the_equal_ones_before(codes: NDArray[np.int32]) -> None:
    for row, ranks in zip(codes.tolist(), rank_in_group(codes).tolist(), strict=True):
        assert ranks == [row[:place].count(code) for place, code in enumerate(row)]


def test_rows_without_entries_stay_so() -> None:
    assert best_first(np.zeros((3, 0), dtype=np.float32)).shape == (3, 0)


def test_rows_too_long_to_pack_are_refused() -> None:
    with pytest.raises(ValueError, match="1048576 entries"):
        best_first(np.zeros((1, 1 << 20), dtype=np.float32))
