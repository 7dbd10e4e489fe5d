from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.schemas.catalog import INTERACTIONS
from features.schemas.ranking import FEEDS, REASON_CODES
from features.users.profiles import blocked_company_keys
from models.arrays import unit_rows
from models.explanations.similarity import OF_ANY, reads_as_similar
from models.learning.registry import learned_recipe
from models.ranking.experiments import Arm
from models.ranking.feed_problems import violations
from models.ranking.settings import CompanyCap, Recipe, Settings
from models.ranking.stages import rank_batch, rank_by_recipe
from tests.models.ranking.world import (
    AS_OF,
    MARKETPLACE,
    MATCH,
    SETTINGS,
    Market,
    encode,
    items,
    make_market,
    rank,
    without_users,
)

_MARKETS = st.builds(
    make_market,
    st.integers(0, 10_000),
    n_jobs=st.integers(1, 90),
    n_users=st.integers(1, 14),
    n_companies=st.integers(1, 30),
)
_PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def market() -> Market:
    return make_market(1)


@pytest.fixture(scope="module")
def feeds(market: Market) -> pl.DataFrame:
    return rank(market)


@_PROPERTY
@given(_MARKETS, st.sampled_from([0, 20_000]))
def test_no_feed_ever_breaks_a_hard_rule(market: Market, exact_jobs: int) -> None:
    feeds = rank(market, replace(SETTINGS, exact_jobs=exact_jobs))
    FEEDS.validate(feeds)
    found = violations(
        feeds.lazy(),
        jobs=market.jobs.lazy(),
        interactions=market.interactions.lazy(),
        profiles=market.profiles.lazy(),
    )
    assert found.is_empty(), found


@_PROPERTY
@given(_MARKETS)
def test_ranks_ranges_reasons_and_caps_hold(market: Market) -> None:
    feeds = rank(market)
    for user in feeds.iter_rows(named=True):
        listed = user["items"]
        assert [item["rank"] for item in listed] == list(range(1, len(listed) + 1))
        assert len({item["job_id"] for item in listed}) == len(listed) <= SETTINGS.feed_items
        company = dict(market.jobs.select("job_id", "company_id").iter_rows())
        top = [company[item["job_id"]] for item in listed[:20] if company[item["job_id"]]]
        assert all(top.count(name) <= 3 for name in top)
        n_explored = sum(item["explored"] for item in listed[: SETTINGS.component_items])
        for item in listed:
            assert 0 <= item["score"] <= 1 and 0 <= item["confidence"] <= 1 and 0 < item["propensity"] <= 1
            is_kept = item["rank"] <= SETTINGS.component_items or (item["explored"] and n_explored < 2)
            assert (item["components"] is not None) == is_kept
            assert 1 <= len(item["reasons"]) <= 3
            codes = [reason["code"] for reason in item["reasons"]]
            assert len(set(codes)) == len(codes) and set(codes) <= set(REASON_CODES)
            if item["explored"]:
                assert codes[0] == "exploration"
            else:
                assert item["propensity"] == 1


def _recomputed(components: dict[str, float | None], recipe: Recipe) -> tuple[float, float]:
    total = sum(recipe.weights.values())
    score, confidence = recipe.base, 0.0
    for name, weight in recipe.weights.items():
        value = components[name]
        term = recipe.scale * weight / total * (recipe.neutral if value is None else value)
        score += min(term, 0.10) if name == "collaborative" else term
        confidence += weight / total if value is not None else 0
    return min(max(score, 0.0), 1.0), confidence


@pytest.mark.parametrize(
    "recipe",
    [MARKETPLACE, MATCH, replace(MATCH, name="levelled", scale=1.5, base=-0.2)],
    ids=lambda recipe: recipe.name,
)
def test_scores_can_be_recomputed_from_the_stored_components(market: Market, recipe: Recipe) -> None:
    feeds = rank(market, replace(SETTINGS, recipes={recipe.name: recipe}, default_recipe=recipe.name))
    checked = 0
    for item in items(feeds).drop_nulls("components").iter_rows(named=True):
        score, confidence = _recomputed(item["components"], recipe)
        assert item["score"] == pytest.approx(score, abs=1e-6)
        assert item["confidence"] == pytest.approx(confidence, abs=1e-6)
        checked += 1
    assert checked > 300


