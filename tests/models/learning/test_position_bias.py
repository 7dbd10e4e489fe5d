import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.learning.position_bias import (
    MOST_WEIGHT,
    UNKNOWN,
    Attention,
    attention_now,
    attention_power,
    outcome_weights,
)


def _log(power: float, *, n: int = 200_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Slots between rank 21 and 100 as users with an attention of rank^-power react to them."""
    rng = np.random.default_rng(seed)
    rank = rng.integers(1, 101, n)
    return rank, rng.random(n) < 0.3 * rank**-power


@pytest.mark.parametrize("power", [0.0, 0.4, 1.0])
def test_the_power_of_the_attention_is_found(power: float) -> None:
    assert attention_power(*_log(power)) == pytest.approx(power, abs=0.05)


def test_more_impressions_of_some_ranks_change_nothing() -> None:
    rank, is_positive = _log(0.7)
    is_kept = (rank % 2 == 0) | (np.random.default_rng(1).random(len(rank)) < 0.2)
    assert attention_power(rank[is_kept], is_positive[is_kept]) == pytest.approx(0.7, abs=0.06)


def test_few_outcomes_say_little_and_none_say_nothing() -> None:
    few = attention_power(np.array([1, 1, 1, 30, 30]), np.array([True, True, False, False, False]))
    assert 0 <= few < 0.6
    assert attention_power(np.array([1, 2]), np.array([False, False])) == 0


def test_what_can_not_be_measured_is_kept_from_before() -> None:
    rank, is_positive = _log(0.7, n=20_000)
    measured = attention_now(rank, is_positive, before=UNKNOWN)
    assert measured.origin == "measured" and measured.power == pytest.approx(0.7, abs=0.15)
    nothing = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_))
    kept = attention_now(*nothing, before=measured)
    assert kept == Attention(measured.power, "kept") == attention_now(*nothing, before=kept)
    assert attention_now(*nothing, before=UNKNOWN) == UNKNOWN


def test_few_outcomes_hardly_move_what_was_known_before() -> None:
    few = (np.array([1, 1, 30, 30]), np.array([True, False, True, False]))
    assert attention_power(*few, before=0.8) == pytest.approx(0.8, abs=0.3)
    assert attention_power(*_log(0.4), before=1.5) == pytest.approx(0.4, abs=0.05)


@given(st.lists(st.floats(1, 1_000), min_size=2, max_size=20), st.floats(0, 2))
def test_an_outcome_counts_more_the_lower_it_stood_up_to_a_limit(ranks: list[float], power: float) -> None:
    weights = outcome_weights(np.sort(ranks), power=power)
    assert (np.diff(weights) >= 0).all() and weights.min() >= 1 and weights.max() <= MOST_WEIGHT


def test_an_outcome_without_a_rank_counts_once() -> None:
    assert outcome_weights(np.array([np.nan, 1.0, 4.0]), power=0.5).tolist() == [1, 1, 2]
