from dataclasses import replace

import numpy as np
import pytest

from models.arrays import Csr, csr_from_coordinates
from models.learning import fitting
from models.learning.fitting import (
    CandidateBlock,
    candidate_blocks,
    examples_of,
    exploring_as,
    learn,
    ndcg_by_score,
    ndcg_of_lists,
    ndcg_of_recipe,
)
from models.learning.registry import learned_recipe
from models.ranking.context import JobContext, UserBatch
from tests.models.ranking.world import encode, make_market

_HIDDEN = {"skills": 0.7, "recency": 0.3}


@pytest.fixture(scope="module")
def blocks() -> list[CandidateBlock]:
    """A market in which each user takes to the five candidates that a hidden recipe prefers."""
    made = encode(make_market(3, n_jobs=150, n_users=120))
    return candidate_blocks(made.context, made.batch, _choices(made.context, made.batch))


def _choices(context: JobContext, batch: UserBatch) -> Csr:
    nothing = csr_from_coordinates(np.zeros(0), np.zeros(0), np.zeros(0), shape=(batch.users.n, context.jobs.n))
    rows, columns = [], []
    for one in candidate_blocks(context, batch, nothing):
        scored = fitting.score_pairs(one.values, [learned_recipe(_HIDDEN, neutral=0.5, diversity=0.0)], _zeros(one))
        best = fitting.top_k(one.found.relevance(scored.score), 5)
        row, place = np.nonzero(best >= 0)
        rows.append(one.block.rows.start + row)
        columns.append(one.found.jobs[row, best[row, place]])
    row, column = np.concatenate(rows), np.concatenate(columns)
    return csr_from_coordinates(row, column, np.ones(len(row)), shape=(batch.users.n, context.jobs.n))


def _zeros(one: CandidateBlock) -> np.ndarray:
    return np.zeros(len(one.gain), dtype=np.int32)


def test_a_hidden_recipe_is_found_and_measured_on_users_it_was_not_fitted_to(blocks: list[CandidateBlock]) -> None:
    found = learn(blocks)
    assert found is not None
    assert found.recipe.weights["skills"] > found.recipe.weights.get("tags", 0) + 0.2
    nobody = np.zeros(len(found.ndcg), dtype=np.int32)
    by_tags = ndcg_of_lists(blocks, [learned_recipe({"tags": 1}, neutral=0.5, diversity=0.0)], nobody)
    assert found.ndcg.mean() > 0.8 > by_tags.mean() + 0.2


def test_fitting_again_gives_the_same(blocks: list[CandidateBlock]) -> None:
    first, second = learn(blocks), learn(blocks)
    assert first is not None and second is not None
    assert first.recipe == second.recipe and first.ndcg.tolist() == second.ndcg.tolist()


def test_a_user_is_ranked_by_their_own_recipe(blocks: list[CandidateBlock]) -> None:
    recipes = [learned_recipe({name: 1}, neutral=0.5, diversity=0.0) for name in ("skills", "tags")]
    n_users = sum(len(one.gain) for one in blocks)
    of_user = np.arange(n_users, dtype=np.int32) % 2
    mixed = ndcg_of_lists(blocks, recipes, of_user)
    alone = np.stack([ndcg_of_lists(blocks, [recipe], np.zeros(n_users, dtype=np.int32)) for recipe in recipes])
    assert mixed.tolist() == alone[of_user, np.arange(n_users)].tolist()


def test_recipes_are_compared_with_the_same_exploration(blocks: list[CandidateBlock]) -> None:
    """A recipe that explores its head is as good as the same one that does not."""
    fitted = learned_recipe({"skills": 1}, neutral=0.5, diversity=0.0)
    configured = replace(fitted, exploration_share=0.4, exploration_from_rank=1)
    nobody = np.zeros(sum(len(one.gain) for one in blocks), dtype=np.int32)
    own, alike = (ndcg_of_lists(blocks, [recipe], nobody) for recipe in (configured, fitted))
    assert own.mean() < alike.mean() - 0.05
    assert ndcg_of_recipe(blocks, exploring_as(configured, fitted)).tolist() == alike.tolist()


def test_the_order_by_score_is_judged_like_the_lists_it_makes(blocks: list[CandidateBlock]) -> None:
    recipe = replace(learned_recipe({"skills": 1}, neutral=0.5, diversity=0.0), exploration_share=0.0)
    nobody = np.zeros(sum(len(one.gain) for one in blocks), dtype=np.int32)
    listed, scored = ndcg_of_lists(blocks, [recipe], nobody), ndcg_by_score(blocks, [recipe], nobody)
    # Only the cap of companies may part them.
    assert np.abs(listed - scored).mean() < 0.1


def test_examples_hold_the_components_and_gains_of_all_candidates(blocks: list[CandidateBlock]) -> None:
    examples = examples_of(blocks)
    assert len(examples.gain) == sum(int((one.found.jobs >= 0).sum()) for one in blocks)
    assert examples.n_positives == int(sum((one.gain > 0).sum() for one in blocks))
    assert (np.diff(examples.user) >= 0).all() and len(np.unique(examples.pair_hash)) == len(examples.gain)
