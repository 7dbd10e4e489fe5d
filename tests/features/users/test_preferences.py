import datetime as dt
import math

import polars as pl
import pytest

from features.schemas.catalog import INTERACTIONS, USERS
from features.schemas.features import PREFERENCES
from features.users.preferences import job_values, preferences, title_rarities
from tests.factories import AS_OF, jobs


def interactions(*rows):
    made = [
        {
            "user_id": "u",
            "n_clicks": 0,
            "n_dismissals": 0,
            "n_not_relevant": 0,
            "is_saved": False,
            "is_applied": False,
            "last_at": AS_OF - dt.timedelta(days=1),
            **row,
        }
        for row in rows
    ]
    return INTERACTIONS.conform(pl.DataFrame(made, infer_schema_length=None)).lazy()


def learned(*rows, catalog=None, users=None):
    catalog = jobs() if catalog is None else catalog
    users = USERS.empty() if users is None else users
    words = title_rarities(catalog.lazy())
    table = preferences(interactions(*rows), catalog.lazy(), users.lazy(), words=words, as_of=AS_OF)
    PREFERENCES.validate(table)
    return {(row["user_id"], row["dimension"], row["value"]): row for row in table.iter_rows(named=True)}


def test_an_application_a_save_and_a_click_add_up():
    got = learned(
        {"job_id": "hh:1", "is_applied": True, "is_saved": True, "n_clicks": 9}, {"job_id": "hh:5", "n_clicks": 1}
    )
    company = got[("u", "company", "hh:c1")]
    assert company["affinity"] == pytest.approx(math.tanh(1.4 + 0.3), abs=1e-6)
    assert company["n"] == 2
    assert company["confidence"] == pytest.approx(2 / 7, abs=1e-6)
    assert got[("u", "city", "Almaty")]["n"] == 2


def test_dismissals_and_negative_feedback_are_disliked():
    got = learned({"job_id": "hh:2", "n_dismissals": 3, "n_not_relevant": 1})
    assert got[("u", "company", "hh:c2")]["affinity"] == pytest.approx(math.tanh(-0.6), abs=1e-6)


def test_a_like_and_a_dislike_of_equal_size_leave_nothing():
    got = learned({"job_id": "hh:1", "n_clicks": 1}, {"job_id": "hh:5", "n_dismissals": 1})
    assert ("u", "company", "hh:c1") not in got


def test_rare_words_of_titles_weigh_more_than_common_ones():
    catalog = jobs(
        [{"job_id": "hh:1", "title": "Senior Rust Developer"}, {"job_id": "hh:3", "title": "The C++ Developer 2"}]
    )
    got = learned({"job_id": "hh:1", "is_applied": True}, catalog=catalog)
    assert got[("u", "keyword", "rust")]["affinity"] == pytest.approx(math.tanh(0.7), abs=1e-6)
    common = math.log(1 + 8 / 2) / math.log(9)
    assert got[("u", "keyword", "developer")]["affinity"] == pytest.approx(math.tanh(0.7 * common), abs=1e-6)
    words = job_values(catalog.lazy()).filter((pl.col("job_id") == "hh:3") & (pl.col("dimension") == "keyword"))
    assert sorted(words["value"]) == ["c++", "developer"]


def test_users_who_opted_out_have_no_preferences():
    users = USERS.conform(pl.DataFrame({"user_id": ["u"], "personalization_enabled": [False]}))
    assert learned({"job_id": "hh:1", "is_applied": True}, users=users) == {}


def test_the_future_is_not_known():
    assert learned({"job_id": "hh:1", "is_applied": True, "last_at": AS_OF + dt.timedelta(hours=1)}) == {}


def test_at_most_twenty_values_of_a_dimension_stay():
    skills = [f"skill {i:02}" for i in range(40)]
    got = learned(
        {"job_id": "hh:1", "is_applied": True},
        {"job_id": "hh:2", "is_applied": True},
        catalog=jobs([{"job_id": "hh:1", "skills": skills}, {"job_id": "hh:2", "skills": skills[35:]}]),
    )
    kept = sorted(value for _, dimension, value in got if dimension == "skill")
    assert len(kept) == 20
    assert kept[-5:] == skills[35:]
    assert all(-1 <= row["affinity"] <= 1 and 0 < row["confidence"] < 1 for row in got.values())


def test_the_order_of_the_rows_changes_nothing():
    rows = [{"job_id": f"hh:{i}", "user_id": f"u{i % 3}", "n_clicks": 1} for i in range(1, 9)]
    assert learned(*rows) == learned(*reversed(rows))
