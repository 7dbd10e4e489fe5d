from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.fitting.als import AlsSettings
from models.fitting.collaborative import MODELS, POPULARITY, Member, combine
from models.fitting.sparse_models import SparseModel
from models.fitting.user_knn import UserNeighbours
from models.fitting.weights import weight_matrix
from models.ranking.collaborative import taste_shares
from models.ranking.context import CandidatePairs, UserBlock
from models.ranking.retrieval import build_block
from models.ranking.scoring import component_values
from models.ranking.settings import Recipe
from models.ranking.stages import rank_batch
from tests.models.ranking.world import AS_OF, SETTINGS, Encoded, Market, encode, items, make_market, rank

ALS = Member("als", 1.0, AlsSettings())
POPULAR = Member(POPULARITY, 1.0, MODELS[POPULARITY].settings())
SPARSE = [Member(name, 1.0, MODELS[name].settings()) for name in MODELS if name != "als"]
CHOICES = [[ALS], *([member] for member in SPARSE), [ALS, *SPARSE[1:]], SPARSE[1:3]]


def chosen(members: Sequence[Member]) -> Market:
    """A market with the members in equal parts, fitted on its interactions."""
    market = make_market(3)
    pairs = market.interactions.select("user_id", "job_id").unique(maintain_order=True)
    weights = weight_matrix(pairs.with_columns(weight=1.0))
    members = [replace(member, weight=1 / len(members)) for member in members]
    models = [MODELS[one.model].fit(weights, one.settings, 1, 1) for one in members if one.model != "als"]
    sparse = [model for model in models if isinstance(model, SparseModel)]
    made = combine(members, sparse, as_of=AS_OF.isoformat())
    return replace(market, fitted=replace(market.fitted, collaborative=made))


def names(members: Sequence[Member]) -> str:
    return "+".join(member.model for member in members)


def whole_block(made: Encoded) -> UserBlock:
    return build_block(made.context, made.batch, slice(0, made.batch.users.n))


def every_job(block: UserBlock) -> np.ndarray:
    return np.repeat(np.arange(block.context.jobs.n, dtype=np.int32)[None, :], block.batch.users.n, axis=0)


def all_values(block: UserBlock) -> np.ndarray:
    """The component of every user and job."""
    return component_values(["collaborative"], CandidatePairs(block, every_job(block)))["collaborative"]


@pytest.mark.parametrize("members", CHOICES, ids=names)
def test_the_retriever_gives_the_allowed_jobs_with_the_greatest_component(members: Sequence[Member]) -> None:
    block = whole_block(encode(chosen(members)))
    values, forbidden = all_values(block), block.forbidden.toarray() > 0
    n_found = 0
    for user, jobs in enumerate(block.collaborative.jobs):
        found = jobs[jobs >= 0]
        n_found += len(found)
        assert not forbidden[user, found].any()
        allowed = np.where(forbidden[user] | np.isnan(values[user]), 0, values[user])
        expected = np.sort(allowed[allowed > 0])[::-1][: len(jobs)]
        got = allowed[found]
        np.testing.assert_allclose(got[got > 0], expected[: np.count_nonzero(got > 0)], atol=2e-4)
        assert len(found) >= min(len(jobs), np.count_nonzero(allowed > 2e-4)) - 1
    assert n_found > 50


@pytest.mark.parametrize("members", CHOICES, ids=names)
def test_the_component_is_a_share_of_the_greatest_score(members: Sequence[Member]) -> None:
    block = whole_block(encode(chosen(members)))
    values = all_values(block)
    known = values[~np.isnan(values)]
    assert ((known >= 0) & (known <= 1)).all()
    assert (known > 0).any()
    if len(members) > 1:
        best = [values[user, jobs[0]] for user, jobs in enumerate(block.collaborative.jobs) if jobs[0] >= 0]
        np.testing.assert_allclose(best, 1, atol=1e-4)


@pytest.mark.parametrize("members", CHOICES, ids=names)
def test_users_who_opted_out_get_nothing_of_it(members: Sequence[Member]) -> None:
    market = chosen(members)
    refused = market.profiles.with_columns(personalization_enabled=False)
    block = whole_block(encode(replace(market, profiles=refused)))
    assert (block.collaborative.jobs < 0).all()
    assert np.isnan(all_values(block)).all()


@pytest.mark.parametrize("members", CHOICES[-2:], ids=names)
def test_feeds_do_not_depend_on_the_batch(members: Sequence[Member]) -> None:
    made = encode(chosen(members))
    whole, again = (rank_batch(made.context, made.batch, now=lambda: 0.0)[0] for _ in range(2))
    assert whole.equals(again)
    assert (whole["items"].list.len() > 0).all()


def test_the_taste_of_a_blend_is_what_its_members_say_without_popularity() -> None:
    alone, blend, popular = (whole_block(encode(chosen(members))) for members in ([ALS], [ALS, POPULAR], [POPULAR]))
    shares, parts = (
        taste_shares(block.context, block.batch, block.rows, block.collaborative, every_job(block))
        for block in (blend, popular)
    )
    np.testing.assert_allclose(shares[0], np.nan_to_num(all_values(alone)), atol=1e-4)
    assert ((shares[1] >= 0) & (shares[1] <= 1)).all() and (shares[1] > 0.6).any()
    assert not np.any(parts)


def test_what_is_chosen_by_many_is_popular_and_not_of_the_users_taste() -> None:
    """By a recipe that weighs nothing else, so that no other part of the score can be the reason."""
    recipe = Recipe("others", {"collaborative": 1.0}, collaborative_cap=None)
    settings = replace(SETTINGS, recipes={"others": recipe}, default_recipe="others")
    codes = {}
    for name, members in (("taste", [ALS]), ("popularity", [POPULAR])):
        market = chosen(members)
        known, no_rows = market.fitted.user_neighbours, (np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0))
        lonely = UserNeighbours(known.user_ids.clear(), known.job_ids, *no_rows, *no_rows)
        made = replace(market, fitted=replace(market.fitted, user_neighbours=lonely))
        codes[name] = set(items(rank(made, settings))["reasons"].explode().struct.field("code"))
    assert "neighbours" in codes["taste"] and "popular_in_area" not in codes["taste"]
    assert "popular_in_area" in codes["popularity"] and "neighbours" not in codes["popularity"]
