import datetime as dt

import polars as pl
import pytest

from features.schemas.catalog import INTERACTIONS, USERS
from features.schemas.features import USER_PROFILES
from features.users.profiles import user_profiles, without_contacts
from tests.factories import AS_OF, jobs

SLUGS = {"Data Scientist": "data-scientist", "Датасаентист": "data-scientist"}


def role_slugs(names):
    return names.replace_strict(SLUGS, default=None, return_dtype=pl.String)


def users(*rows):
    return USERS.conform(pl.DataFrame(list(rows), schema_overrides={k: USERS.columns[k] for k in _columns(rows)}))


def _columns(rows):
    return {name for row in rows for name in row}


def interactions(*rows):
    made = [
        {"user_id": "u", "is_dismissed": False, "first_at": AS_OF - dt.timedelta(days=9), "last_at": AS_OF, **row}
        for row in rows
    ]
    return INTERACTIONS.conform(pl.DataFrame(made, infer_schema_length=None))


def profiles(stated, history=None, catalog=None):
    history = INTERACTIONS.empty() if history is None else history
    table = user_profiles(
        stated.lazy(),
        interactions=history.lazy(),
        jobs=(jobs() if catalog is None else catalog).lazy(),
        role_slugs=role_slugs,
        as_of=AS_OF,
    )
    USER_PROFILES.validate(table)
    return {row["user_id"]: row for row in table.iter_rows(named=True)}


def test_levels_stand_beside_sorted_skills():
    skills = [("SQL", "expert"), ("Python", None), ("Go", "beginner"), ("Go", "Advanced"), ("", "expert")]
    stated = users(
        {
            "user_id": "u",
            "skills": [{"name": name, "level": level, "years": None} for name, level in skills],
            "strengths": ["Excel", "SQL"],
            "weaknesses": ["PHP"],
            "preferred_tags": ["Remote", "fintech "],
        }
    )
    row = profiles(stated)["u"]
    assert row["skills"] == ["Excel", "Go", "Python", "SQL"]
    assert row["skill_levels"] == [None, pytest.approx(0.8), None, 1.0]
    assert row["avoided_skills"] == ["PHP"]
    assert row["interest_tags"] == ["excel", "fintech", "go", "python", "remote", "sql"]
    assert row["has_profile"]


def test_a_user_with_history_but_no_profile_has_a_row():
    history = interactions({"user_id": "stranger", "job_id": "hh:1", "weight": 2})
    rows = profiles(users({"user_id": "u"}), history)
    assert sorted(rows) == ["stranger", "u"]
    stranger = rows["stranger"]
    assert (stranger["has_profile"], stranger["personalization_enabled"]) == (False, True)
    assert (stranger["max_distance_km"], stranger["skills"], stranger["skill_levels"]) == (25.0, [], [])


def test_tags_are_learned_from_what_was_liked_and_fade():
    catalog = jobs(
        [
            {"job_id": "hh:1", "tags": ["rust", "backend"]},
            {"job_id": "hh:2", "tags": ["php"]},
            {"job_id": "hh:3", "tags": [f"tag{i:02}" for i in range(30)]},
            {"job_id": "hh:4", "tags": ["ancient"]},
        ]
    )
    history = interactions(
        {"job_id": "hh:1", "weight": 10},
        {"job_id": "hh:2", "weight": 12, "is_dismissed": True},
        {"job_id": "hh:3", "weight": 1},
        {"job_id": "hh:4", "weight": 10, "last_at": AS_OF - dt.timedelta(days=120)},
    )
    tags = profiles(users({"user_id": "u"}), history, catalog)["u"]["interest_tags"]
    assert len(tags) == 20
    assert {"rust", "backend"} <= set(tags)
    assert {"php", "ancient"} & set(tags) == set()


def test_no_tags_are_learned_of_users_who_opted_out():
    stated = users({"user_id": "u", "personalization_enabled": False})
    catalog = jobs([{"job_id": "hh:1", "tags": ["rust"]}])
    row = profiles(stated, interactions({"job_id": "hh:1", "weight": 10}), catalog)["u"]
    assert (row["interest_tags"], row["personalization_enabled"]) == ([], False)


def test_roles_become_slugs_where_there_are_any():
    stated = users(
        {
            "user_id": "u",
            "desired_roles": ["Data Scientist"],
            "professions": ["Датасаентист"],
            "titles": [" Poet ", None],
        }
    )
    assert profiles(stated)["u"]["roles"] == ["Poet", "data-scientist"]


def test_blocked_companies_meet_jobs_by_id_and_by_name():
    row = profiles(users({"user_id": "u", "blocked_companies": ["ООО «Ромашка»", "hh:C7", None]}))["u"]
    assert {"ооо «ромашка»", "ромашка", "name:ромашка", "hh:C7", "hh:c7"} <= set(row["blocked_companies"])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Mail anna.k@mail.example.com or +7 (701) 123-45-67", "Mail or"),
        ("See https://me.example/cv and www.me.example, t.me/anna, @anna_k", "See and"),
        ("Built 3 teams in 2019-2023, C# and 100% remote", "Built 3 teams in 2019-2023, C# and 100% remote"),
        ("8 800 555 35 35", None),
        (None, None),
    ],
)
def test_summaries_hold_no_contacts(text, left):
    got = pl.DataFrame({"s": [text]}, schema={"s": pl.String}).select(without_contacts(pl.col("s"))).item()
    assert got == left


def test_no_users_give_an_empty_table():
    assert profiles(USERS.empty()) == {}