def test_what_was_drawn_far_down_can_be_scored_again(market: Market) -> None:
    recipe = learned_recipe({"skills": 0.6, "recency": 0.4}, neutral=0.5, diversity=0.05)
    feeds = rank(market, replace(SETTINGS, recipes={recipe.name: recipe}, default_recipe=recipe.name))
    explored = items(feeds).filter("explored")
    assert len(explored) > 50 and explored["rank"].to_numpy().min() > SETTINGS.component_items
    for item in explored.iter_rows(named=True):
        assert item["score"] == pytest.approx(_recomputed(item["components"], recipe)[0], abs=1e-6)


def test_every_shard_and_thread_count_gives_the_same_feeds(market: Market, feeds: pl.DataFrame) -> None:
    assert rank(market, replace(SETTINGS, n_threads=3)).equals(feeds)
    some = feeds["user_id"].gather_every(2).to_list()
    assert rank(without_users(market, some)).equals(feeds.filter(~pl.col("user_id").is_in(some)))


def test_the_seed_changes_only_what_explores(market: Market, feeds: pl.DataFrame) -> None:
    other = rank(market, replace(SETTINGS, seed=8))
    exploited = [items(made).filter(~pl.col("explored")).select("user_id", "job_id").rows() for made in (feeds, other)]
    assert exploited[0] == exploited[1]
    assert not other.equals(feeds)


def test_a_user_without_profile_and_history_gets_no_feed(market: Market, feeds: pl.DataFrame) -> None:
    with_events = market.interactions.filter(pl.col("n_views") > 0)["user_id"].unique().to_list()
    for user in market.profiles.iter_rows(named=True):
        expected = None
        if user["has_profile"]:
            expected = "profile"
        if user["user_id"] in with_events:
            without = "segment" if user["country"] else "global"
            expected = "personal" if user["personalization_enabled"] else expected or without
        row = feeds.filter(pl.col("user_id") == user["user_id"])
        assert (row["source"].item() if len(row) else None) == expected


def test_behaviour_is_not_used_after_an_opt_out(market: Market) -> None:
    off = replace(market, profiles=market.profiles.with_columns(personalization_enabled=pl.lit(False)))
    listed = items(rank(off))
    components = listed.drop_nulls("components")["components"].struct.unnest()
    for name in ("collaborative", "neighbours", "also_applied", "affinity"):
        assert components[name].null_count() == len(components)
    codes = listed["reasons"].explode().struct.field("code").unique().to_list()
    assert not [c for c in codes if c.startswith("similar_to") or c in ("also_applied", "neighbours", "company")]


def test_similar_jobs_are_of_one_role_with_a_common_skill_or_nearly_the_same(market: Market) -> None:
    rng, vectors = np.random.default_rng(3), market.fitted.job_vectors
    n, width = vectors.vectors.shape
    trades = rng.normal(size=(4, width))[rng.integers(0, 4, n)] + rng.uniform(0.2, 0.8, (n, 1)) * rng.normal(
        size=(n, width)
    )
    near = replace(vectors, vectors=unit_rows(trades.astype(np.float32)))
    feeds = rank(replace(market, fitted=replace(market.fitted, job_vectors=near)))
    reasons = items(feeds).select("job_id", "reasons").explode("reasons").unnest("reasons")
    similar = reasons.filter(pl.col("code").str.starts_with("similar_to"))
    named = market.jobs.select("job_id", "skills", roles="professional_roles")
    pairs = similar.join(named, on="job_id").join(named, left_on="ref", right_on="job_id", suffix="_of_past")
    shares = [
        np.array([len({*one} & {*other}) / max(1, min(len({*one}), len({*other}))) for one, other in both.iter_rows()])
        for both in (pairs.select(name, f"{name}_of_past") for name in ("roles", "skills"))
    ]
    cosine = pairs["value"].to_numpy().astype(np.float64) + 1e-6
    assert len(pairs) and reads_as_similar(cosine, role_share=shares[0], skill_share=shares[1]).all()
    assert (cosine < OF_ANY).any()


