"""A source's posting becomes a clean, typed version of a job."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.jobs.postings import Vocabulary, normalise
from features.schemas.bronze import POSTINGS
from features.schemas.catalog import CAREER_LEVELS, EMPLOYMENT_TYPES, JOB_VERSIONS, SALARY_PERIODS, WORK_FORMATS

AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
VOCABULARY = Vocabulary.load(Path(__file__).resolve().parents[3] / "data" / "vocabulary")


def _normalise(*rows: dict[str, Any]) -> pl.DataFrame:
    made = [
        {"job_id": f"x:{i}", "source": "x", "source_id": f"{i}", "seen_at": AT, "content_hash": "h", **row}
        for i, row in enumerate(rows)
    ]
    frame = POSTINGS.conform(pl.DataFrame(made, schema_overrides=dict(POSTINGS.columns), infer_schema_length=None))
    result = normalise(frame, vocabulary=VOCABULARY, normaliser="v")
    JOB_VERSIONS.validate(result)
    return result


def _one(**row: Any) -> dict[str, Any]:
    return _normalise(row).row(0, named=True)


def test_an_old_hh_vacancy_comes_out_typed() -> None:
    job = _one(
        title="Senior Python-разработчик",
        company=" ООО «Ромашка» ",
        company_id="hh:17",
        description="<p>Ищем разработчика. Нужны <b>Django</b> и PostgreSQL.</p><script>x</script>",
        area_id="160",
        city="Алматы",
        work_format="remote",
        employment_type="full",
        experience="between3And6",
        salary_min=900_000.0,
        salary_currency="KZT",
        salary_period="month",
        skills=["python", "Unheard-of skill"],
        professional_roles=["Программист, разработчик"],
        url="https://hh.ru/vacancy/1",
    )
    assert job["description"] == "Ищем разработчика. Нужны Django и PostgreSQL."
    assert (job["company"], job["company_id"], job["language"]) == ("ООО «Ромашка»", "hh:17", "ru")
    assert (job["city"], job["country"], job["work_format"]) == ("Almaty", "KZ", "remote")
    assert (job["employment_type"], job["career_level"]) == ("full_time", "senior")
    assert (job["experience_min_years"], job["experience_max_years"]) == (3, 6)
    assert job["skills"] == ["Django", "PostgreSQL", "Python", "Unheard-of skill"]
    assert job["professional_roles"] and {"python", "django", "software development"} <= set(job["tags"])
    assert 1_000 < job["salary_monthly_usd_min"] < 3_000


def test_a_feed_entry_comes_out_typed() -> None:
    job = _one(
        title="Junior Data Analyst ($50k - $60k)",
        company="Acme, Inc.",
        description="&lt;p&gt;You will work with SQL and PostgreSQL.&lt;/p&gt;",
        location_text="Anywhere in the World",
        employment_type="Full-Time",
        tags=["#Data", " data ", ""],
        url="javascript:alert(1)",
    )
    assert (job["company_id"], job["url"], job["work_format"]) == ("name:acme", None, "remote")
    assert (job["salary_min"], job["salary_max"], job["salary_period"]) == (50_000, 60_000, "year")
    assert (job["language"], job["career_level"], job["employment_type"]) == ("en", "junior", "full_time")
    assert {"data", "sql", "postgresql"} <= set(job["tags"]) and job["tags"] == sorted(set(job["tags"]))
    assert job["is_complete"] is True and job["is_archived"] is False


def test_russian_and_english_titles_meet_in_one_role() -> None:
    jobs = _normalise({"title": "Тестировщик"}, {"title": "QA Engineer"})
    first, second = jobs["professional_roles"].to_list()
    assert set(first) & set(second)


def test_a_nameless_company_has_no_id() -> None:
    job = _one(title="Welder", company=" ", company_id=" ")
    assert (job["company"], job["company_id"]) == (None, None)


def test_a_point_off_the_globe_is_dropped() -> None:
    job = _one(title="Welder", latitude=200.0, longitude=10.0)
    assert (job["latitude"], job["longitude"]) == (None, None)
    assert _one(title="Welder", latitude=0.0, longitude=0.0)["latitude"] is None


def test_rows_keep_their_order_and_number() -> None:
    titles = [f"Job {i % 3}" for i in range(20)]
    assert _normalise(*({"title": title} for title in titles))["title"].to_list() == titles
    assert _normalise().is_empty()


_TEXT = st.one_of(st.none(), st.text(max_size=40))
_NUMBER = st.one_of(st.none(), st.floats())


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "title": st.text(min_size=1, max_size=40),
                **dict.fromkeys(
                    ("company", "description", "city", "country", "work_format", "experience", "salary_text"), _TEXT
                ),
                **dict.fromkeys(
                    ("employment_type", "career_level", "salary_currency", "salary_period", "language"), _TEXT
                ),
                **dict.fromkeys(("salary_min", "salary_max", "latitude", "longitude"), _NUMBER),
                **dict.fromkeys(
                    ("skills", "tags", "professional_roles"), st.one_of(st.none(), st.lists(_TEXT, max_size=4))
                ),
            }
        ),
        max_size=12,
    )
)
def test_whatever_a_source_says_the_values_stay_within_their_limits(rows: list[dict[str, Any]]) -> None:
    jobs = _normalise(*rows)
    allowed = {
        "work_format": WORK_FORMATS, "employment_type": EMPLOYMENT_TYPES, "career_level": CAREER_LEVELS,
        "salary_period": SALARY_PERIODS,
    }  # fmt: skip
    assert jobs.height == len(rows)
    for name, values in allowed.items():
        assert set(jobs[name].drop_nulls()) <= set(values)
    assert jobs.filter(pl.col("salary_min") > pl.col("salary_max")).is_empty()
    assert jobs.select(pl.col("skills", "tags", "professional_roles").null_count()).row(0) == (0, 0, 0)
    assert jobs.filter(~pl.col("latitude").is_between(-90, 90)).is_empty()
