import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.sort_keys import (
    KeyLayout,
    best_first,
    descending,
    descending_key,
    last_ones_last,
    position_of_key,
    rank_in_group,
    score_of_key,
    score_of_signed_key,
    signed_key,
)

_SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
_VALUES = st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([-np.inf, np.inf, 0.0, -0.0, 0.5, 1e-40, -1e-40]))


@given(hnp.arrays(np.float32, _SHAPES, elements=_VALUES))
def test_rows_come_in_the_order_of_a_stable_sort(values: NDArray[np.float32]) -> None:
    assert (best_first(values) == np.argsort(-values, axis=1, kind="stable")).all()


@given(hnp.arrays(np.int32, _SHAPES, elements=st.integers(-1, 3)))
def test_a_rank_counts_the_equal_ones_before(codes: NDArray[np.int32]) -> None:
    for row, ranks in zip(codes.tolist(), rank_in_group(codes).tolist(), strict=True):
        assert ranks == [row[:place].count(code) for place, code in enumerate(row)]


@given(hnp.arrays(np.bool_, _SHAPES))
def test_what_comes_last_keeps_its_order(is_last: NDArray[np.bool_]) -> None:
    assert (last_ones_last(is_last) == np.argsort(is_last, axis=1, kind="stable")).all()


def test_rows_without_entries_stay_empty() -> None:
    assert best_first(np.zeros((3, 0), dtype=np.float32)).shape == (3, 0)


def test_rows_too_long_to_pack_are_refused() -> None:
    with pytest.raises(ValueError, match="1048576 entries"):
        best_first(np.zeros((1, 1 << 20), dtype=np.float32))


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 1023)), min_size=1))
def test_packed_keys_sort_like_tuples_and_give_the_fields_back(pairs: list[tuple[int, int]]) -> None:
    layout = KeyLayout(row=3, value=10)
    keys = np.sort(layout.pack(row=[row for row, _ in pairs], value=[value for _, value in pairs]))
    fields = zip(layout.unpack(keys, "row").tolist(), layout.unpack(keys, "value").tolist(), strict=True)
    assert list(fields) == sorted(pairs)


def test_fields_wider_than_a_key_are_refused() -> None:
    with pytest.raises(ValueError, match="take 64 bits; a key has 63"):
        KeyLayout(row=32, value=32)
    assert KeyLayout(row=3).has_room(row=8) and not KeyLayout(row=3).has_room(row=9)


@given(st.floats(0, 1e6, width=32), st.integers(0, 2**31 - 1))
def test_the_compiled_key_gives_score_and_position_back(score: float, position: int) -> None:
    key = descending_key(np.float32(score), position)
    assert score_of_key(key) == np.float32(score) and position_of_key(key) == position
    assert key >> 32 == descending(np.array([score], dtype=np.float32))[0]


@given(st.lists(st.tuples(_VALUES, st.integers(0, 2**31 - 1)), min_size=1))
def test_signed_keys_sort_by_score_then_position_and_give_both_back(pairs: list[tuple[float, int]]) -> None:
    keys = sorted(int(signed_key(np.float32(score), position)) for score, position in pairs)
    found = [(float(score_of_signed_key(key)), int(position_of_key(key))) for key in map(np.int64, keys)]
    expected = sorted(((float(np.float32(score)), position) for score, position in pairs), key=lambda p: (-p[0], p[1]))
    assert found == expected
