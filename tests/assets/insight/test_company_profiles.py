"""Profiles of companies against a plain computation over generated jobs."""

import datetime as dt
import statistics
from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.insight.companies import PROFILE_PARAMETERS
from assets.sql import query
from features.applications.answers import company_answers
from features.jobs.company_profiles import FACT_DAYS, company_profiles
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS, JOBS
from features.schemas.companies import COMPANY_FACTS, COMPANY_NEWS
from features.schemas.features import COMPANIES
from features.schemas.insight import COMPANY_PROFILES
from models.fitting.similar_companies import similar_companies

AS_OF = dt.datetime(2026, 3, 4, 2, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
_JOB = st.fixed_dictionaries(
    {
        "company_id": st.sampled_from(["name:acme", "hh:7", None]),
        "status": st.sampled_from(["open", "open", "closed"]),
        "age": st.integers(-1, 250),
        "skills": st.lists(st.sampled_from(["Python", "Go", "SQL"]), max_size=3),
        "professional_roles": st.lists(st.sampled_from(["dev", "qa"]), max_size=2),
        "city": st.sampled_from(["Almaty", None]),
        "country": st.sampled_from(["KZ", "DE"]),
        "work_format": st.sampled_from(["remote", "on_site", None]),
        "salary_monthly_usd_min": st.sampled_from([1000.0, 2000.0, 4000.0, None]),
        "salary_monthly_usd_max": st.sampled_from([4000.0, None]),
        "is_duplicate": st.sampled_from([False, False, False, True]),
    }
)


def jobs_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    made = [
        {
            **{name: value for name, value in row.items() if name in JOBS.columns},
            "job_id": f"j:{i}",
            "company": row["company_id"],
            "published_at": AS_OF - row["age"] * DAY,
            "duplicate_of": "j:x" if row["is_duplicate"] else None,
        }
        for i, row in enumerate(rows)
    ]
    schema = {name: kind for name, kind in JOBS.columns.items() if made and name in made[0]}
    return JOBS.conform(pl.DataFrame(made, schema=schema)) if made else JOBS.empty()


def profiles_of(
    rows: list[dict[str, Any]],
    facts: pl.DataFrame | None = None,
    news: pl.DataFrame | None = None,
    answers: pl.DataFrame | None = None,
) -> pl.DataFrame:
    companies = COMPANIES.conform(
        pl.DataFrame(
            {"company_id": ["name:acme", "hh:7"], "company": ["Acme", "Seven GmbH"], "repost_share": [0.0, 0.5]}
        )
    )
    figures = query(
        "insight/company_profiles",
        frames={"jobs": jobs_of(rows), "companies": companies},
        params={"as_of": AS_OF, **PROFILE_PARAMETERS},
    )
    table = company_profiles(
        figures,
        similar_companies(figures),
        answers
        if answers is not None
        else company_answers(APPLICATIONS.empty().lazy(), APPLICATION_EVENTS.empty().lazy(), as_of=AS_OF),
        facts=(facts if facts is not None else COMPANY_FACTS.empty()).lazy(),
        news=(news if news is not None else COMPANY_NEWS.empty()).lazy(),
        as_of=AS_OF,
    )
    COMPANY_PROFILES.validate(table)
    return table


def middle(row: dict[str, Any]) -> float | None:
    low, high = row["salary_monthly_usd_min"], row["salary_monthly_usd_max"]
    known = [value for value in (low, high) if value is not None]
    return statistics.mean(known) if known else None


def counted(values: list[Any], n_open: int) -> list[tuple[Any, int, float]]:
    ordered = sorted(Counter(value for value in values if value is not None).items(), key=lambda one: (-one[1], one[0]))
    return [(value, n, round(n / n_open, 6)) for value, n in ordered]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_JOB, max_size=30))
