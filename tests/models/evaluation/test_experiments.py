import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from features.schemas.insight import EXPERIMENTS
from models.evaluation.experiments import ALARM_BELOW, compare_arms, sample_ratio_p_value
from models.ranking.experiments import Arm


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


ARMS = (Arm("control", 0.5, "marketplace"), Arm("treatment", 0.5, "hybrid"))


def sums(arm, *, n_users=1000, n_shown=5, n_clicked=1):
    """Users who were all shown the same number of jobs; a half clicked on twice `n_clicked`, the others on none."""
    return {
        "arm": arm,
        "n_users": n_users,
        "n_shown": n_users * n_shown,
        "n_clicked": n_users * n_clicked,
        "n_applied": 0,
        "sum_square_shown": n_users * n_shown**2,
        "sum_square_clicked": n_users // 2 * (2 * n_clicked) ** 2,
        "sum_square_applied": 0,
        "sum_shown_clicked": n_users // 2 * n_shown * 2 * n_clicked,
        "sum_shown_applied": 0,
    }


def test_each_arm_is_compared_with_the_first():
    table = compare_arms(pl.DataFrame([sums("control"), sums("treatment", n_clicked=2)]), ARMS, name="e")
    EXPERIMENTS.validate(table)
    control, treatment = table.filter(metric="ctr").rows(named=True)
    assert (control["value"], control["difference"]) == (0.2, None)
    assert (treatment["value"], treatment["recipe"]) == (0.4, "hybrid")
    assert treatment["difference"] == pytest.approx(0.2)
    assert 0.1 < treatment["difference_lower"] < 0.2 < treatment["difference_upper"] < 0.3
    assert treatment["sample_ratio_p_value"] == 1.0
    applied = table.filter(metric="apply_rate", arm="treatment").row(0, named=True)
    assert (applied["difference"], applied["difference_lower"]) == (0.0, None)


def test_an_arm_without_users_has_no_value_and_raises_the_alarm():
    table = compare_arms(pl.DataFrame([sums("control")]), ARMS, name="e")
    treatment = table.filter(metric="ctr", arm="treatment").row(0, named=True)
    assert (treatment["n_users"], treatment["value"], treatment["difference"]) == (0, None, None)
    assert treatment["sample_ratio_p_value"] < ALARM_BELOW
