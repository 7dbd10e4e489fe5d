import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.intervals import normal_mean, wilson


def bounds(successes, trials):
    lower, upper = wilson(pl.col("k"), pl.col("n"))
    return pl.DataFrame({"k": [successes], "n": [trials]}).select(lower=lower, upper=upper).row(0)


def test_wilson_gives_the_textbook_interval():
    assert bounds(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert bounds(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert bounds(0, 0) == (None, None)


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_the_interval_holds_the_share(trials, successes):
    successes = min(trials, successes)
    lower, upper = bounds(successes, trials)
    assert 0 <= lower <= successes / trials <= upper <= 1


def test_the_mean_of_two_values_has_an_interval_and_of_one_has_none():
    frame = pl.DataFrame({"total": [10.0, 5.0], "squares": [58.0, 25.0], "n": [2, 1]})
    lower, upper = normal_mean(pl.col("total"), pl.col("squares"), pl.col("n"))
    got = frame.select(lower=lower, upper=upper).rows()
    # Values 3 and 7: mean 5, standard deviation sqrt(8), half width 1.96 * 2.
    assert got[0] == pytest.approx((5 - 3.92, 5 + 3.92), abs=1e-3)
    assert got[1] == (None, None)
