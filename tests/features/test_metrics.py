import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.metrics import count_metrics, normal_mean, outcome_metrics, wilson
from features.schemas.insight import METRICS

OUTCOMES = pl.DataFrame(
    {
        "surface": ["feed", "external"],
        "n_shown": [20, 0],
        "n_clicked": [10, 0],
        "n_applied": [0, 0],
        "n_saved": [2, 0],
        "n_dwells": [2, 0],
        "sum_dwell_milliseconds": [10_000.0, 0.0],
        "sum_square_dwell_milliseconds": [58e6, 0.0],
    }
)


def test_rates_have_wilson_intervals_and_dwell_a_normal_one():
    table = outcome_metrics(OUTCOMES)
    METRICS.validate(table)
    rows = {row["metric"]: row for row in table.iter_rows(named=True)}
    assert set(table["surface"]) == {"feed"}
    assert (rows["ctr"]["value"], rows["ctr"]["n"]) == (0.5, 20)
    assert (rows["ctr"]["lower"], rows["ctr"]["upper"]) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert rows["apply_rate"]["lower"] == 0.0
    assert rows["dwell_seconds_mean"]["value"] == 5.0
    assert rows["dwell_seconds_mean"]["upper"] == pytest.approx(8.92, abs=1e-3)


def test_counts_are_metrics_over_everything():
    table = count_metrics({"n_jobs": 3})
    METRICS.validate(table)
    assert table.rows() == [("n_jobs", "all", "all", "all", 3.0, None, None, 3)]


def test_no_events_give_no_rates():
    assert outcome_metrics(OUTCOMES.clear()).is_empty()


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
