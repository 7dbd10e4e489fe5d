import datetime as dt

import polars as pl
import pytest

from features.jobs.companies import companies, completeness
from features.schemas.catalog import DAILY_INTERACTIONS
from features.schemas.features import COMPANIES
from tests.factories import AS_OF, jobs


def daily(counts):
    rows = [
        {"date": AS_OF.date(), "user_id": "u", "job_id": job, "last_at": AS_OF - dt.timedelta(hours=1), **counters}
        for job, counters in counts.items()
    ]
    return DAILY_INTERACTIONS.conform(pl.DataFrame(rows, infer_schema_length=None)).lazy()


NOTHING = DAILY_INTERACTIONS.empty().lazy()


def quality(table):
    return dict(table.select("company_id", "poster_quality").iter_rows())


def test_completeness_counts_eight_things():
    complete = {
        "job_id": "hh:1",
        "description": "d" * 200,
        "employment_type": "full_time",
        "career_level": "senior",
    }
    empty = {"job_id": "x", "company": "", "title": "t"}
    measured = jobs([complete, empty]).select("job_id", share=completeness())
    shares = dict(measured.iter_rows())
    assert shares["hh:1"] == 1.0
    assert shares["hh:2"] == 5 / 8
    assert shares["x"] == 1 / 8


def test_a_market_without_applications_is_neutral():
    table = companies(jobs().lazy(), NOTHING, as_of=AS_OF)
    COMPANIES.validate(table)
    assert table["n_jobs"].to_list() == [2, 2, 2, 2]
    assert table["poster_quality"].to_list() == pytest.approx([0.6 * 0.5 + 0.2 * 5 / 8 + 0.2] * 4)


def test_outcomes_are_shrunk_to_the_market():
    # Market: 20 applications of 200 trials, m = 0.1. c1: (20 + 5) / (100 + 50) = 1/6; c2: (0 + 5) / (100 + 50) = 1/30.
    shown = {
        "hh:1": {"n_impressions": 100, "n_applies": 20, "n_dismissals": 0},
        "hh:2": {"n_impressions": 90, "n_applies": 0, "n_dismissals": 10},
    }
    table = companies(jobs().lazy(), daily(shown), as_of=AS_OF)
    base = 0.2 * 5 / 8 + 0.2
    got = quality(table)
    assert got["hh:c1"] == pytest.approx(0.6 * (1 / 6) / (1 / 6 + 0.1) + base, abs=1e-6)
    assert got["hh:c2"] == pytest.approx(0.6 * (1 / 30) / (1 / 30 + 0.1) + base, abs=1e-6)
    assert got["hh:c3"] == pytest.approx(0.6 * 0.5 + base, abs=1e-6)


def test_only_a_copy_of_the_same_company_in_the_same_source_is_a_repost():
    catalog = jobs(
        [
            {"job_id": "hh:5", "duplicate_of": "hh:1"},
            {"job_id": "hh:6", "duplicate_of": "hh:2", "source": "file"},
            {"job_id": "hh:7", "duplicate_of": "hh:1"},
        ]
    )
    table = companies(catalog.lazy(), NOTHING, as_of=AS_OF)
    shares = dict(table.select("company_id", "repost_share").iter_rows())
    assert shares == {"hh:c0": 0.0, "hh:c1": 0.5, "hh:c2": 0.0, "hh:c3": 0.0}


def test_jobs_that_name_no_company_make_none():
    catalog = jobs([{"job_id": "x", "company": None, "company_id": None}])
    assert companies(catalog.lazy(), NOTHING, as_of=AS_OF).height == 4
    assert companies(catalog.clear().lazy(), NOTHING, as_of=AS_OF).is_empty()
