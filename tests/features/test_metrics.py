import polars as pl
import pytest

from features.metrics import count_metrics, outcome_metrics
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
