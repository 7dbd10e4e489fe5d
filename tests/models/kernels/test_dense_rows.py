from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.arrays import NO_ENTRY, csr_of_ones
from models.kernels.dense_rows import sums_of_runs, top_k, top_k_rounded

_SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
_SCORES = hnp.arrays(np.float32, _SHAPES, elements=st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 0.25, 0.5, 1e-30, 3.0]))
_NEARLY_EQUAL = hnp.arrays(
    np.float32,
    _SHAPES,
    elements=st.sampled_from([-np.inf, -0.25, 0.25, 0.2500002, 0.2500004, 0.2500006, 0.5]),
)


@given(_SCORES, st.integers(1, 15))
def test_top_k_is_the_head_of_every_sorted_row(scores: NDArray[np.float32], k: int) -> None:
    found = top_k(scores, k)
    for row, values in enumerate(scores):
        ordered = sorted((j for j in range(len(values)) if values[j] > -np.inf), key=lambda j: (-values[j], j))
        assert [job for job in found[row] if job != NO_ENTRY] == ordered[:k]
        assert (np.diff((found[row] == NO_ENTRY).astype(int)) >= 0).all()  # padding only at the end


@given(_NEARLY_EQUAL, st.integers(0, 15), st.integers(0, 1000))
def test_rounded_scores_decide_and_forbidden_columns_never_come(scores: NDArray[np.float32], k: int, seed: int) -> None:
    is_forbidden = np.random.default_rng(seed).random(scores.shape) < 0.3
    found = top_k_rounded(scores, csr_of_ones(*np.nonzero(is_forbidden), shape=scores.shape), k)
    rounded = np.round(scores, 6)
    for row, values in enumerate(rounded):
        allowed = [j for j in range(len(values)) if values[j] > -np.inf and not is_forbidden[row, j]]
        expected = sorted(allowed, key=lambda j: (-values[j], j))[:k]
        assert [job for job in found[row] if job != NO_ENTRY] == expected


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(0, 1000))
def test_runs_are_summed_in_double_precision_and_an_empty_run_is_zero(lengths: list[int], seed: int) -> None:
    starts = np.cumsum([0, *lengths]).astype(np.int32)
    rows = np.random.default_rng(seed).normal(size=(int(starts[-1]), 3)).astype(np.float32)
    expected = [rows[start:end].astype(np.float64).sum(axis=0) for start, end in pairwise(starts)]
    np.testing.assert_allclose(sums_of_runs(rows, starts), expected, rtol=1e-12, atol=1e-12)
