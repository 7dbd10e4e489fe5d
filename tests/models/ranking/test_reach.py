from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Floats
from models.ranking import reach
from models.ranking.interaction_arrays import build_job_index
from models.ranking.job_arrays import encode_jobs
from models.ranking.population import encode_population
from models.ranking.preparation import build_job_context, build_user_batch, model_rows
from models.ranking.reach import NOT_REACHED, Reach, reached_in, scores_of_all_jobs
from models.ranking.scoring import component_values, score_pairs
from models.ranking.settings import Recipe
from serving.contract.tables import COMPONENTS
from tests.models.ranking.world import AS_OF, SETTINGS, Encoded, Market, encode, make_market

EVERY = Recipe("every", dict.fromkeys(COMPONENTS, 1.0), collaborative_cap=None)
_OF_ALL_JOBS = ("collaborative", "neighbours", "also_applied", "growth")
ONLY_EXACT = Recipe("exact", {name: 1.0 for name in COMPONENTS if name not in _OF_ALL_JOBS})


def of_some_jobs(market: Market, recipe: Recipe, job_ids: pl.Series) -> Encoded:
    """All users of the market against some of its jobs alone, with the duplicates of these."""
    groups = market.jobs.with_columns(group=pl.coalesce("duplicate_of", "job_id"))
    groups = groups.filter(
        pl.col("group").is_in(groups.filter(pl.col("job_id").is_in(job_ids.implode()))["group"].implode())
    )
    settings = replace(SETTINGS, recipes={recipe.name: recipe}, default_recipe=recipe.name)
    jobs = encode_jobs(
        groups.drop("group"),
        job_features=market.job_features,
        skill_weights=market.skill_weights,
        preference_values=market.preferences.select("dimension", "value").unique(),
    )
    index = build_job_index(market.jobs.select("job_id", "duplicate_of"), jobs)
    people = encode_population(
        market.profiles, interactions=market.interactions, preferences=market.preferences, index=index
    )
    context = build_job_context(
        index, market.fitted, users=people.users, trending=market.trending, settings=settings, as_of=AS_OF
    )
    return Encoded(context, build_user_batch(context, people, model_rows(market.fitted, people.users.ids)))


def scores(made: Encoded) -> Floats:
    return np.concatenate([score for _, score in scores_of_all_jobs(made.context, made.batch)])


@pytest.mark.parametrize("recipe", [ONLY_EXACT, EVERY], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_scores_among_few_jobs_are_at_least_those_among_all(
    monkeypatch: pytest.MonkeyPatch, seed: int, recipe: Recipe
) -> None:
    market = make_market(seed)
    whole = encode(market, replace(SETTINGS, recipes={recipe.name: recipe}, default_recipe=recipe.name))
    some = whole.jobs.ids.gather_every(5)
    monkeypatch.setattr(reach, "_PAIRS_AT_ONCE", 7 * len(some))
    found = scores(of_some_jobs(market, recipe, some))
    block, pairs = whole.whole_block(), whole.all_pairs()
    values = component_values(sorted(recipe.normalised()), pairs)
    expected = score_pairs(values, [recipe], np.zeros(whole.users.n, np.int32)).score
    expected[block.forbidden.nonzero()] = -np.inf
    expected = expected[:, whole.jobs.rows_of(some)]
    assert np.isneginf(found).any() and np.isfinite(found).any()
    assert (found >= expected - 1e-6).all()
    if recipe is ONLY_EXACT:
        np.testing.assert_allclose(found, expected, atol=1e-6)


margins = st.integers(1, 4).flatmap(
    lambda n_jobs: st.lists(st.lists(st.integers(-3, 6), min_size=n_jobs, max_size=n_jobs), min_size=1, max_size=12)
)


@given(margins, st.integers(1, 4), st.integers(1, 20))
def test_places_are_those_of_a_sort_of_all_pairs(made: list[list[int]], most: int, most_entries: int) -> None:
    margin = np.array(made, dtype=np.float32)
    found = Reach(n_users=len(margin), most=most)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reach, "_MOST_ENTRIES", most_entries)
        patch.setattr(reach, "scores_of_all_jobs", lambda _context, batch: [(slice(0, len(batch)), batch)])
        for first in range(0, len(margin), 3):
            rows = margin[first : first + 3]
            floor = np.zeros(len(rows), dtype=np.float32)
            found.add(reached_in(None, rows, floor, first=first))  # type: ignore[arg-type]
    expected = []
    for user, row in enumerate(made):
        nearer = [
            sum((-other[job], place) < (-own, user) for place, other in enumerate(made))
            for job, own in enumerate(row)
            if own >= 0
        ]
        expected.append(min(most, *nearer) if nearer else NOT_REACHED)
    assert found.places().tolist() == expected
