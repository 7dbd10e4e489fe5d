import datetime as dt
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.learning.position_bias import Attention
from models.learning.registry import Configured, Data, Figure, Fit, Level, Registry, RegistryError, from_text, to_text

_FIGURE = Figure(0.2, 0.1, 0.3)
FIT = Fit(
    fit="learned-20260301",
    as_of="2026-03-01T02:00:00+00:00",
    data=Data("2026-02-22T00:00:00+00:00", "last 7 days", 100, 4_000, 1_200),
    weights={"tags": 0.6, "collaborative": 0.4},
    neutral=0.0,
    diversity=0.05,
    settings={"l2": 0.001},
    ndcg=_FIGURE,
    incumbent="marketplace",
    incumbent_ndcg=_FIGURE,
    gain=_FIGURE,
    is_promoted=True,
    decision="promoted: …",
)


def _named(name: str, *, is_promoted: bool = True) -> Fit:
    return replace(FIT, fit=name, is_promoted=is_promoted)


def test_a_promoted_fit_is_in_use_and_another_is_only_kept() -> None:
    registry = Registry().add(_named("a")).add(_named("b", is_promoted=False))
    assert registry.active == "a" and [fit.fit for fit in registry.fits] == ["a", "b"]
    assert registry.active_recipe == FIT.recipe()


def test_the_learned_recipe_may_order_by_behaviour_and_protects_its_head() -> None:
    recipe = FIT.recipe()
    assert replace(FIT, level=Level(1.5, -0.2)).recipe() == replace(recipe, scale=1.5, base=-0.2)
    assert recipe.name == "learned" and recipe.collaborative_cap is None
    assert (recipe.exploration_share, recipe.exploration_from_rank) == (0.1, 21)


def test_a_rerun_for_the_same_instant_keeps_the_fit_that_is_there() -> None:
    """Otherwise feeds that are ranked by a fit could no longer be recomputed from what is kept of it."""
    registry = Registry().add(_named("a")).rollback(at="t1")
    again = registry.add(replace(_named("a"), weights={"tags": 1.0}))
    assert again == registry and again.active is None


def test_rollback_goes_back_one_promotion_at_a_time() -> None:
    registry = Registry().add(_named("a")).add(_named("b")).promote("a", at="t1")
    seen = []
    while registry.active is not None:
        seen.append(registry.active)
        registry = registry.rollback(at="t2")
    assert seen == ["a", "b", "a"]
    with pytest.raises(RegistryError, match="nothing to go back from"):
        registry.rollback(at="t3")


@given(st.lists(st.one_of(st.sampled_from("abc"), st.just("back")), max_size=12))
def test_any_history_survives_writing_and_reading(steps: list[str]) -> None:
    configured = Configured("marketplace", _FIGURE, _FIGURE, _FIGURE)
    compared = replace(_named("b"), is_promoted=False, level=Level(1.5, -0.2), configured=configured)
    compared = replace(compared, attention=Attention(0.7, "measured"))
    registry = Registry().add(_named("a", is_promoted=False)).add(compared).add(_named("c"))
    for step in steps:
        if step != "back":
            registry = registry.promote(step, at=step)
        elif registry.active is not None:
            registry = registry.rollback(at=step)
    assert from_text(to_text(registry)) == registry


def test_an_unknown_fit_is_refused_by_name() -> None:
    with pytest.raises(RegistryError, match=r"no fit 'x'; fits are a"):
        Registry().add(_named("a")).promote("x", at="t")


@pytest.mark.parametrize("text", ["", "{}", '{"format": 9}', to_text(Registry(active=None)).replace("null", '"x"', 1)])
def test_a_damaged_history_is_refused(text: str) -> None:
    with pytest.raises(RegistryError):
        from_text(text)


def test_the_attention_is_that_of_the_newest_fit_that_knows_it() -> None:
    fits = [("05", Attention(0.5, "measured")), ("12", Attention(0.6, "kept")), ("19", Attention())]
    registry = Registry()
    for day, attention in fits:
        registry = registry.add(replace(_named(day), as_of=f"2026-03-{day}T02:00:00+00:00", attention=attention))
    days = [dt.datetime(2026, 3, day, 2, tzinfo=dt.UTC) for day in (1, 5, 26)]
    assert [registry.attention_before(day).power for day in days] == [0, 0.5, 0.6]


def test_a_history_from_before_the_attention_was_kept_is_read() -> None:
    written = json.loads(to_text(Registry().add(FIT)))
    del written["fits"][0]["attention"]
    assert from_text(json.dumps(written)).fits == (FIT,)
