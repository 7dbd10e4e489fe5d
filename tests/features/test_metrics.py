import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.metrics import (
    USER_GROUPS,
    clustered_mean,
    clustered_wilson,
    count_metrics,
    experiment_metrics,
    match_metrics,
    outcome_metrics,
    policy_metrics,
    wilson,
)
from features.outcomes import outcome_rates
from features.schemas.insight import EXPERIMENTS, MATCH_QUALITY, METRICS, POLICY_VALUES

OUTCOMES = pl.DataFrame(
    {
        "dimension": ["all", "all"],
        "slice": ["all", "all"],
        "recipe": ["all", "all"],
        "arm": ["all", "all"],
        "surface": ["feed", "external"],
        "n_shown": [20, 0],
        "n_clicked": [10, 0],
        "n_applied": [0, 0],
        "n_saved": [2, 0],
        "n_dismissed": [1, 0],
        # Twenty users were shown a job each, and two viewed one for 3 and 7 seconds.
        "n_groups": [20, 0],
        "sum_square_n_shown": [20.0, 0.0],
        **{
            f"sum_{kind}_n_{act}": [n, 0.0]
            for act, n in (("clicked", 10.0), ("applied", 0.0), ("saved", 2.0), ("dismissed", 1.0))
            for kind in ("square", "products")
        },
        "n_dwells": [2, 0],
        "sum_dwell_milliseconds": [10_000.0, 0.0],
        "sum_square_dwell_milliseconds": [58e6, 0.0],
        "sum_square_dwells": [2.0, 0.0],
        "sum_dwell_products": [10_000.0, 0.0],
        "n_dwell_groups": [2, 0],
    }
)


def test_rates_and_dwell_have_intervals():
    table = outcome_metrics(outcome_rates(OUTCOMES))
    METRICS.validate(table)
    rows = {row["metric"]: row for row in table.iter_rows(named=True)}
    assert set(table["surface"]) == {"feed"}
    assert (rows["ctr"]["value"], rows["ctr"]["n"]) == (0.5, 20)
    # Variance 0.25 / 19, so 19 effective trials, times (1.96 / 2.093)² for 19 degrees of freedom.
    assert (rows["ctr"]["lower"], rows["ctr"]["upper"]) == pytest.approx((0.2836, 0.7164), abs=1e-4)
    assert rows["apply_rate"]["lower"] == 0.0
    assert rows["dismiss_rate"]["value"] == 0.05
    assert rows["dwell_seconds_mean"]["value"] == 5.0
    # Standard error 2, 12.71 of them: two users say little.
    assert rows["dwell_seconds_mean"]["upper"] == pytest.approx(5 + 2 * 12.7062, abs=1e-3)


def test_counts_are_metrics_over_everything():
    table = count_metrics({"n_jobs": 3})
    METRICS.validate(table)
    assert table.rows() == [("n_jobs", "all", "all", "all", 3.0, None, None, 3)]


def test_no_events_give_no_rates():
    assert outcome_metrics(outcome_rates(OUTCOMES.clear())).is_empty()


def test_slices_are_no_metrics_of_their_own():
    sliced = OUTCOMES.with_columns(dimension=pl.lit("position"), slice=pl.lit("1"))
    rates = outcome_rates(pl.concat([OUTCOMES, sliced]))
    assert set(rates["dimension"]) == {"all", "position"}
    assert outcome_metrics(rates).equals(outcome_metrics(outcome_rates(OUTCOMES)))


def test_precision_recall_and_f1_are_metrics_at_the_threshold():
    rows = [
        {"recipe": "match", "match_percent": 50, "n": 6, "precision": 0.2, "recall": 1.0, "f1": 1 / 3},
        {"recipe": "match", "match_percent": 60, "n": 4, "precision": 0.5, "recall": 0.8, "f1": 0.615},
        {"recipe": "hybrid", "match_percent": 60, "n": 0},
        {"recipe": "match", "match_percent": 60, "n": 7, "surface": "digest", "precision": 0.1},
    ]
    quality = MATCH_QUALITY.conform(pl.DataFrame([{"arm": "all", "surface": "all", **row} for row in rows]))
    table = match_metrics(quality, threshold=60)
    METRICS.validate(table)
    assert table.select("metric", "recipe", "surface", "value", "n").rows() == [
        ("match_f1", "match", "all", 0.615, 10),
        ("match_precision", "match", "all", 0.5, 10),
        ("match_precision", "match", "digest", 0.1, 7),
        ("match_recall", "match", "all", 0.8, 10),
    ]


