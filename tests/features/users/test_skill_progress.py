import datetime as dt

import polars as pl

from features.schemas.insight import SKILL_GAPS, SKILL_PROGRESS
from features.users.skill_progress import skill_progress

DAY = dt.date(2026, 3, 1)


def gaps(*, has: str = "", partial: str = "", missing: str = "", user: str = "u", role: str = "dev") -> pl.DataFrame:
    lacking = [{"skill": skill, "impact": 0.5, "priority": "high", "estimated_hours": 40} for skill in missing]
    row = {"user_id": user, "role": role, "has": list(has), "partial": list(partial), "missing": lacking}
    overrides = {name: SKILL_GAPS.columns[name] for name in ("has", "partial", "missing")}
    return SKILL_GAPS.conform(pl.DataFrame([row], schema_overrides=overrides))


def progress(before: pl.DataFrame, now: pl.DataFrame) -> list[tuple[str, str, str]]:
    table = skill_progress(before, now, noticed_on=DAY)
    SKILL_PROGRESS.validate(table)
    assert set(table["noticed_on"]) <= {DAY}
    return table.select("skill", "before", "after").rows()


def test_what_left_the_gaps_is_progress() -> None:
    before = gaps(has="A", partial="BC", missing="DEF")
    now = gaps(has="ABD", partial="CE", missing="F")
    assert progress(before, now) == [
        ("B", "partial", "has"),
        ("D", "missing", "has"),
        ("E", "missing", "partial"),
    ]


def test_what_a_role_asks_for_now_or_no_longer_is_none() -> None:
    assert progress(gaps(missing="A"), gaps(has="B")) == []
    assert progress(gaps(has="A", missing="B"), gaps(missing="A", partial="")) == []


def test_users_and_roles_are_told_apart() -> None:
    before = gaps(missing="A")
    assert progress(before, gaps(has="A", user="v")) == progress(before, gaps(has="A", role="ops")) == []


def test_nothing_before_and_nothing_now_are_no_progress() -> None:
    assert progress(SKILL_GAPS.empty(), gaps(has="A")) == progress(gaps(missing="A"), SKILL_GAPS.empty()) == []
