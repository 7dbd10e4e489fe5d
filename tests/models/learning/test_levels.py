import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.learning.levels import matched_level
from models.learning.registry import Level


@given(st.floats(0.3, 0.6), st.floats(0.03, 0.12), st.floats(0.3, 0.6), st.floats(0.03, 0.12), st.integers(0, 99))
def test_a_percent_is_as_rare_as_by_the_configured_recipe(
    mean: float, spread: float, their_mean: float, their_spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    own, theirs = (np.clip(rng.normal(m, s, 5_000), 0, 0.9) for m, s in ((mean, spread), (their_mean, their_spread)))
    level = matched_level(own, theirs)
    scores = level.base + level.scale * own
    assert scores.max() <= 1 + 1e-3, "scores that are cut off would be equal"
    for percent in (0.4, 0.5, 0.6):
        assert (scores >= percent).mean() == pytest.approx((theirs >= percent).mean(), abs=0.06)
    assert (np.argsort(scores, kind="stable") == np.argsort(own, kind="stable")).all()


def test_one_high_score_is_not_cut_off() -> None:
    own, theirs = np.append(np.linspace(0.4, 0.5, 1_000), 0.9), np.linspace(0.2, 0.8, 1_001)
    level = matched_level(own, theirs)
    assert 1 < level.scale < 6 and level.base + level.scale * 0.9 <= 1 + 1e-3


def test_equal_scores_are_only_moved() -> None:
    assert matched_level(np.full(50, 0.3), np.full(50, 0.5)) == Level(1.0, 0.2)
