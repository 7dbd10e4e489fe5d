import math
from dataclasses import replace

import polars as pl
import pytest

from models.explanations.score_breakdown import contributions, explain_pair
from models.ranking.retrieval import RETRIEVERS, build_block, retrieve
from models.ranking.settings import Recipe
from tests.models.ranking.world import encode, items, make_market, rank


def test_the_score_of_a_listed_job_is_explained_in_points() -> None:
    market = make_market(1)
    made = encode(market)
    for item in items(rank(market)).head(15).iter_rows(named=True):
        user = made.users.ids.to_list().index(item["user_id"])
        why = explain_pair(made.context, made.batch, user=user, job_id=item["job_id"])
        assert why.score == pytest.approx(item["score"], abs=1e-6)
        assert sum(part.points for part in why.contributions) == pytest.approx(100 * item["score"], abs=1e-4)
        assert why.found_by and not why.is_ruled_out
        if not item["explored"]:
            given = [(reason["code"], reason["ref"], reason["value"]) for reason in item["reasons"]]
            assert list(why.reasons) == given


def test_a_job_that_was_applied_to_is_ruled_out_yet_scored() -> None:
    market = make_market(1)
    made = encode(market)
    user, job = (int(values[0]) for values in made.batch.ended.nonzero())
    why = explain_pair(made.context, made.batch, user=user, job_id=made.jobs.ids[job])
    assert why.is_ruled_out and not why.found_by and why.score is not None


def test_a_job_without_an_open_representative_has_no_score() -> None:
    made = encode(make_market(1))
    why = explain_pair(made.context, made.batch, user=0, job_id="file:unknown")
    assert why.score is None and why.representative is None


def test_an_open_job_names_the_retrievers_that_proposed_it_if_any() -> None:
    made = encode(make_market(1, n_jobs=260))
    found = retrieve(build_block(made.context, made.batch, slice(0, 3)))
    for user in range(3):
        asked = [explain_pair(made.context, made.batch, user=user, job_id=job) for job in made.jobs.ids[:40]]
        for why in asked:
            row = int(made.jobs.rows_of(pl.Series([why.job_id]))[0])
            bits = found.found_by[user][found.jobs[user] == row]
            assert why.found_by == tuple(
                name for bit, name in enumerate(RETRIEVERS) if len(bits) and (int(bits[0]) >> bit) & 1
            )
            assert (why.place is None) == (why.found_by == ())
            assert why.n_candidates == (found.jobs[user] >= 0).sum()
        assert {bool(why.found_by) for why in asked} == {True, False}


def test_places_order_candidates_by_score() -> None:
    made = encode(make_market(1))
    asked = [explain_pair(made.context, made.batch, user=0, job_id=job) for job in made.jobs.ids]
    placed = sorted((why.place, -why.score) for why in asked if why.place is not None and why.score is not None)
    assert placed[0][0] == 1
    assert [score for _, score in placed] == sorted(score for _, score in placed)


def test_points_are_weight_times_value_with_neutral_and_cap() -> None:
    recipe = Recipe("r", {"tags": 2.0, "collaborative": 1.0, "salary": 1.0}, neutral=0.4)
    parts = contributions(recipe, {"tags": 0.5, "collaborative": 0.9, "salary": math.nan})
    assert [(part.component, part.value, part.is_capped) for part in parts] == [
        ("tags", 0.5, False),
        ("collaborative", 0.9, True),
        ("salary", None, False),
    ]
    assert [part.points for part in parts] == pytest.approx([25.0, 10.0, 10.0])


def test_points_of_a_levelled_recipe_make_its_score_with_the_base() -> None:
    made = encode(make_market(1))
    recipe = Recipe("r", {"tags": 2.0, "recency": 1.0}, scale=1.5, base=-0.1)
    batch = replace(made.batch, recipes=[recipe] * len(made.batch.recipes))
    found = explain_pair(made.context, batch, user=0, job_id=made.jobs.ids[0])
    assert found.score is not None and 0 < found.score < 1
    total = found.base + sum(part.points for part in found.contributions) / 100
    assert total == pytest.approx(found.score)
