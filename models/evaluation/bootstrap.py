"""Intervals by resampling users (Efron, 1979): of means, of paired differences and of figures of whole lists.

All figures of a run share the same draws, so that lists are compared on the same resampled users.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import Doubles, Floats

N_SAMPLES = 500
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds of its 95 % interval, one number per figure; `n_users` it is taken over."""

    estimate: Doubles
    lower: Doubles
    upper: Doubles
    n_users: Doubles


def resampled_counts(n_users: int, *, seed: int, n_samples: int = N_SAMPLES) -> Floats:
    """How often each user is drawn in each sample, (n_samples, n_users)."""
    generator = np.random.default_rng(seed)
    counts = np.empty((n_samples, n_users), dtype=np.float32)
    for row in counts:
        row[:] = np.bincount(generator.integers(0, max(n_users, 1), n_users), minlength=n_users)
    return counts


def mean_intervals(values: Doubles, counts: Floats) -> Interval:
    """Percentile intervals of the means of the columns of `values` (U, M). Users with NaN in a column are left out.

    NaN if no user is left; the estimate three times for one user.
    """
    is_known = ~np.isnan(values)
    known = np.where(is_known, values, 0.0)
    n_users = is_known.sum(axis=0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = known.sum(axis=0) / n_users
        means = (counts @ known) / (counts @ is_known.astype(np.float32))
    means = np.where(np.isnan(means), estimate, means)
    tail = (1 - LEVEL) / 2
    lower, upper = np.quantile(means, [tail, 1 - tail], axis=0)
    return Interval(estimate, lower, upper, n_users)


def difference_interval(challenger: Doubles, incumbent: Doubles, *, seed: int) -> tuple[float, float]:
    """(lower, upper) of the mean difference of the values (U,) of the same users."""
    change = mean_intervals((challenger - incumbent)[:, None], resampled_counts(len(challenger), seed=seed))
    return float(change.lower[0]), float(change.upper[0])


def figure_interval(exposures: Callable[[Floats], Doubles], counts: Floats) -> tuple[float, float, float]:
    """(estimate, lower, upper) of a figure of all users' lists together, such as coverage.

    `exposures` gives the figure of each row of counts of users, (n, U) -> (n,). A sample misses a third of the users
    and so covers less: the interval is the spread of the samples around their mean, moved to the estimate.
    """
    estimate = float(exposures(np.ones((1, counts.shape[1]), dtype=np.float32))[0])
    samples = exposures(counts)
    tail = (1 - LEVEL) / 2
    lower, upper = np.quantile(samples - samples.mean(), [tail, 1 - tail])
    return estimate, estimate + float(lower), estimate + float(upper)