def test_the_figures_are_those_of_the_plain_computation(rows: list[dict[str, Any]]) -> None:
    counts = [row for row in rows if not row["is_duplicate"] and row["company_id"] and row["age"] >= 0]
    market: dict[tuple[str, str], list[float]] = {}
    for row in counts:
        pay = middle(row)
        if row["status"] == "open" and pay is not None and row["professional_roles"]:
            market.setdefault((row["professional_roles"][0], row["country"]), []).append(pay)
    found = {row["company_id"]: row for row in profiles_of(rows).to_dicts()}
    expected = {
        company for company in ("name:acme", "hh:7")
        if any(row["company_id"] == company and (row["status"] == "open" or row["age"] <= 180) for row in counts)
    }  # fmt: skip
    assert set(found) == expected
    for company, profile in found.items():
        own = [row for row in counts if row["company_id"] == company]
        opened = [row for row in own if row["status"] == "open"]
        assert (profile["n_jobs"], profile["n_open_jobs"]) == (len(own), len(opened))
        n_new, n_before = (sum(low <= row["age"] < low + 28 for row in own) for low in (0, 28))
        assert profile["change"] == (pytest.approx(n_new / n_before - 1, abs=1e-6) if n_before >= 5 else None)
        for name in ("city", "country", "work_format"):
            plural = {"city": "cities", "country": "countries", "work_format": "work_formats"}[name]
            got = [tuple(one.values()) for one in profile[plural]]
            assert got == counted([row[name] for row in opened], len(opened))
        roles = [role for row in opened for role in set(row["professional_roles"])]
        assert [tuple(one.values()) for one in profile["roles"]] == counted(roles, len(opened))
        skills = counted([skill for row in opened for skill in set(row["skills"])], len(opened))
        assert [(one["skill"], one["n_jobs"], one["share"]) for one in profile["skills"]] == skills
        for one in profile["skills"]:
            ages = [row["age"] for row in own if one["skill"] in row["skills"]]
            assert one["is_new"] == (max(ages) < 28 and max(row["age"] for row in own) >= 28)
        pays = [pay for row in opened if (pay := middle(row)) is not None]
        assert profile["n_salaries"] == len(pays)
        assert profile["salary_monthly_usd_median"] == (pytest.approx(statistics.median(pays)) if pays else None)
        ratios = [
            pay / statistics.median(market[key])
            for row in opened
            if (pay := middle(row)) is not None and row["professional_roles"]
            and len(market[key := (row["professional_roles"][0], row["country"])]) >= 5
        ]  # fmt: skip
        assert profile["salary_ratio"] == (pytest.approx(statistics.median(ratios), abs=1e-5) if ratios else None)
        assert sum(one["n_jobs"] for one in profile["weeks"]) == sum(
            row["age"] <= 7 * 11 + AS_OF.weekday() for row in own
        )


def test_a_fact_lives_a_month_and_is_found_by_id_and_by_name() -> None:
    job = {
        **dict.fromkeys(("city", "work_format", "salary_monthly_usd_min", "salary_monthly_usd_max")),
        "status": "open", "age": 3, "skills": [], "professional_roles": [], "country": "KZ", "is_duplicate": False,
    }  # fmt: skip
    rows = [
        ("name:acme", "headcount", "120", "site", None, AS_OF - (FACT_DAYS - 1) * DAY),
        ("name:acme", "founded", "1999", "site", None, AS_OF - (FACT_DAYS + 1) * DAY),
        ("name:seven", "headcount", "7", "site", None, AS_OF - DAY),
        ("hh:7", "rating", "4.5", "press", None, AS_OF - DAY),
        ("hh:8", "rating", "1", "press", None, AS_OF - DAY),
    ]
    facts = pl.DataFrame(rows, schema=dict(COMPANY_FACTS.columns), orient="row")
    table = profiles_of([{**job, "company_id": "name:acme"}, {**job, "company_id": "hh:7"}], facts)
    found = {row["company_id"]: [(one["fact"], one["value"]) for one in row["facts"]] for row in table.to_dicts()}
    assert found == {"name:acme": [("headcount", "120")], "hh:7": [("headcount", "7"), ("rating", "4.5")]}


