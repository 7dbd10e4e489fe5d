"""Differences between the arms of an experiment that may be looked at as often as one likes.

Users are the unit: a user's jobs are not independent of each other. No data is read here, and no plot is made.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import Doubles

LEAST_USERS = 100  # per arm: below, a mean of skewed counts is not yet normal
_ROUNDING = 1e-12  # what is left of a difference of equal sums


@dataclass(frozen=True)
class RateSums:
    """Sums over the users of each arm, each of any shape: users, trials, successes and their second moments."""

    n_users: Doubles
    n_trials: Doubles
    n_successes: Doubles
    sum_square_trials: Doubles
    sum_square_successes: Doubles
    sum_products: Doubles  # of a user's trials and successes


@dataclass(frozen=True)
class Interval:
    """A value with the bounds of its interval; NaN where too little is known."""

    value: Doubles
    lower: Doubles
    upper: Doubles


def rate_and_variance(sums: RateSums) -> tuple[Doubles, Doubles]:
    """Successes per trial, and the variance of that ratio with users as clusters; NaN without trials.

    Delta method for ratios of sums (Deng, Knoblich and Lu, KDD 2018): with r the rate, the variance is the sum of
    (successes - r * trials)^2 over users, divided by the squared number of trials.
    """
    trials = np.asarray(sums.n_trials, dtype=np.float64)
    rate = _divide(np.asarray(sums.n_successes, dtype=np.float64), trials)
    size = sums.sum_square_successes + rate**2 * sums.sum_square_trials
    squares = size - 2 * rate * sums.sum_products
    squares = np.where(squares > _ROUNDING * size, squares, 0)
    users = np.asarray(sums.n_users, dtype=np.float64)
    variance = _divide(squares * _divide(users, users - 1), trials**2)
    return rate, np.where(users > 1, variance, np.nan)


def always_valid_difference(
    first: RateSums, other: RateSums, *, scale: float, alpha: float = 0.05, least_users: int = LEAST_USERS
) -> Interval:
    """The rate of `other` less that of `first`, with bounds that hold at all times together with chance 1 - `alpha`.

    The bounds are NaN while an arm has fewer than `least_users` users, or no user differs from another.
    """
    (rate, variance), (other_rate, other_variance) = rate_and_variance(first), rate_and_variance(other)
    difference = other_rate - rate
    half = half_width(variance + other_variance, scale=scale, alpha=alpha)
    is_known = np.minimum(first.n_users, other.n_users) >= least_users
    half = np.where(is_known, half, np.nan)
    return Interval(difference, difference - half, difference + half)


def half_width(variance: Doubles, *, scale: float, alpha: float = 0.05) -> Doubles:
    """Half the width of the confidence sequence of an estimate with this variance; NaN for a variance of 0.

    Mixture sequential probability ratio test with a normal mixture N(0, scale^2) over the effect (Johari, Koomen,
    Pekelis and Walsh, Operations Research 70, 2022; the boundary is that of Robbins, 1970, and Howard et al., Annals of
    Statistics 49, 2021). `scale` is the size of effect that is looked for, chosen before the data: any is valid, one
    near the true effect is narrowest. Raises ValueError for a scale or alpha out of range.
    """
    if not scale > 0:
        raise ValueError(f"half_width: scale must be greater than 0; received {scale}")
    if not 0 < alpha < 1:
        raise ValueError(f"half_width: alpha must be between 0 and 1; received {alpha}")
    known = np.where(np.asarray(variance) > 0, variance, np.nan)
    total = known + scale**2
    half: Doubles = np.sqrt(known * total / scale**2 * (2 * np.log(1 / alpha) + np.log(total / known)))
    return half


def _divide(numerator: Doubles, denominator: Doubles) -> Doubles:
    """The quotient; NaN where the denominator is not positive."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    result: Doubles = np.divide(numerator, denominator, out=np.full(shape, np.nan), where=np.asarray(denominator) > 0)
    return result
