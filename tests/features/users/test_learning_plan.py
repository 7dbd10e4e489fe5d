import datetime as dt
from math import ceil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.config.files import SHIPPED_VOCABULARY
from features.errors import VocabularyError
from features.schemas.features import USER_PROFILES
from features.schemas.insight import LEARNING_PLANS
from features.users.learning_plan import PlanLimits, learning_plans, learning_resources
from features.users.skill_gaps import HOURS

SKILLS = "ABCDEF"
RESOURCES = pl.DataFrame(
    [("A", "Book of A", "https://a.example", 20.0, "en"), ("B", "Book of B", "https://b.example", 80.0, "en")],
    schema=["skill", "name", "url", "hours", "language"],
    orient="row",
)
EFFORT = {"A": 0.5, "B": 2.0}
_JOB_SCHEMA = {
    "job_id": pl.String, "roles": pl.List(pl.String), "country": pl.String, "work_format": pl.String,
    "skills": pl.List(pl.String), "published_at": pl.Datetime("us", "UTC"),
}  # fmt: skip


def jobs(*rows: dict[str, Any]) -> pl.DataFrame:
    made = [
        {"job_id": f"j{number:03}", "roles": ["dev"], "country": "KZ", "work_format": "on_site", "skills": [], **row}
        for number, row in enumerate(rows)
    ]
    at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    return pl.DataFrame([{"published_at": at, **row} for row in made], schema=_JOB_SCHEMA)


def plan(market: pl.DataFrame, user: dict[str, Any], **limits: int) -> list[dict[str, Any]]:
    row = {"user_id": "u", "country": "KZ", "remote": "no", "roles": ["dev"], "skills": [], **user}
    profiles = USER_PROFILES.conform(pl.DataFrame([row], infer_schema_length=None))
    table = learning_plans(profiles.lazy(), market, RESOURCES, limits=PlanLimits(**limits))
    LEARNING_PLANS.validate(table)
    return table.to_dicts()


def steps(rows: list[dict[str, Any]]) -> list[tuple[str, int, int, int]]:
    return [(row["skill"], row["estimated_hours"], row["n_jobs_opened"], row["n_jobs_open"]) for row in rows]


def test_the_skill_that_opens_the_most_jobs_per_hour_comes_first() -> None:
    market = jobs(
        *({"skills": ["A"]} for _ in range(2)), *({"skills": ["C"]} for _ in range(3)), {"skills": ["D", "A"]}
    )
    rows = plan(market, {})
    # A takes 20 hours and opens two jobs, C takes 40 and opens three.
    assert steps(rows) == [("A", 20, 2, 0), ("C", 40, 3, 2), ("D", 40, 1, 5)]
    assert rows[0]["resources"] == [{"name": "Book of A", "url": "https://a.example", "hours": 20, "language": "en"}]
    assert rows[1]["resources"] == [] and {row["n_jobs_reachable"] for row in rows} == {6}


def test_a_skill_that_opens_nothing_alone_is_learned_where_nothing_else_does() -> None:
    rows = plan(jobs({"skills": ["C", "D", "E"]}, {"skills": ["C", "F", "E"]}), {})
    assert steps(rows)[:3] == [("C", 40, 0, 0), ("E", 40, 0, 0), ("D", 40, 1, 0)]


def test_four_fifths_of_the_skills_open_a_job() -> None:
    market = jobs({"skills": list("ABCDE")})
    assert steps(plan(market, {"skills": list("BCD")})) == [("A", 20, 1, 0), ("E", 40, 0, 1)][:1]
    assert plan(market, {"skills": list("ABCD")}) == []


def test_a_senior_learns_longer() -> None:
    assert steps(plan(jobs({"skills": ["A"]}), {"career_level": "senior"})) == [("A", 60, 1, 0)]


@pytest.mark.parametrize(
    ("remote", "country", "n"), [("no", "KZ", 2), ("ok", "KZ", 3), ("only", "KZ", 2), ("no", None, 4), (None, "RU", 1)]
)
def test_only_jobs_within_reach_count(remote: str | None, country: str | None, n: int) -> None:
    market = jobs(
        {"skills": ["A"]},
        {"skills": ["A"], "work_format": "remote"},
        {"skills": ["A"], "country": None, "work_format": "remote"},
        {"skills": ["A"], "country": "RU"},
        {"skills": ["A"], "roles": ["cook"]},
        {"skills": []},
    )
    rows = plan(market, {"remote": remote, "country": country})
    assert [row["n_jobs_opened"] for row in rows] == [n]


def test_the_newest_jobs_and_the_first_steps_are_enough() -> None:
    old = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    market = jobs({"skills": ["A"], "published_at": old}, {"skills": ["C"]}, {"skills": ["D"]}, {"skills": ["E"]})
    assert [row["skill"] for row in plan(market, {}, jobs=3, steps=2)] == ["C", "D"]


