"""Planted leaks are found in every seed, clean data hardly ever."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.hashing import UInt64s
from models.learning.examples import Examples
from models.learning.leakage import separation, suspicion
from models.learning.registry import Fit
from tests.models.learning.test_registry import FIT

NAMES = ("tags", "location", "recency", "collaborative")
N_SEEDS = 100


def market(seed: int, *, leak: float = 0.0, n_users: int = 150, n_jobs: int = 40) -> Examples:
    """Users who take to jobs by noisy honest components; `leak` mixes what happens later into the last one."""
    rng = np.random.default_rng(seed)
    n = n_users * n_jobs
    values = rng.random((n, len(NAMES))).round(2)
    wish = values @ np.array([2.0, 1.0, 0.5, 3.0]) + rng.gumbel(0, 0.8, n)
    gain = (wish > np.quantile(wish, 0.93)).astype(np.float32)
    values[:, 3] = (1 - leak) * values[:, 3] + leak * gain
    values[rng.random(n) < 0.1, 1] = np.nan
    user = np.repeat(np.arange(n_users, dtype=np.int32), n_jobs)
    hashes: UInt64s = np.arange(n, dtype=np.uint64)
    return Examples(values.astype(np.float32), gain, np.ones(n, np.float32), user, hashes)


def fitted(examples: Examples, *, n_positives: int = 1_000, suspicion: str | None = None) -> Fit:
    data = replace(FIT.data, n_positives=n_positives)
    return replace(FIT, data=data, separation=separation(examples, NAMES, seed=1), suspicion=suspicion)


def test_a_component_that_knows_what_happens_is_found_in_every_seed() -> None:
    found = [suspicion(fitted(market(seed, leak=0.7)), []) for seed in range(N_SEEDS)]
    assert all(reason is not None and reason.startswith("collaborative") for reason in found)


def test_a_leak_that_begins_after_an_earlier_fit_is_found_even_if_it_is_partial() -> None:
    for seed in range(N_SEEDS):
        before, now = fitted(market(seed)), fitted(market(seed + N_SEEDS, leak=0.3))
        assert (suspicion(now, [before]) or "").startswith("collaborative")


def test_clean_data_are_blocked_in_fewer_than_5_of_100_seeds() -> None:
    before = fitted(market(1_000))
    found = [suspicion(fitted(market(seed)), [before]) for seed in range(N_SEEDS)]
    assert sum(reason is not None for reason in found) < 5


def test_a_leak_that_stays_is_found_in_every_later_fit() -> None:
    fits = [fitted(market(0))]
    for seed in range(1, 4):
        now = fitted(market(seed, leak=0.3))
        found = suspicion(now, fits)
        assert found is not None
        fits.append(replace(now, suspicion=found))


def test_a_component_that_gets_better_with_much_more_data_is_not_held_back() -> None:
    before, now = fitted(market(0)), fitted(market(1, leak=0.3), n_positives=3_000)
    assert suspicion(now, [before]) is None


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_area_equals_the_share_of_pairs_in_the_right_order(seed: int, n_levels: int) -> None:
    rng = np.random.default_rng(seed)
    n_users, n_jobs = 40, 6
    values = rng.integers(0, n_levels + 1, (n_users * n_jobs, 1)).astype(np.float32)
    gain = rng.integers(0, 2, n_users * n_jobs).astype(np.float32)
    user = np.repeat(np.arange(n_users, dtype=np.int32), n_jobs)
    hashes: UInt64s = np.arange(len(user), dtype=np.uint64)
    found = separation(Examples(values, gain, np.ones_like(gain), user, hashes), ["one"], seed=1)
    areas = []
    for number in range(n_users):
        own, took = values[user == number, 0], gain[user == number] > 0
        pairs = [(a > b) + 0.5 * (a == b) for a in own[took] for b in own[~took]]
        areas += [np.mean(pairs)] if pairs else []
    assert found["one"].mean == pytest.approx(np.mean(areas), abs=1e-4)


def test_few_users_say_nothing() -> None:
    assert separation(market(1, n_users=10), NAMES, seed=1) == {}
    assert suspicion(fitted(market(1, n_users=10)), [fitted(market(2))]) is None