def test_viewed_jobs_are_marked(market: Market, feeds: pl.DataFrame) -> None:
    seen = market.interactions.filter("is_seen").select("user_id", "job_id", expected=True)
    representative = market.jobs.select("job_id", "duplicate_of")
    direct = items(feeds).join(seen, on=["user_id", "job_id"], how="left").join(representative, on="job_id")
    assert direct.filter(pl.col("expected") & ~pl.col("seen")).is_empty()
    assert direct["seen"].any()


def test_a_blocked_company_stays_away_whatever_its_legal_form_and_id(market: Market) -> None:
    blocked = market.profiles.with_columns(names=pl.lit(["Ромашка"], pl.List(pl.String))).select(
        blocked_company_keys(pl.col("names"))
    )["names"]
    jobs = market.jobs.with_columns(company=pl.lit("ООО «Ромашка»"), company_id=pl.lit("1740"))
    feeds = rank(replace(market, jobs=jobs, profiles=market.profiles.with_columns(blocked_companies=blocked)))
    assert feeds["items"].list.len().max() == 0


def test_an_applicant_to_half_the_market_still_gets_a_full_list() -> None:
    market = make_market(2, n_jobs=220, n_users=6, n_companies=60)
    jobs = market.jobs.filter(pl.col("status") == "open")["job_id"].gather_every(2)
    applied = market.interactions.head(1).drop("job_id").join(jobs.to_frame(), how="cross")
    applied = applied.with_columns(user_id=pl.lit("user-0001"), is_applied=pl.lit(True), n_applies=pl.lit(1))
    others = market.interactions.filter(pl.col("user_id") != "user-0001")
    profiles = market.profiles.with_columns(
        blocked_companies=pl.lit([], pl.List(pl.String)), blocked_tags=pl.lit([], pl.List(pl.String))
    )
    heavy = replace(market, interactions=pl.concat([others, applied.select(others.columns)]), profiles=profiles)
    feed = rank(heavy).filter(pl.col("user_id") == "user-0001")
    assert feed["items"].list.len().item() == SETTINGS.feed_items


def test_each_arm_ranks_by_its_recipe(market: Market) -> None:
    arms = (Arm("control", 0.5, "marketplace"), Arm("treated", 0.5, "match"))
    feeds = rank(market, replace(SETTINGS, arms=arms, salt="s"))
    assert set(feeds.select("arm", "recipe").unique().rows()) == {("control", "marketplace"), ("treated", "match")}
    recipes = {"marketplace": MARKETPLACE, "match": MATCH}
    for item in items(feeds).drop_nulls("components").iter_rows(named=True):
        assert item["score"] == pytest.approx(_recomputed(item["components"], recipes[item["recipe"]])[0], abs=1e-6)


def test_a_new_job_can_be_recommended_at_once(market: Market) -> None:
    """Jobs that no model knows yet stand in feeds too."""
    unknown = market.jobs.filter(~pl.col("job_id").is_in(market.fitted.job_vectors.job_ids.implode()))
    listed = set(items(rank(market))["job_id"])
    assert listed & set(unknown["job_id"])


def test_no_jobs_and_no_users_are_no_error(market: Market) -> None:
    empty = rank(replace(market, jobs=market.jobs.with_columns(status=pl.lit("closed"))))
    assert (empty["items"].list.len() == 0).all()
    assert rank(without_users(market, market.profiles["user_id"].to_list())).is_empty()


def test_a_cap_that_cannot_be_kept_ends_the_list() -> None:
    market = make_market(3, n_jobs=60, n_users=8, n_companies=2)
    known = replace(market, jobs=market.jobs.with_columns(company=pl.lit("One"), company_id=pl.lit("c-one")))
    made: Settings = replace(SETTINGS, company_cap=CompanyCap(most=3, top=20))
    assert rank(known, made)["items"].list.len().max() == 3


