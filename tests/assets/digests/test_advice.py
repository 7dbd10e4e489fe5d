import polars as pl
import pytest

from assets.digests.advice import with_advice
from features.schemas.insight import SKILL_DEMAND, SKILL_GAPS


def demand(*rows: tuple[str, str, int, float]) -> pl.LazyFrame:
    schema = ["skill", "area", "n_jobs", "share"]
    return SKILL_DEMAND.conform(pl.DataFrame(rows, schema=schema, orient="row")).lazy()


def gaps(*rows: tuple[str, list[str], list[tuple[str, float]]]) -> pl.LazyFrame:
    made = [
        {
            "user_id": user,
            "role": f"role {number}",
            "has": has,
            "partial": [],
            "missing": [{"skill": skill, "impact": impact, "estimated_hours": 40} for skill, impact in missing],
        }
        for number, (user, has, missing) in enumerate(rows)
    ]
    overrides = {name: SKILL_GAPS.columns[name] for name in ("has", "partial", "missing")}
    return SKILL_GAPS.conform(pl.DataFrame(made, schema_overrides=overrides)).lazy()


DEMAND = demand(
    ("Excel", "all", 900, 0.4),
    ("Python", "all", 500, 0.2),
    ("Docker", "all", 300, 0.1),
    ("Kafka", "all", 100, 0.05),
    ("Python", "KZ", 40, 0.2),
    ("Docker", "KZ", 50, 0.3),
    ("Docker", "GE", 3, 0.3),
)
GAPS = gaps(
    ("anna", ["Python"], [("Docker", 0.5), ("Excel", 0.3), ("Unknown", 0.25)]),
    ("anna", [], [("Kafka", 0.4), ("Docker", 0.2)]),
)


def advice(user_id: str, country: str | None) -> dict[str, list[dict[str, object]]]:
    due = pl.DataFrame({"user_id": [user_id], "country": [country]}, schema_overrides={"country": pl.String})
    return with_advice(due, GAPS, DEMAND).row(0, named=True)


def test_skills_to_learn_are_those_of_the_readers_roles() -> None:
    found = advice("anna", "KZ")["skills"]
    assert [one["skill"] for one in found] == ["Docker", "Kafka", "Unknown"], "Excel is asked for more often elsewhere"
    assert found[0]["hours"] == 40
    assert advice("bob", "KZ")["skills"] == []


@pytest.mark.parametrize(
    ("user_id", "country", "expected"),
    [
        ("anna", "KZ", [("Docker", 50), ("Python", 40)]),
        ("anna", "GE", [("Excel", 900), ("Python", 500), ("Docker", 300), ("Kafka", 100)]),
        ("anna", None, [("Excel", 900), ("Python", 500), ("Docker", 300), ("Kafka", 100)]),
        ("bob", None, [("Excel", 900), ("Python", 500), ("Docker", 300), ("Kafka", 100)]),
        ("bob", "KZ", [("Docker", 50), ("Python", 40)]),
    ],
)
def test_demand_is_that_of_the_readers_country_and_roles(
    user_id: str, country: str | None, expected: list[tuple[str, int]]
) -> None:
    assert [(one["name"], one["n_jobs"]) for one in advice(user_id, country)["trends"]] == expected


def test_without_any_insight_there_is_no_advice() -> None:
    due = pl.DataFrame({"user_id": ["anna"], "country": ["KZ"]})
    empty = with_advice(due, SKILL_GAPS.empty().lazy(), SKILL_DEMAND.empty().lazy())
    assert empty.select("trends", "skills").row(0) == ([], [])
