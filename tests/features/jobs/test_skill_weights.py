import math

import polars as pl
import pytest

from features.jobs.skill_weights import skill_weights
from features.schemas.features import SKILL_WEIGHTS
from tests.factories import jobs


def test_rarer_skills_weigh_more_and_the_rarest_weighs_one():
    catalog = jobs(
        [
            {"job_id": "hh:1", "skills": ["Rust", "Rust", "SQL"]},
            {"job_id": "hh:2", "skills": ["Closed only"], "status": "closed"},
            {"job_id": "hh:3", "skills": ["Copy only"], "duplicate_of": "hh:4"},
        ]
    )
    table = skill_weights(catalog.lazy())
    SKILL_WEIGHTS.validate(table)
    assert table.select("skill", "n_jobs").rows() == [("Python", 5), ("Rust", 1), ("SQL", 6)]
    assert table["rarity"].to_list() == pytest.approx(
        [math.log(1 + 6 / 5) / math.log(7), 1.0, math.log(2) / math.log(7)], abs=1e-6
    )


def test_a_catalog_without_open_jobs_gives_no_weights():
    assert skill_weights(jobs().clear().lazy()).is_empty()


def test_a_single_job_makes_its_skills_rare():
    only = jobs().head(1).lazy()
    assert skill_weights(only)["rarity"].to_list() == [1.0, 1.0]


def test_the_order_of_the_jobs_changes_nothing():
    catalog = jobs()
    assert skill_weights(catalog.lazy()).equals(skill_weights(catalog.reverse().lazy()))
    assert isinstance(skill_weights(catalog.lazy()), pl.DataFrame)
