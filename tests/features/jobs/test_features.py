import datetime as dt
import math

import polars as pl
import pytest

from features.jobs.companies import companies
from features.jobs.features import job_features, skill_weights
from features.schemas.catalog import DAILY_INTERACTIONS
from features.schemas.features import JOB_FEATURES, SKILL_WEIGHTS
from tests.factories import AS_OF, jobs

NO_TRENDS = pl.DataFrame(schema={"period": pl.String, "job_id": pl.String, "score": pl.Float64})


def daily(weights):
    rows = [
        {
            "date": AS_OF.date(),
            "user_id": "u",
            "job_id": job,
            "last_at": AS_OF - dt.timedelta(hours=1),
            "n_impressions": 4,
            "n_applies": 1,
            "n_dismissals": 0,
            "weight": weight,
        }
        for job, weight in weights.items()
    ]
    return DAILY_INTERACTIONS.conform(pl.DataFrame(rows, infer_schema_length=None)).lazy()


def features(catalog, *, days=None, trends=NO_TRENDS):
    days = DAILY_INTERACTIONS.empty().lazy() if days is None else days
    posters = companies(catalog.lazy(), days, as_of=AS_OF)
    table = job_features(catalog.lazy(), daily=days, companies=posters.lazy(), trending_scores=trends, as_of=AS_OF)
    JOB_FEATURES.validate(table)
    return {row["job_id"]: row for row in table.iter_rows(named=True)}


def test_every_job_has_a_row_in_range():
    closed = {"job_id": "hh:1", "status": "closed"}
    table = features(jobs([closed, {"job_id": "x", "company_id": None}]), days=daily({"hh:2": 3, "gone:1": 9}))
    assert sorted(table) == ["hh:1", "hh:2", "hh:3", "hh:4", "hh:5", "hh:6", "hh:7", "hh:8", "x"]
    for row in table.values():
        for name in ("engagement", "trending_24h", "trending_7d", "poster_quality", "completeness"):
            assert 0 <= row[name] <= 1


def test_engagement_is_the_share_of_the_greatest_score_and_shared_by_duplicates():
    catalog = jobs([{"job_id": "hh:3", "duplicate_of": "hh:1"}])
    table = features(catalog, days=daily({"hh:1": 60, "hh:2": 10, "hh:3": 40}))
    assert table["hh:1"]["engagement_score"] == pytest.approx(10 * math.log(101), abs=1e-6)
    assert table["hh:3"]["engagement"] == table["hh:1"]["engagement"] == 1.0
    assert table["hh:3"]["n_applies"] == 2
    assert table["hh:2"]["engagement"] == pytest.approx(math.log(11) / math.log(101))
    assert table["hh:4"]["engagement"] == 0.0


def test_age_counts_from_the_first_sighting_if_that_is_earlier():
    bumped = {"job_id": "hh:1", "published_at": AS_OF, "first_seen_at": AS_OF - dt.timedelta(days=20)}
    unknown = {"job_id": "hh:3", "published_at": None, "first_seen_at": None}
    table = features(jobs([bumped, unknown]))
    assert table["hh:1"]["age_days"] == 20.0
    assert table["hh:1"]["recency"] == pytest.approx(math.exp(-2))
    assert table["hh:2"]["recency"] == pytest.approx(math.exp(-0.2))
    assert table["hh:3"]["age_days"] is None
    assert table["hh:3"]["recency"] is None


def test_trending_columns_are_shares_per_period():
    trends = pl.DataFrame({"period": ["24h", "7d", "7d"], "job_id": ["hh:1", "hh:1", "hh:2"], "score": [3.0, 4.0, 8.0]})
    table = features(jobs(), trends=trends)
    assert (table["hh:1"]["trending_24h"], table["hh:1"]["trending_7d"]) == (1.0, 0.5)
    assert (table["hh:2"]["trending_24h"], table["hh:2"]["trending_7d"]) == (0.0, 1.0)


def test_poster_quality_joins_the_company_and_the_posting():
    table = features(jobs([{"job_id": "x", "company": None, "company_id": None, "skills": ["a"]}]))
    company = 0.6 * 0.5 + 0.2 * 5 / 8 + 0.2
    assert table["hh:1"]["poster_quality"] == pytest.approx(0.75 * company + 0.25 * 5 / 8)
    nameless = 0.6 * 0.5 + 0.2 / 8 + 0.2
    assert table["x"]["poster_quality"] == pytest.approx(0.75 * nameless + 0.25 / 8)


def test_an_empty_catalog_gives_an_empty_table():
    assert features(jobs().clear()) == {}


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
