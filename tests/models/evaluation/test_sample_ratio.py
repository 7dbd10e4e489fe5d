import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.evaluation.sample_ratio import ALARM_BELOW, sample_ratio_p_value


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=5))
def test_the_p_value_is_that_of_a_chi_square_test(counts):
    shares = [1 / len(counts)] * len(counts)
    expected = stats.chisquare(counts).pvalue if sum(counts) else 1.0
    assert sample_ratio_p_value(counts, shares) == pytest.approx(expected, abs=1e-12)


def test_unequal_shares_are_compared_with_their_counts():
    assert sample_ratio_p_value([900, 100], [0.9, 0.1]) == 1.0
    assert sample_ratio_p_value([800, 200], [0.9, 0.1]) < 1e-9


def test_an_arm_without_a_share_must_have_no_users():
    assert sample_ratio_p_value([10, 0], [1.0, 0.0]) == 1.0
    assert sample_ratio_p_value([10, 1], [1.0, 0.0]) == 0.0


def test_no_users_and_no_arms_raise_no_alarm():
    assert sample_ratio_p_value([0, 0], [0.5, 0.5]) == 1.0
    assert sample_ratio_p_value([], []) == 1.0


@pytest.mark.parametrize(("counts", "shares"), [([1], [0.5, 0.5]), ([1, 2], [0.5, 0.4])])
def test_counts_and_shares_that_do_not_match_are_refused(counts, shares):
    with pytest.raises(ValueError, match="sample_ratio_p_value"):
        sample_ratio_p_value(counts, shares)


def test_fair_splits_checked_daily_for_a_month_rarely_raise_an_alarm_and_a_lossy_one_does():
    rng = np.random.default_rng(5)
    arrived = np.cumsum(rng.binomial(500, 0.5, (300, 30)), axis=1)
    total = 500 * np.arange(1, 31)
    alarms = [
        any(sample_ratio_p_value([n, t - n], [0.5, 0.5]) < ALARM_BELOW for n, t in zip(row, total, strict=True))
        for row in arrived.tolist()
    ]
    assert np.mean(alarms) < 0.02
    assert sample_ratio_p_value([5_000, 4_500], [0.5, 0.5]) < ALARM_BELOW