def test_the_rows_hold_the_instant_of_the_run(feeds: pl.DataFrame) -> None:
    assert feeds["generated_at"].unique().to_list() == [AS_OF]
    assert feeds["user_id"].is_sorted()
    assert feeds["arm"].unique().to_list() == ["default"]


def test_seconds_are_counted_per_stage(market: Market) -> None:
    made = encode(market)
    ticks = iter(range(1000))
    feeds, timings = rank_batch(made.context, made.batch, now=lambda: float(next(ticks)))
    assert set(timings.seconds) == {"retrieval", "scoring", "diversity and exploration", "reasons and rows"}
    assert sum(timings.n_found_by.values()) >= len(items(feeds))


def _without_companies(market: Market) -> Market:
    """The market in which no company is known: no cap then ends a list."""
    unknown = pl.lit(None, pl.String)
    nothing = pl.lit([], pl.List(pl.String))
    return replace(
        market,
        jobs=market.jobs.with_columns(company=unknown, company_id=unknown),
        profiles=market.profiles.with_columns(blocked_companies=nothing),
    )


@_PROPERTY
@given(_MARKETS, st.floats(0, 1))
def test_every_list_is_as_long_as_there_are_jobs_left(market: Market, share: float) -> None:
    """Whatever share of the market a user has applied to: what may be shown is shown, up to the length of a feed."""
    market = _without_companies(market)
    jobs = market.jobs["job_id"]
    user = market.profiles["user_id"][0]
    applied = INTERACTIONS.conform(
        pl.DataFrame({"user_id": user, "job_id": jobs.head(round(share * len(jobs)))}).with_columns(
            is_applied=pl.lit(True), n_applies=pl.lit(1), last_at=pl.lit(AS_OF)
        )
    )
    others = market.interactions.filter(pl.col("user_id") != user)
    market = replace(market, interactions=pl.concat([others, applied]))
    made = encode(market)
    forbidden = made.whole_block().forbidden
    n_allowed = dict(zip(made.users.ids, made.jobs.n - np.diff(forbidden.indptr), strict=True))
    for row in rank_batch(made.context, made.batch, now=lambda: 0.0)[0].iter_rows(named=True):
        assert len(row["items"]) == min(SETTINGS.feed_items, n_allowed[row["user_id"]])


@_PROPERTY
@given(_MARKETS, st.sampled_from([0.0, 0.1, 0.3]))
def test_the_share_that_explores_is_kept_and_so_are_its_probabilities(market: Market, share: float) -> None:
    recipe = replace(MARKETPLACE, exploration_share=share)
    feeds = rank(market, replace(SETTINGS, recipes={"marketplace": recipe, "match": MATCH}))
    for listed in feeds["items"].to_list():
        explored = [item for item in listed if item["explored"]]
        assert len(explored) <= int(share * len(listed) + 0.5)
        sizes = {round(1 / item["propensity"], 3) for item in explored}
        # One set to draw from, of a whole number of jobs, not smaller than the slots that it fills.
        assert len(sizes) <= 1 and all(abs(size - round(size)) < 0.01 and size >= len(explored) for size in sizes)
        assert all(item["propensity"] == 1 for item in listed if not item["explored"])


def test_the_lists_by_recipe_are_those_that_each_recipe_ranks(market: Market) -> None:
    encoded = encode(market)
    recipes = list(SETTINGS.recipes.values())
    found = rank_by_recipe(encoded.context, encoded.batch, recipes)
    for recipe in recipes:
        feeds = rank(market, replace(SETTINGS, default_recipe=recipe.name, arms=()))
        ids, users = encoded.context.jobs.ids, encoded.batch.users.ids.to_list()
        for user in feeds.iter_rows(named=True):
            row = users.index(user["user_id"])
            job, score = found[recipe.name].job[row], found[recipe.name].score[row]
            assert ids.gather(job[job >= 0]).to_list() == [item["job_id"] for item in user["items"]]
            assert score[job >= 0] == pytest.approx([item["score"] for item in user["items"]], abs=1e-6)
