import polars as pl
import pytest

from features.schemas.features import USER_PROFILES
from features.schemas.insight import SKILL_GAPS
from features.users.skill_gaps import HOURS, estimated_hours, skill_gaps


def profile(skills, *, roles=("dev",), career_level=None, user_id="u"):
    return {
        "user_id": user_id,
        "roles": list(roles),
        "skills": sorted(skills),
        "skill_levels": [skills[name] for name in sorted(skills)],
        "career_level": career_level,
    }


def gaps(*profiles, required):
    users = USER_PROFILES.conform(pl.DataFrame(profiles, infer_schema_length=None))
    demand = pl.DataFrame(
        [("dev", skill, share) for skill, share in required.items()],
        schema={"role": pl.String, "skill": pl.String, "share": pl.Float64},
        orient="row",
    )
    table = skill_gaps(users.lazy(), demand)
    SKILL_GAPS.validate(table)
    return table.to_dicts()


FOUR = {"A": 0.9, "B": 0.5, "C": 0.3, "D": 0.2}


def test_has_partial_and_missing_with_hours_and_coverage():
    (row,) = gaps(profile({"A": 0.6, "B": 0.4, "E": 1.0}), required=FOUR)
    assert (row["has"], row["partial"]) == (["A"], ["B"])
    assert row["missing"] == [
        {"skill": "C", "impact": pytest.approx(0.3), "priority": "medium", "estimated_hours": 40},
        {"skill": "D", "impact": pytest.approx(0.2), "priority": "low", "estimated_hours": 40},
    ]
    assert row["estimated_hours"] == 120
    assert row["coverage_share"] == pytest.approx(1.5 / 4)
    assert row["verdict"] == "reconsider"


def test_a_senior_needs_the_advanced_level_and_an_unknown_level_is_believed():
    (row,) = gaps(profile({"A": 0.6, "B": None, "C": 0.8, "D": 0.4}, career_level="senior"), required=FOUR)
    assert (row["has"], row["partial"]) == (["B", "C"], ["A", "D"])
    assert row["estimated_hours"] == 80 + 120


def test_apply_now_from_four_fifths_without_a_critical_gap():
    five = {**FOUR, "E": 0.25}
    (row,) = gaps(profile(dict.fromkeys("ABCD", 0.8)), required=five)
    assert (row["coverage_share"], row["verdict"]) == (pytest.approx(0.8), "apply_now")


def test_a_critical_gap_means_to_learn_first():
    (row,) = gaps(profile(dict.fromkeys("BCDE", 0.8)), required={**FOUR, "E": 0.25})
    assert (row["missing"][0]["priority"], row["verdict"]) == ("critical", "learn_first")


def test_learn_first_from_three_fifths_below_eighty_hours():
    three_of_five = {**FOUR, "E": 0.25}
    (row,) = gaps(profile(dict.fromkeys("ABC", 0.8)), required=three_of_five)
    assert (row["estimated_hours"], row["verdict"]) == (80, "reconsider")
    (row,) = gaps(profile(dict.fromkeys("ABC", 0.8)), required=FOUR)
    assert (row["estimated_hours"], row["verdict"]) == (40, "learn_first")


def test_ten_missing_skills_of_most_impact_are_listed_and_the_hours_are_of_all():
    required = {f"S{i:02}": 0.5 - i / 100 for i in range(12)}
    (row,) = gaps(profile({}), required=required)
    assert [gap["skill"] for gap in row["missing"]] == [f"S{i:02}" for i in range(10)]
    assert row["estimated_hours"] == 12 * 40


def test_roles_without_open_jobs_and_users_without_roles_have_no_rows():
    assert gaps(profile({}, roles=["poet"]), profile({}, roles=[], user_id="v"), required=FOUR) == []


def test_each_user_and_role_has_one_row_in_order():
    rows = gaps(profile({}, user_id="v"), profile({"A": 1.0}, user_id="u"), required=FOUR)
    assert [(row["user_id"], row["role"]) for row in rows] == [("u", "dev"), ("v", "dev")]


def test_hours_come_from_the_table_and_are_zero_without_a_higher_level():
    pairs = [*HOURS, ("expert", "beginner"), ("advanced", "advanced")]
    frame = pl.DataFrame(pairs, schema=["from", "to"], orient="row")
    hours = frame.select(h=estimated_hours(pl.col("from"), pl.col("to")))["h"].to_list()
    assert hours == [40, 120, 300, 80, 200, 150, 0, 0]
