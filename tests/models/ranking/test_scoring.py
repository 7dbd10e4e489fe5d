from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.components import REMOTE_OK
from models.arrays import names_at
from models.ranking.job_arrays import csr_from_lists
from models.ranking.scoring import component_values, score_pairs
from models.ranking.settings import Recipe
from serving.contract.tables import COMPONENTS
from tests.models.ranking.world import encode, make_market

_NO_ROWS = np.zeros(1, dtype=np.int32)


def _one(values: dict[str, float], recipe: Recipe) -> tuple[float, float]:
    arrays = {name: np.array([[value]], dtype=np.float32) for name, value in values.items()}
    scored = score_pairs(arrays, [recipe], _NO_ROWS)
    return float(scored.score[0, 0]), float(scored.confidence[0, 0])


def test_weights_are_normalised() -> None:
    recipe = Recipe("r", {"location": 2, "tags": 6})
    assert _one({"location": 1.0, "tags": 0.5}, recipe) == pytest.approx((0.25 + 0.375, 1))


def test_an_unknown_component_is_neutral_and_lowers_confidence() -> None:
    recipe = Recipe("r", {"location": 1, "tags": 3}, neutral=0.4)
    assert _one({"location": 1.0, "tags": np.nan}, recipe) == pytest.approx((0.25 + 0.75 * 0.4, 0.25))


def test_the_collaborative_boost_is_at_most_ten_points() -> None:
    recipe = Recipe("r", {"collaborative": 1, "tags": 1})
    assert _one({"collaborative": 1.0, "tags": 0.0}, recipe)[0] == pytest.approx(0.10)
    assert _one({"collaborative": 0.1, "tags": 0.0}, recipe)[0] == pytest.approx(0.05)


def test_a_recipe_may_set_or_lift_the_cap_of_the_collaborative_boost() -> None:
    recipe = Recipe("r", {"collaborative": 1, "tags": 1}, collaborative_cap=None)
    assert _one({"collaborative": 1.0, "tags": 0.0}, recipe)[0] == pytest.approx(0.5)
    assert _one({"collaborative": 1.0, "tags": 0.0}, replace(recipe, collaborative_cap=0.2))[0] == pytest.approx(0.2)


def test_the_level_of_a_recipe_moves_scores_but_no_confidence() -> None:
    recipe = Recipe("r", {"location": 1, "tags": 3}, neutral=0.4, scale=1.6, base=-0.3)
    assert _one({"location": 1.0, "tags": np.nan}, recipe) == pytest.approx((1.6 * (0.25 + 0.75 * 0.4) - 0.3, 0.25))
    assert _one({"location": 0.0, "tags": 0.0}, recipe) == pytest.approx((0, 1))
    assert _one({"location": 1.0, "tags": 1.0}, recipe) == pytest.approx((1, 1))


def test_each_user_is_scored_by_their_own_recipe() -> None:
    values = {"tags": np.array([[1.0], [1.0]]), "salary": np.array([[0.0], [0.0]])}
    recipes = [Recipe("a", {"tags": 1}), Recipe("b", {"salary": 1})]
    scored = score_pairs(values, recipes, np.array([1, 0], dtype=np.int32))
    assert scored.score.tolist() == [[0.0], [1.0]]


def test_a_skill_of_unknown_level_counts_by_its_rarity_alone() -> None:
    skills, levels = pl.Series([["a", "b"]]), pl.Series([[None, 0.4]], dtype=pl.List(pl.Float32))
    np.testing.assert_allclose(csr_from_lists(skills, pl.Series(["a", "b"]), levels).toarray(), [[1.0, 0.4]])


def test_a_city_of_the_same_name_abroad_is_another_city() -> None:
    market = make_market(6, n_jobs=30, n_users=12)
    swapped = pl.col("country").replace_strict({"RU": "DE", "DE": "RU"}, default=None)
    elsewhere = market.jobs.with_columns(country=swapped, locations=pl.lit(None, market.jobs.schema["locations"]))
    made = encode(replace(market, jobs=elsewhere))
    pairs = made.all_pairs()
    job = pairs.job
    is_namesake = (made.users.city[:, None] == made.jobs.city[job]) & (made.users.country[:, None] >= 0)
    is_namesake &= made.jobs.country[job] >= 0
    is_remote = (made.jobs.is_remote[job] == 1) & (made.users.remote[:, None] >= REMOTE_OK)
    assert (is_namesake & ~is_remote).any() and not pairs.is_same_city[is_namesake].any()
    match = component_values(["location_match"], pairs)["location_match"]
    assert (match[is_namesake & ~is_remote] == 0).all()


def test_any_place_of_a_job_counts() -> None:
    market = make_market(6, n_jobs=30, n_users=12)
    kazan = {"city": "Kazan", "region": None, "country": "RU", "latitude": 55.79, "longitude": 49.12}
    berlin = {"city": "Berlin", "region": None, "country": "DE", "latitude": 52.52, "longitude": 13.4}
    places = pl.Series("locations", [[kazan, berlin]] * 30, dtype=market.jobs.schema["locations"])
    own = [pl.lit(value, market.jobs.schema[name]).alias(name) for name, value in kazan.items()]
    first = market.jobs.with_columns(*own, places)
    made = encode(replace(market, jobs=first))
    pairs = made.all_pairs()
    city = names_at(made.jobs.vocabularies["city"], made.users.city).to_list()
    is_there = np.array([name in ("Kazan", "Berlin") for name in city])
    np.testing.assert_array_equal(pairs.is_same_city, np.broadcast_to(is_there[:, None], pairs.job.shape))
    has_point = is_there & ~np.isnan(made.users.latitude)
    assert (pairs.distance_km[has_point] < 1).all()
    german = np.array([name == "Berlin" for name in city])
    assert (pairs.is_same_country[german] == 1).all()


def test_components_are_rounded_before_they_are_used() -> None:
    made = encode(make_market(6, n_jobs=30, n_users=6))
    pairs = made.all_pairs()
    for name, values in component_values(COMPONENTS, pairs).items():
        assert values.dtype == np.float32, name
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1)).all(), name
        assert np.allclose(known, np.round(known.astype(np.float64), 4), atol=1e-7), name
