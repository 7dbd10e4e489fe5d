"""Values of recipes from logged explorations, against the planted truth of a simulation."""

import numpy as np
import polars as pl
import pytest

from features.schemas.insight import EXPOSURES, POLICY_VALUES
from models.evaluation.explored_slots import policy_values
from models.ranking.settings import Recipe
from serving.contract.tables import COMPONENTS

RECIPES = [Recipe("skilled", {"skills": 1.0}), Recipe("new", {"recency": 1.0}), Recipe("paid", {"salary": 1.0})]


def drawn(job_id, *, propensity=0.1, **components):
    known = {**dict.fromkeys(COMPONENTS), **components}
    return {"job_id": job_id, "propensity": propensity, "components": known}


def reactions(rows):
    schema = {name: EXPOSURES.columns[name] for name in ("user_id", "job_id", "surface", "explored", "drawn")}
    schema |= {"is_clicked": pl.Boolean, "is_applied": pl.Boolean}
    return pl.DataFrame([{"surface": "feed", "explored": True, **row} for row in rows], schema=schema)


def log(n_users, seed):
    """Each user saw one of two drawn jobs; clicks follow skills. Returns the log and the true CTR per recipe."""
    rng = np.random.default_rng(seed)
    values = rng.random((n_users, 2, 2)).round(4)  # user, job, (skills, recency)
    chance = 0.1 + 0.5 * values[:, :, 0]
    shown = rng.integers(0, 2, n_users)
    clicks = rng.random(n_users) < chance[np.arange(n_users), shown]
    rows = [
        {
            "user_id": f"u{n}",
            "job_id": f"j{shown[n]}",
            "drawn": [drawn(f"j{j}", skills=values[n, j, 0], recency=values[n, j, 1]) for j in range(2)],
            "is_clicked": bool(clicks[n]),
            "is_applied": False,
        }
        for n in range(n_users)
    ]
    best = values.argmax(axis=1)
    truth = {name: chance[np.arange(n_users), best[:, k]].mean() for k, name in enumerate(("skilled", "new"))}
    return reactions(rows), truth | {"paid": chance.mean()}


def test_both_estimators_find_the_planted_value_of_every_recipe():
    logged, truth = log(6_000, seed=3)
    table = policy_values(logged, RECIPES)
    POLICY_VALUES.validate(table)
    assert table.height == 2 * 2 * len(RECIPES)
    for row in table.filter(metric="ctr").iter_rows(named=True):
        assert row["value"] == pytest.approx(truth[row["recipe"]], rel=0.05)
        assert row["lower"] < truth[row["recipe"]] < row["upper"]
        assert row["n"] == 6_000
    assert table.filter(metric="apply_rate")["value"].to_list() == [0.0] * 6


def test_a_recipe_that_knows_nothing_of_the_jobs_has_the_mean_reward():
    logged, _ = log(500, seed=4)
    row = policy_values(logged, RECIPES).filter(metric="ctr", recipe="paid", estimator="snips").row(0, named=True)
    assert row["value"] == pytest.approx(logged["is_clicked"].mean(), abs=1e-6)
    assert row["effective_n"] == 500


def test_positions_without_a_choice_or_without_their_job_say_nothing():
    alone = [drawn("j", skills=0.5)]
    several = [*alone, drawn("k", skills=0.1)]
    acted = {"user_id": "u", "is_clicked": True, "is_applied": False}
    rows = [
        {**acted, "job_id": "j", "drawn": alone},
        {**acted, "job_id": "gone", "drawn": several},
        {**acted, "job_id": "j", "drawn": None},
        {**acted, "job_id": "j", "drawn": several, "explored": False},
    ]
    assert policy_values(reactions(rows), RECIPES).is_empty()
    POLICY_VALUES.validate(policy_values(reactions([]), RECIPES))
