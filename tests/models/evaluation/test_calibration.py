import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.calibration import expected_calibration_error, reliability

ITEMS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40)


@given(items=ITEMS)
def test_bins_and_error_agree_with_counting_by_hand(items: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in items], dtype=np.float64)
    table = reliability(scores, np.array([hit for _, hit in items], dtype=np.bool_))
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, hit in items:
        bins.setdefault(min(int(score * 10), 9), []).append((score, hit))
    expected = 0.0
    assert table["lower"].to_list() == pytest.approx([number / 10 for number in sorted(bins)])
    for row, number in zip(table.iter_rows(named=True), sorted(bins), strict=True):
        mean = sum(score for score, _ in bins[number]) / len(bins[number])
        share = sum(hit for _, hit in bins[number]) / len(bins[number])
        assert (row["n_items"], row["mean_score"], row["share"]) == pytest.approx((len(bins[number]), mean, share))
        expected += abs(mean - share) * len(bins[number]) / len(items)
    assert expected_calibration_error(table) == pytest.approx(expected)


def test_scores_that_mean_what_they_say_have_no_error() -> None:
    scores = np.repeat([0.25, 0.75], 100)
    hits = np.concatenate([np.arange(100) < 25, np.arange(100) < 75])
    assert expected_calibration_error(reliability(scores, hits)) == pytest.approx(0)
