import numpy as np
import pytest

from models.evaluation.bootstrap import figure_interval, mean_intervals, resampled_counts
from models.evaluation.metrics import coverage


def test_each_sample_draws_as_many_users_as_there_are() -> None:
    counts = resampled_counts(30, seed=1, n_samples=50)
    assert counts.shape == (50, 30)
    assert counts.sum(axis=1).tolist() == [30.0] * 50
    assert np.array_equal(counts, resampled_counts(30, seed=1, n_samples=50))


def test_an_interval_is_that_of_the_resampled_means() -> None:
    values = np.random.default_rng(2).random((40, 2))
    values[3, 1] = np.nan
    counts = resampled_counts(40, seed=1)
    found = mean_intervals(values, counts)
    for column in range(2):
        known = np.flatnonzero(~np.isnan(values[:, column]))
        means = [np.average(values[known, column], weights=row[known]) for row in counts]
        assert found.estimate[column] == pytest.approx(values[known, column].mean())
        assert found.lower[column] == pytest.approx(np.quantile(means, 0.025))
        assert found.upper[column] == pytest.approx(np.quantile(means, 0.975))
    assert found.n_users.tolist() == [40, 39]


def test_an_interval_narrows_with_users_and_closes_over_one() -> None:
    values = np.random.default_rng(2).random((400, 1))
    wide, narrow = (mean_intervals(values[:n], resampled_counts(n, seed=1)) for n in (20, 400))
    assert wide.upper[0] - wide.lower[0] > narrow.upper[0] - narrow.lower[0] > 0
    one = mean_intervals(np.array([[0.5]]), resampled_counts(1, seed=1))
    assert (one.estimate[0], one.lower[0], one.upper[0]) == (0.5, 0.5, 0.5)


def test_the_interval_of_coverage_holds_the_coverage() -> None:
    shown = np.eye(20)  # every user is shown a job of their own
    estimate, lower, upper = figure_interval(
        lambda drawn: coverage(drawn @ shown, n_jobs=20), resampled_counts(20, seed=1)
    )
    assert lower < estimate == 1.0 < upper
