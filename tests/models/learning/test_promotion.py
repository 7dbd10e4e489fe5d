from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.learning.promotion import compare, is_better, regression
from models.learning.registry import Configured, Figure, Registry
from tests.models.learning.test_registry import FIT


@given(st.integers(0, 1_000), st.floats(-0.2, 0.2))
def test_a_challenger_is_better_only_with_its_whole_interval(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    incumbent = rng.random(80)
    challenger = np.clip(incumbent + shift + rng.normal(0, 0.3, 80), 0, 1)
    ours, theirs, gain = compare(challenger, incumbent, seed=seed)
    assert gain.mean == pytest.approx(ours.mean - theirs.mean, abs=1e-5)
    assert gain.lower <= gain.mean <= gain.upper and is_better(gain) == (gain.lower > 0)
    reverse = compare(incumbent, challenger, seed=seed)[2]
    assert not (is_better(gain) and is_better(reverse))


def test_an_equal_challenger_is_not_promoted() -> None:
    values = np.random.default_rng(0).random(500)
    assert not is_better(compare(values, values, seed=1)[2])


def test_a_small_but_steady_gain_is_found_by_pairs() -> None:
    values = np.random.default_rng(0).random(500)
    ours, theirs, gain = compare(values + 0.005, values, seed=1)
    assert is_better(gain) and ours.lower < theirs.upper


BETTER, EVEN, WORSE = Figure(0.03, 0.01, 0.05), Figure(-0.01, -0.03, 0.01), Figure(-0.03, -0.05, -0.01)


def _history(*gains: Figure, name: str = FIT.fit) -> Registry:
    """The promoted fit, and later ones of which each measured it, as its incumbent, against the configured recipe."""
    promoted = replace(FIT, configured=Configured("marketplace", FIT.ndcg, BETTER, EVEN))
    registry = Registry().add(promoted)
    for number, gain in enumerate(gains):
        measured = Configured("marketplace", FIT.ndcg, BETTER, gain)
        later = replace(FIT, fit=f"later {number}", incumbent=name, is_promoted=False, configured=measured)
        registry = registry.add(later)
    return registry


def test_a_promoted_fit_below_the_configured_recipe_on_the_same_users_is_a_regression() -> None:
    problem = regression(_history(EVEN, WORSE))
    assert problem is not None and FIT.fit in problem and "marketplace" in problem
    assert "jobfeed recipes rollback" in problem


@pytest.mark.parametrize(
    "registry",
    [
        Registry(),
        Registry().add(FIT),
        _history(),
        _history(BETTER),
        _history(EVEN),
        _history(WORSE, EVEN),
        _history(WORSE, name="another"),
        _history(WORSE).rollback(at="2026-03-09"),
        _history(WORSE).promote("later 0", at="2026-03-09"),
    ],
)
def test_a_difference_that_reaches_0_or_is_old_or_of_another_fit_is_none(registry: Registry) -> None:
    assert regression(registry) is None


def test_lower_figures_of_later_users_are_no_regression() -> None:
    """Other users, days and catalogs have other levels; the difference on the same users decides."""
    low = Figure(0.01, 0.0, 0.02)
    (promoted, later) = _history(EVEN).fits
    assert regression(Registry().add(promoted).add(replace(later, ndcg=low, incumbent_ndcg=low))) is None


def test_clean_runs_are_seldom_blocked_and_planted_regressions_always() -> None:
    """A fit as good as the configured recipe, and one that lost a tenth of its quality, measured on 400 users."""
    blocked = {0.0: 0, -0.02: 0}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        configured = rng.beta(1, 4, 400)
        for shift in blocked:
            active = configured + rng.normal(shift, 0.08, 400)
            blocked[shift] += regression(_history(compare(active, configured, seed=seed)[2])) is not None
    assert blocked[0.0] < 5 and blocked[-0.02] == 100
