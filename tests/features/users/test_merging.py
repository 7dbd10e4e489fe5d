"""User records, resumes and erasures fold into one profile per user."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.jobs.postings import Vocabulary
from features.schemas.bronze import ERASURES, RESUMES, USER_RECORDS
from features.schemas.catalog import USERS
from features.users.merging import merge_users

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
SHIPPED = Path(__file__).resolve().parents[3] / "data" / "vocabulary"


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.load(SHIPPED)


def _ago(days: float) -> dt.datetime:
    return AS_OF - dt.timedelta(days=days)


def _record(user_id: str = "u", days_ago: float = 5, **other: Any) -> dict[str, Any]:
    return {"user_id": user_id, "updated_at": _ago(days_ago), "content_hash": f"{days_ago}", **other}


def _resume(user_id: str = "u", days_ago: float = 5, **other: Any) -> dict[str, Any]:
    at = _ago(days_ago)
    return {"user_id": user_id, "parsed_at": at, "written_at": at, "content_hash": f"{days_ago}", **other}


def _fold(
    vocabulary: Vocabulary,
    records: list[dict[str, Any]],
    resumes: list[dict[str, Any]] | None = None,
    erasures: list[tuple[str, float]] | None = None,
    as_of: dt.datetime = AS_OF,
) -> pl.DataFrame:
    stated = USER_RECORDS.conform(
        pl.DataFrame(records, schema_overrides=dict(USER_RECORDS.columns), infer_schema_length=None)
    )
    read = RESUMES.conform(
        pl.DataFrame(resumes or [], schema_overrides=dict(RESUMES.columns), infer_schema_length=None)
    )
    erased = pl.DataFrame([(u, _ago(d)) for u, d in erasures or []], schema=dict(ERASURES.columns), orient="row")
    users = merge_users(stated.lazy(), read.lazy(), erased.lazy(), as_of=as_of, vocabulary=vocabulary)
    USERS.validate(users)
    return users


def _one(vocabulary: Vocabulary, *args: Any, **other: Any) -> dict[str, Any]:
    return _fold(vocabulary, *args, **other).row(0, named=True)


def test_the_newest_record_wins_and_ties_are_stable(vocabulary: Vocabulary) -> None:
    records = [_record(days_ago=9, city="Omsk"), _record(days_ago=2, city="Kazan"), _record(days_ago=4, city="Tver")]
    assert _one(vocabulary, records)["city"] == "Kazan"
    assert _one(vocabulary, records, as_of=_ago(3))["city"] == "Tver"
    assert _one(vocabulary, records, as_of=_ago(30))["city"] == "Omsk"
    twins = [_record(content_hash="a", full_name="A"), _record(content_hash="b", full_name="B")]
    assert _one(vocabulary, twins)["full_name"] == _one(vocabulary, twins[::-1])["full_name"] == "B"


def test_defaults_are_filled_in(vocabulary: Vocabulary) -> None:
    user = _one(
        vocabulary, [_record(remote="whatever", max_distance_km=-4.0, digest_hour=99, years_of_experience=900.0)]
    )
    assert (user["remote"], user["max_distance_km"], user["digest_frequency"], user["digest_hour"]) == (
        "ok",
        25,
        "none",
        9,
    )
    assert user["personalization_enabled"] and not user["has_resume"]
    assert (user["language"], user["years_of_experience"], user["skills"], user["titles"]) == ("en", None, [], [])


def test_the_resume_fills_what_was_not_stated(vocabulary: Vocabulary) -> None:
    stated = _record(
        city="Kazan",
        years_of_experience=3.0,
        desired_roles=["Tester"],
        skills=[{"name": "python", "level": "Expert", "years": 9.0}],
    )
    read = _resume(
        city="Omsk",
        country="RU",
        summary="Builds things",
        years_of_experience=8.0,
        desired_roles=["Welder"],
        skills=[{"name": "Python", "level": "beginner", "years": 1.0}, {"name": "sql", "level": None, "years": None}],
        titles=["Engineer", " ", "Engineer"],
    )
    user = _one(vocabulary, [stated], [read])
    assert (user["city"], user["years_of_experience"], user["desired_roles"]) == ("Kazan", 3.0, ["Tester"])
    assert (user["summary"], user["titles"], user["has_resume"]) == ("Builds things", ["Engineer"], True)
    assert user["skills"] == [
        {"name": "Python", "level": "expert", "years": 9.0},
        {"name": "SQL", "level": None, "years": None},
    ]


def test_a_resume_alone_makes_a_user(vocabulary: Vocabulary) -> None:
    user = _one(vocabulary, [], [_resume(full_name="R")])
    assert (user["user_id"], user["full_name"], user["updated_at"]) == ("u", "R", _ago(5))


def test_categories_become_concrete_skills(vocabulary: Vocabulary) -> None:
    user = _one(
        vocabulary,
        [_record(skill_categories=["programming"], skills=[{"name": "Python", "level": "expert", "years": None}])],
    )
    names = [skill["name"] for skill in user["skills"]]
    assert set(vocabulary.skills.expand_categories(["programming"])) <= set(names)
    assert names == sorted(names) and names.count("Python") == 1
    assert {"name": "Python", "level": "expert", "years": None} in user["skills"]


def test_places_are_resolved_in_both_languages(vocabulary: Vocabulary) -> None:
    users = _fold(vocabulary, [_record("a", city="Алматы"), _record("b", city="Almaty", country="Казахстан")])
    assert users.select("city", "country").unique().rows() == [("Almaty", "KZ")]
    assert users["latitude"].is_not_null().all()
    point = _one(vocabulary, [_record(city="Алматы", latitude=43.0, longitude=77.0)])
    assert (point["latitude"], point["longitude"]) == (43.0, 77.0)
    assert _one(vocabulary, [_record(city="Алматы", latitude=943.0, longitude=77.0)])["latitude"] != 943.0


def test_wanted_pay_is_in_monthly_dollars(vocabulary: Vocabulary) -> None:
    yearly = _record(salary_min=60_000.0, salary_currency="USD", salary_period="year")
    assert _one(vocabulary, [yearly])["salary_monthly_usd_min"] == 5_000
    assert _one(vocabulary, [_record(salary_max=3_000.0, salary_currency="USD")])["salary_monthly_usd_min"] == 3_000
    assert _one(vocabulary, [_record(salary_min=3_000.0)])["salary_monthly_usd_min"] is None


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"locale": "ru-RU"}, "ru"),
        ({"locale": "kk_KZ"}, "ru"),
        ({"locale": "en-US", "country": "RU"}, "en"),
        ({"country": "Россия"}, "ru"),
        ({"summary": "Инженер с опытом работы"}, "ru"),
        ({"summary": "Engineer with experience"}, "en"),
    ],
)
def test_language_follows_locale_then_country_then_summary(
    vocabulary: Vocabulary, stated: dict[str, str], expected: str
) -> None:
    assert _one(vocabulary, [_record(**stated)])["language"] == expected


def test_an_erasure_removes_everything_up_to_its_time(vocabulary: Vocabulary) -> None:
    records = [_record("gone"), _record("back", days_ago=9, city="Omsk"), _record("back", days_ago=1), _record("stays")]
    erasures = [("gone", 3.0), ("back", 3.0), ("back", 5.0)]
    users = _fold(vocabulary, records, [_resume("gone"), _resume("back", city="Omsk")], erasures)
    assert users["user_id"].to_list() == ["back", "stays"]
    assert users["city"].to_list() == [None, None]
    assert _fold(vocabulary, [_record("gone")], erasures=[("gone", 3.0)], as_of=_ago(4)).is_empty()


def test_a_resume_that_was_written_before_an_erasure_does_not_count_however_late_it_was_read(
    vocabulary: Vocabulary,
) -> None:
    written = {"before": _ago(4), "then": _ago(3), "unknown": None, "after": _ago(2)}
    resumes = [_resume(user_id, days_ago=1, written_at=at) for user_id, at in written.items()]
    assert _fold(vocabulary, [], resumes, [(user_id, 3.0) for user_id in written])["user_id"].to_list() == ["after"]
    assert len(_fold(vocabulary, [], resumes)) == 4


def test_the_order_of_rows_changes_nothing(vocabulary: Vocabulary) -> None:
    records = [_record(f"u{i % 4}", days_ago=i % 3, skill_categories=["design"], city="Omsk") for i in range(12)]
    assert _fold(vocabulary, records).equals(_fold(vocabulary, records[::-1]))


def test_no_users_are_no_rows(vocabulary: Vocabulary) -> None:
    assert _fold(vocabulary, []).is_empty()
