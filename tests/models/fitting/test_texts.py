import datetime as dt

import polars as pl

from features.schemas.features import USER_PROFILES
from models.fitting.texts import commonest_texts, distinct_texts, job_texts, user_texts
from tests.factories import AS_OF, jobs

ABOUT = "About us: we build bridges for people who cross rivers every day and like it."


def test_a_job_is_its_title_and_skills_or_the_start_of_its_description() -> None:
    frame = jobs(
        [
            {"job_id": "hh:1", "title": "  Head \n of\tsales ", "skills": ["Sales", "Sales", " CRM "]},
            {"job_id": "hh:2", "skills": [], "description": "word " * 100},
        ]
    )
    texts = {row["job_id"]: row for row in job_texts(frame, max_characters=50).to_dicts()}
    assert texts["hh:1"]["title"] == "Head of sales"
    assert texts["hh:1"]["skills"] == ["Sales", "CRM"]
    assert texts["hh:1"]["extract"] is None
    assert texts["hh:2"]["extract"] == ("word " * 10).strip()


def test_all_jobs_of_a_company_share_the_description_in_its_newest_posting() -> None:
    old, new = ABOUT.replace("bridges", "ferries"), ABOUT
    frame = jobs(
        [
            {"job_id": "hh:1", "company_id": "c", "description": old, "published_at": AS_OF - dt.timedelta(days=9)},
            {"job_id": "hh:2", "company_id": "c", "description": new, "published_at": AS_OF},
            {"job_id": "hh:3", "company_id": "c", "description": None},
            {"job_id": "hh:4", "company_id": None, "company": None, "description": new},
        ]
    )
    abouts = dict(job_texts(frame, max_characters=200).select("job_id", "about").iter_rows())
    assert abouts["hh:1"] == abouts["hh:2"] == abouts["hh:3"]
    assert "bridges" in abouts["hh:1"]
    assert abouts["hh:4"] is None


def test_texts_of_jobs_keep_the_order_of_the_jobs() -> None:
    frame = jobs().reverse()
    assert job_texts(frame, max_characters=100)["job_id"].equals(frame["job_id"])


def test_a_users_texts_are_cleaned_and_empty_ones_are_null() -> None:
    profiles = USER_PROFILES.conform(
        pl.DataFrame({"user_id": ["a"], "roles": [["head_nurse", " "]], "skills": [None], "summary": [" \n "]})
    )
    assert user_texts(profiles, max_characters=100).to_dicts() == [
        {"user_id": "a", "roles": ["head nurse"], "skills": None, "summary": None}
    ]


def test_distinct_texts_flatten_lists_and_leave_nulls_out() -> None:
    made = distinct_texts(pl.Series(["b", None]), pl.Series([["a", "b"], None, []]))
    assert made.to_list() == ["a", "b"]


def test_of_too_many_texts_the_most_frequent_are_kept() -> None:
    texts = pl.Series(["c", "b", None, "c", "a", "d", "b", "c"])
    assert commonest_texts(texts, most=3).to_list() == ["a", "b", "c"]
    assert commonest_texts(texts, most=9).to_list() == ["a", "b", "c", "d"]
    assert commonest_texts(texts, most=0).to_list() == []
