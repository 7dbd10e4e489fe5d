"""Confidence sequences of differences between arms: against slow sums over users, and in simulated experiments."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.sequential import RateSums, always_valid_difference, half_width, rate_and_variance

SCALE = 0.02


def sums_of(trials, successes):
    """The sums after each further user, along the last axis."""
    n, k = np.asarray(trials, dtype=np.float64), np.asarray(successes, dtype=np.float64)
    users = np.broadcast_to(np.arange(1, n.shape[-1] + 1), n.shape)
    return RateSums(users, *(np.cumsum(x, axis=-1) for x in (n, k, n * n, k * k, n * k)))


def last(sums):
    return RateSums(*(np.asarray(x)[..., -1] for x in vars(sums).values()))


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0, 1)), min_size=2, max_size=30))
def test_the_variance_is_that_of_a_slow_sum_over_users(drawn):
    users = [(n, round(n * share)) for n, share in drawn]
    trials, successes = zip(*users, strict=True)
    rate, variance = rate_and_variance(last(sums_of(trials, successes)))
    expected = sum(successes) / sum(trials)
    spread = sum((k - expected * n) ** 2 for n, k in users) * len(users) / (len(users) - 1)
    assert rate == pytest.approx(expected)
    assert variance == pytest.approx(spread / sum(trials) ** 2, abs=1e-9)


def test_one_trial_a_user_gives_the_variance_of_a_share():
    rate, variance = rate_and_variance(last(sums_of([1] * 10, [1] * 3 + [0] * 7)))
    assert (rate, variance) == (pytest.approx(0.3), pytest.approx(0.3 * 0.7 / 9))


@given(st.floats(1e-9, 1e-2), st.floats(1e-4, 1), st.floats(0.001, 0.2))
def test_the_half_width_is_where_the_mixture_ratio_reaches_one_over_alpha(variance, scale, alpha):
    half = float(half_width(np.float64(variance), scale=scale, alpha=alpha))
    total = variance + scale**2
    log_ratio = 0.5 * math.log(variance / total) + half**2 * scale**2 / (2 * variance * total)
    assert log_ratio == pytest.approx(math.log(1 / alpha), rel=1e-6)


def test_bounds_are_wider_than_those_for_a_single_look():
    assert half_width(np.float64(1e-4), scale=SCALE) > 1.96 * 0.01


def test_few_users_and_no_variance_give_no_bounds():
    few = last(sums_of([5] * 50, [1] * 25 + [0] * 25))
    found = always_valid_difference(few, few, scale=SCALE)
    assert found.value == 0
    assert np.isnan(found.lower)
    equal = last(sums_of([5] * 200, [1] * 200))
    assert np.isnan(always_valid_difference(equal, equal, scale=SCALE).upper)
    nothing = RateSums(*(np.float64(0) for _ in range(6)))
    assert np.isnan(always_valid_difference(nothing, nothing, scale=SCALE).value)


@pytest.mark.parametrize(("scale", "alpha"), [(0.0, 0.05), (-1.0, 0.05), (0.1, 0.0), (0.1, 1.0), (math.nan, 0.05)])
def test_a_scale_or_alpha_out_of_range_is_refused(scale, alpha):
    with pytest.raises(ValueError, match="half_width"):
        half_width(np.float64(1.0), scale=scale, alpha=alpha)


def experiments(seed, *, rate, n_experiments=1000, n_users=1500):
    """The sums of one arm of many experiments after each user. Users differ in activity and in liking."""
    rng = np.random.default_rng(seed)
    trials = rng.geometric(0.12, (n_experiments, n_users))
    liking = rng.beta(20 * rate, 20 * (1 - rate), (n_experiments, n_users))
    return sums_of(trials, rng.binomial(trials, liking))


@pytest.mark.parametrize(("rate", "scale"), [(0.1, 0.02), (0.02, 0.005)])
def test_equal_arms_give_false_alarms_in_fewer_than_5_percent_whenever_one_looks(rate, scale):
    first, other = experiments(1, rate=rate), experiments(2, rate=rate)
    found = always_valid_difference(first, other, scale=scale)
    alarms = ((found.lower > 0) | (found.upper < 0)).any(axis=1).mean()
    assert 0 < alarms < 0.05
    error = np.sqrt(sum(rate_and_variance(arm)[1] for arm in (first, other)))
    peeked = (np.abs(found.value) > 1.96 * error)[:, 100:].any(axis=1).mean()
    assert peeked > 0.3  # the same looks with an interval for one look


def test_a_true_difference_is_found_and_covered():
    found = always_valid_difference(
        experiments(3, rate=0.1, n_experiments=300), experiments(4, rate=0.13, n_experiments=300), scale=SCALE
    )
    assert (found.lower[:, -1] > 0).mean() > 0.8
    outside = (found.lower > 0.03) | (found.upper < 0.03)
    assert outside.any(axis=1).mean() < 0.05