def test_users_without_roles_and_roles_without_jobs_have_no_plan() -> None:
    market = jobs({"skills": ["A"]})
    assert plan(market, {"roles": []}) == plan(market, {"roles": ["poet"]}) == plan(jobs(), {}) == []


_LISTS = st.lists(st.sampled_from(SKILLS), max_size=6, unique=True)


@settings(max_examples=150, deadline=None)
@given(
    asked=st.lists(_LISTS, min_size=1, max_size=8), owned=_LISTS, level=st.sampled_from([None, "senior", "executive"])
)
def test_a_plan_is_what_trying_every_skill_gives(asked: list[list[str]], owned: list[str], level: str | None) -> None:
    rows = plan(jobs(*({"skills": skills} for skills in asked)), {"skills": owned, "career_level": level})
    assert steps(rows) == slow_plan([set(skills) for skills in asked if skills], set(owned), level)


def slow_plan(asked: list[set[str]], has: set[str], level: str | None) -> list[tuple[str, int, int, int]]:
    target = {"senior": "advanced", "executive": "expert"}.get(level or "", "intermediate")

    def lacks(job: set[str], skills: set[str]) -> int:
        return ceil(0.8 * len(job) - 1e-9) - len(job & skills)

    made = []
    for _ in range(3):
        candidates = sorted(set().union(*asked) - has) if asked else []
        hours = {skill: HOURS["beginner", target] * EFFORT.get(skill, 1.0) for skill in candidates}
        opens = {s: sum(lacks(job, has) == 1 and s in job for job in asked) for s in candidates}
        gain = opens if any(opens.values()) else {
            s: sum(1 / lacks(job, has) for job in asked if s in job and lacks(job, has) > 1) for s in candidates
        }  # fmt: skip
        best = max(candidates, key=lambda s: (round(gain[s] / hours[s], 9), -ord(s)), default=None)
        if best is None or gain[best] == 0:
            break
        made.append((best, max(round(hours[best]), 1), opens[best], sum(lacks(job, has) <= 0 for job in asked)))
        has = has | {best}
    return made


_USERS = st.lists(
    st.fixed_dictionaries(
        {
            "country": st.sampled_from([None, "KZ", "RU"]),
            "remote": st.sampled_from([None, "no", "ok", "only"]),
            "career_level": st.sampled_from([None, "senior"]),
            "roles": st.lists(st.sampled_from(["dev", "cook"]), max_size=2),
            "skills": _LISTS,
        }
    ),
    max_size=6,
)


@settings(max_examples=30, deadline=None)
@given(users=_USERS, asked=st.lists(_LISTS, min_size=1, max_size=8), at_once=st.integers(1, 3))
def test_users_planned_together_get_what_each_gets_alone(
    users: list[dict[str, Any]], asked: list[list[str]], at_once: int
) -> None:
    places: list[dict[str, Any]] = [{}, {"roles": ["cook", "dev"]}, {"country": "RU"}, {"work_format": "remote"}]
    market = jobs(*({"skills": skills, **places[number % 4]} for number, skills in enumerate(asked)))
    named = [{"user_id": f"u{number}", **user} for number, user in enumerate(users)]
    profiles = USER_PROFILES.conform(pl.DataFrame(named, infer_schema_length=None)) if named else USER_PROFILES.empty()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("features.users.learning_plan._USERS_AT_ONCE", at_once)
        together = learning_plans(profiles.lazy(), market, RESOURCES)
    LEARNING_PLANS.validate(together)
    assert together.to_dicts() == [row for user in named for row in plan(market, user)]


def test_the_shipped_resources_are_of_known_skills_and_safe_addresses() -> None:
    shipped = learning_resources(SHIPPED_VOCABULARY / "learning_resources.csv")
    skills = pl.read_csv(SHIPPED_VOCABULARY / "skills.csv", infer_schema=False)["skill"]
    assert shipped.filter(~pl.col("skill").is_in(skills.implode())).is_empty()
    assert shipped["url"].str.starts_with("https://").all()
    assert set(shipped["language"]) == {"en", "ru"} and shipped["skill"].n_unique() > 150
    assert not shipped.select("skill", "url").is_duplicated().any()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("skill,url\nPython,x\n", "expected"),
        ("skill,name,url,hours,language\nPython,Book,https://x.example,many,en\n", "Book"),
        ("skill,name,url,hours,language\nPython,Book,javascript:x,5,en\n", "Book"),
        ("skill,name,url,hours,language\nPython,Book,https://x.example,0,en\n", "Book"),
    ],
)
def test_wrong_resources_are_refused(tmp_path: Path, body: str, words: str) -> None:
    path = tmp_path / "resources.csv"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(VocabularyError, match=words):
        learning_resources(path)
