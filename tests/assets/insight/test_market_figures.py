"""The figures of the market against a plain computation over small worlds."""

import datetime as dt
from collections import defaultdict
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.sql import query
from features.schemas.catalog import JOBS
from features.schemas.insight import MARKET_TRENDS, SKILL_DEMAND

AS_OF = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)  # a Wednesday
WEEKS, MIN_JOBS, PERIOD, MIN_SHARE, MIN_LIFT = 3, 2, 28, 0.4, 1.25
_JOB = st.fixed_dictionaries(
    {
        "published_at": st.none() | st.integers(-30, 24 * 70).map(lambda hours: AS_OF - dt.timedelta(hours=hours)),
        "skills": st.lists(st.sampled_from(["Go", "SQL", "Excel"]), max_size=4),
        "professional_roles": st.lists(st.sampled_from(["dev", "ops"]), max_size=2),
        "country": st.sampled_from([None, "KZ", "RU"]),
        "company": st.sampled_from([None, "Acme"]),
        "status": st.sampled_from(["open", "open", "closed"]),
        "duplicate_of": st.sampled_from([None, None, None, "t:0"]),
        "salary_monthly_usd_min": st.sampled_from([None, 500.0, 1500.0, 2500.5]),
        "salary_monthly_usd_max": st.sampled_from([None, 3000.0, 4200.0]),
    }
)
Jobs = list[dict[str, Any]]


def catalog(rows: Jobs) -> pl.DataFrame:
    made = [{"job_id": f"t:{number}", **row} for number, row in enumerate(rows)]
    return JOBS.conform(pl.DataFrame(made, schema={name: JOBS.columns[name] for name in made[0]}))


def pay(job: dict[str, Any]) -> float | None:
    known = [job[f"salary_monthly_usd_{bound}"] for bound in ("min", "max")]
    known = [value for value in known if value is not None]
    return sum(known) / len(known) if known else None


def areas(job: dict[str, Any]) -> list[str]:
    return ["all", *([job["country"]] if job["country"] else [])]


def middle(values: list[float]) -> float | None:
    return median(values) if values else None


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(_JOB, min_size=1, max_size=14))
def test_skill_demand_is_what_counting_gives(rows: Jobs) -> None:
    params = {"as_of": AS_OF, "period_days": PERIOD, "min_jobs": MIN_JOBS}
    table = SKILL_DEMAND.conform(query("insight/skill_demand", frames={"jobs": catalog(rows)}, params=params))
    known = [
        job for job in rows if not job["duplicate_of"] and (job["published_at"] is None or job["published_at"] <= AS_OF)
    ]
    found = {(skill, area): rest for skill, area, *rest in table.rows()}
    expected = {}
    for skill, area in {(s, a) for job in known for s in job["skills"] for a in areas(job)}:
        here = [job for job in known if area in areas(job)]
        asking = [job for job in here if skill in job["skills"]]
        is_open = [job for job in asking if job["status"] == "open"]
        ages = [(AS_OF - job["published_at"]).total_seconds() / 86400 for job in asking if job["published_at"]]
        new, before = sum(age < PERIOD for age in ages), sum(PERIOD <= age < 2 * PERIOD for age in ages)
        salaries = [value for job in is_open if (value := pay(job)) is not None]
        if is_open:
            expected[skill, area] = [
                len(is_open),
                pytest.approx(len(is_open) / sum(job["status"] == "open" for job in here), abs=1e-5),
                pytest.approx(middle(salaries), abs=0.01) if salaries else None,
                len(salaries),
                pytest.approx(new / before - 1, abs=1e-5) if before >= MIN_JOBS else None,
            ]
    assert found == expected


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(_JOB, min_size=1, max_size=14))
def test_market_trends_are_what_counting_gives(rows: Jobs) -> None:
    params = {"as_of": AS_OF, "weeks": WEEKS, "top": 100, "salary_band": 1000, "min_jobs": MIN_JOBS}
    table = MARKET_TRENDS.conform(query("insight/market_trends", frames={"jobs": catalog(rows)}, params=params))
    by_week: dict[tuple[str, str, str, dt.date], Jobs] = defaultdict(list)
    for job in rows:
        if job["duplicate_of"] or job["published_at"] is None or job["published_at"] > AS_OF:
            continue
        day = job["published_at"].date()
        for dimension, value in values(job):
            for area in areas(job):
                by_week[dimension, value, area, day - dt.timedelta(days=day.weekday())].append(job)
    this_week = dt.date(2026, 3, 2)
    expected = {}
    for (dimension, value, area, week), jobs in by_week.items():
        if week > this_week - dt.timedelta(weeks=WEEKS):
            earlier = by_week.get((dimension, value, area, week - dt.timedelta(days=7)), [])
            n_before = sum(job["published_at"] + dt.timedelta(days=7) <= AS_OF for job in earlier)
            salaries = [amount for job in jobs if (amount := pay(job)) is not None]
            expected[dimension, value, area, week] = [
                len(jobs),
                pytest.approx(middle(salaries), abs=0.01) if salaries else None,
                len(salaries),
                pytest.approx(len(jobs) / n_before - 1, abs=1e-5) if n_before >= MIN_JOBS else None,
            ]
    assert {tuple(row[:4]): list(row[4:]) for row in table.rows()} == expected


def values(job: dict[str, Any]) -> list[tuple[str, str]]:
    """The dimensions and values that a job counts for."""
    amount = pay(job)
    band = [] if amount is None else [("salary", f"{int(amount // 1000) * 1000}-{int(amount // 1000 + 1) * 1000}")]
    company = [("company", job["company"])] if job["company"] else []
    skills = [("skill", skill) for skill in set(job["skills"])]
    return [*skills, *(("role", role) for role in set(job["professional_roles"])), *company, *band]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(_JOB, min_size=1, max_size=14))
def test_skills_of_a_role_are_what_counting_gives(rows: Jobs) -> None:
    params = {"min_share": MIN_SHARE, "min_lift": MIN_LIFT}
    table = query("insight/role_skills", frames={"jobs": catalog(rows)}, params=params)
    known = [job for job in rows if job["status"] == "open" and not job["duplicate_of"]]
    expected = {}
    for role, skill in {(r, s) for job in known for r in job["professional_roles"] for s in job["skills"]}:
        own = [job for job in known if role in job["professional_roles"]]
        others = [job for job in known if role not in job["professional_roles"]]
        share = sum(skill in job["skills"] for job in own) / len(own)
        elsewhere = sum(skill in job["skills"] for job in others) / len(others) if others else 0
        if share >= MIN_SHARE - 1e-9 and share >= MIN_LIFT * elsewhere - 1e-12:
            expected[role, skill] = pytest.approx(share, abs=1e-5)
    assert {(role, skill): share for role, skill, share in table.rows()} == expected