def test_sentences_state_their_numbers_in_both_languages() -> None:
    def job(company: str, age: int, pay: float, **more: Any) -> dict[str, Any]:
        return {
            "company_id": company, "status": "open", "age": age, "skills": ["Python"], "professional_roles": ["dev"],
            "city": None, "country": "KZ", "work_format": "remote", "salary_monthly_usd_min": pay,
            "salary_monthly_usd_max": None, "is_duplicate": False, **more,
        }  # fmt: skip

    rows = [job("name:acme", age, 3000.0) for age in (1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 31, 32, 33, 34, 35)]
    rows += [job("name:acme", 1, 3000.0, skills=["Rust"]) for _ in range(2)]
    rows += [job("hh:7", age, 1000.0, work_format="on_site") for age in range(20, 60)]
    sentences = {
        row["company_id"]: {one["code"]: (one["text_en"], one["text_ru"]) for one in row["insights"]}
        for row in profiles_of(rows).to_dicts()
    }
    acme = sentences["name:acme"]
    assert set(acme) == {"hiring_more", "pays_more", "new_skills", "remote"}
    assert acme["hiring_more"][0] == "New jobs in four weeks: 11, 83 % more than in the four weeks before (6)."
    assert (
        acme["hiring_more"][1]
        == "Новых вакансий за четыре недели: 11, на 83 % больше, чем за четыре недели до этого (6)."
    )
    assert acme["pays_more"][0].startswith("Pays 200 % more")
    assert acme["new_skills"] == (
        "Newly asked for in the last four weeks (open jobs): Rust (2).",
        "Впервые требуется за последние четыре недели (открытых вакансий): Rust (2).",
    )  # fmt: skip
    assert acme["remote"][1] == "Удалённых вакансий: 17 из 17 открытых."
    assert set(sentences["hh:7"]) == {"hiring_less", "reposts"}


def test_news_live_a_month_and_each_page_counts_once() -> None:
    job = {
        **dict.fromkeys(("city", "work_format", "salary_monthly_usd_min", "salary_monthly_usd_max")),
        "company_id": "name:acme", "status": "open", "age": 3, "skills": [], "professional_roles": [], "country": "KZ",
        "is_duplicate": False,
    }  # fmt: skip
    rows = [
        ("name:acme", "acme.example", "n1", "A new office", "https://acme.example/1", AS_OF - 3 * DAY),
        ("name:acme", "press.example", "n9", "A new office!", "https://acme.example/1", AS_OF - 2 * DAY),
        ("name:acme", "acme.example", "n2", "A prize", "https://acme.example/2", AS_OF - DAY),
        ("name:acme", "acme.example", "n3", "Long ago", "https://acme.example/3", AS_OF - (FACT_DAYS + 1) * DAY),
    ]
    news = pl.DataFrame(rows, schema=dict(COMPANY_NEWS.columns), orient="row")
    (found,) = profiles_of([job], news=news).to_dicts()
    assert [one["title"] for one in found["news"]] == ["A prize", "A new office!"]
    assert found["completeness"] == pytest.approx(2 / 12, abs=1e-6), "its country and its news are known"


def test_what_is_known_of_answers_is_told_with_its_numbers() -> None:
    job = {
        **dict.fromkeys(("city", "work_format", "salary_monthly_usd_min", "salary_monthly_usd_max")),
        "company_id": "name:acme", "status": "open", "age": 3, "skills": [], "professional_roles": [], "country": "KZ",
        "is_duplicate": False,
    }  # fmt: skip
    answers = pl.DataFrame(
        {"company_id": ["name:acme"], "n_applications": [40], "answer_share": [0.625], "answer_days_median": [4.2]}
    )
    (found,) = profiles_of([job], answers=answers).to_dicts()
    (insight,) = found["insights"]
    assert (
        insight["text_en"] == "Answers 62 % of applications within 30 days, half of them by day 4 (applications: 40)."
    )
    assert insight["text_ru"] == "Отвечает на 62 % откликов за 30 дней, на половину из них — к 4-му дню (откликов: 40)."
