from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.learning.promotion import compare, is_better, regression
from models.learning.registry import Data, Figure, Registry
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


def _measured(upper: float, *, split: str = "last 7 days", name: str = FIT.fit) -> Registry:
    later = replace(
        FIT, fit="later", as_of="2026-03-08", incumbent=name, incumbent_ndcg=Figure(upper - 0.02, 0, upper),
        data=Data("", split, 1, 1, 1), is_promoted=False,
    )  # fmt: skip
    return Registry().add(FIT).add(later)


def test_a_promoted_fit_that_fell_below_its_interval_is_a_regression() -> None:
    problem = regression(_measured(FIT.ndcg.lower - 0.01))
    assert problem is not None and FIT.fit in problem and "rollback" in problem


@pytest.mark.parametrize(
    "registry",
    [
        Registry(),
        Registry().add(FIT),
        _measured(FIT.ndcg.lower + 0.01),
        _measured(0.01, split="random"),
        _measured(0.01, name="another"),
        _measured(0.01).rollback(at="2026-03-09"),
    ],
)
def test_a_figure_within_the_interval_or_of_another_kind_is_none(registry: Registry) -> None:
    assert regression(registry) is None