def test_an_experiment_gives_a_difference_for_each_further_arm_and_one_p_value():
    first = {"experiment": "e", "arm": "a", "recipe": "old", "n_users": 10, "sample_ratio_p_value": 0.5}
    other = {**first, "arm": "b", "recipe": "new", "n_users": 12, "difference": 0.1}
    other |= {"difference_lower": -0.1, "difference_upper": 0.3}
    rows = [{**arm, "metric": metric} for metric in ("ctr", "apply_rate") for arm in (first, other)]
    table = experiment_metrics(EXPERIMENTS.conform(pl.DataFrame(rows)))
    METRICS.validate(table)
    assert table.rows() == [
        ("apply_rate_difference", "new", "b", "all", 0.1, -0.1, 0.3, 12),
        ("ctr_difference", "new", "b", "all", 0.1, -0.1, 0.3, 12),
        ("sample_ratio_p_value", "all", "all", "all", 0.5, None, None, 22),
    ]


def test_policy_values_are_named_by_their_estimator():
    row = {"recipe": "match", "metric": "ctr", "estimator": "snips", "value": 0.2, "lower": 0.1, "upper": 0.3, "n": 9}
    table = policy_metrics(POLICY_VALUES.conform(pl.DataFrame([row])))
    assert table.rows() == [("snips_ctr", "match", "all", "all", 0.2, 0.1, 0.3, 9)]


@pytest.mark.parametrize(
    "table",
    [
        match_metrics(MATCH_QUALITY.empty(), threshold=60),
        experiment_metrics(EXPERIMENTS.empty()),
        policy_metrics(POLICY_VALUES.empty()),
    ],
)
def test_empty_tables_give_no_metrics(table):
    METRICS.validate(table)
    assert table.is_empty()


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


def clustered(successes, trials):
    """The interval of users with so many successes and trials each, a group each; of one sample or of a row each."""
    samples = pl.DataFrame({"y": np.atleast_2d(successes), "n": np.atleast_2d(trials)}).with_row_index("sample")
    y, n = pl.col("y"), pl.col("n")
    lower, upper = clustered_wilson(
        y.sum(),
        n.sum(),
        square_successes=(y**2).sum(),
        square_trials=(n**2).sum(),
        products=(y * n).sum(),
        n_groups=pl.len(),
    )
    by_user = samples.explode("y", "n").group_by("sample").agg(lower=lower, upper=upper).sort("sample")
    return by_user["lower"].to_numpy(), by_user["upper"].to_numpy()


users = st.lists(st.integers(1, 30).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1)


@given(users.filter(lambda rows: len(rows) <= USER_GROUPS))
def test_a_clustered_interval_holds_the_share_and_is_never_shorter_than_one_of_independent_trials(rows):
    successes, trials = zip(*rows, strict=True)
    (lower,), (upper,) = clustered(successes, trials)
    alone = bounds(sum(successes), sum(trials))
    assert 0 <= lower <= alone[0] + 1e-9 and alone[1] - 1e-9 <= upper <= 1
    assert lower <= sum(successes) / sum(trials) <= upper


def test_users_who_act_alike_on_all_their_jobs_count_once():
    alike, once = (np.concatenate(clustered([n] * 8 + [0] * 24, [n] * 32)) for n in (5, 1))
    assert alike == pytest.approx(once, abs=1e-9)
    none = np.concatenate(clustered([0] * 6, [9] * 6))
    assert none == pytest.approx(bounds(0, 6), abs=1e-9), "none succeeds: the variance is unknown"


def test_the_true_rate_lies_in_95_percent_of_clustered_intervals():
    """Users differ (beta-binomial): intervals of independent trials hold the rate in two thirds of the samples."""
    rng = np.random.default_rng(5)
    trials = rng.geometric(1 / 12, (1000, USER_GROUPS))
    successes = rng.binomial(trials, rng.beta(0.5, 4.5, trials.shape))
    lower, upper = clustered(successes, trials)
    assert 930 <= ((lower <= 0.1) & (upper >= 0.1)).sum() <= 980
    lower, upper = wilson(pl.col("k"), pl.col("n"))
    alone = pl.DataFrame({"k": successes.sum(axis=1), "n": trials.sum(axis=1)}).select((lower <= 0.1) & (upper >= 0.1))
    assert alone.to_series().sum() < 800


def test_a_mean_has_an_interval_from_two_users_on():
    frame = pl.DataFrame({"total": [10.0, 5.0], "squares": [58.0, 25.0], "n": [2, 1], "groups": [2, 1]})
    lower, upper = clustered_mean(
        pl.col("total"),
        pl.col("n"),
        square_totals=pl.col("squares"),
        square_n=pl.col("n"),
        products=pl.col("total"),
        n_groups=pl.col("groups"),
    )
    got = frame.select(lower=lower, upper=upper).rows()
    # Values 3 and 7: mean 5, standard deviation sqrt(8), standard error 2.
    assert got[0] == pytest.approx((5 - 25.4125, 5 + 25.4125), abs=1e-3)
    assert got[1] == (None, None)
