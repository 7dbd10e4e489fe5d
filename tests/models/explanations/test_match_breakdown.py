import datetime as dt
from typing import Any

import polars as pl
import pytest

from features.schemas.catalog import JOBS
from features.schemas.features import SKILL_WEIGHTS, USER_PROFILES
from features.schemas.ranking import COMPONENT_VALUES, FEEDS, MATCHES
from features.schemas.table import Table
from models.explanations.match_breakdown import MatchSettings, match_breakdowns, match_items
from models.explanations.names import Names
from models.ranking.settings import Recipe
from serving.contract.tables import COMPONENTS

RECIPE = Recipe("match", weights={"skills": 0.4, "experience": 0.3, "location": 0.2, "salary": 0.1})
NAMES = Names([("skill", "Data Analysis", "ru", "Анализ данных")])
GOOD = {"skills": 1.0, "experience": 1.0, "location": 1.0, "salary": 1.0}


def breakdown(
    components: dict[str, float | None], *, job: dict[str, Any] | None = None, user: dict[str, Any] | None = None,
    least: int = 0, confidence: float = 0.0, names: Names = NAMES,
) -> list[dict[str, Any]]:  # fmt: skip
    """The rows of one user and one job."""
    values = dict.fromkeys(COMPONENTS) | components
    items = pl.DataFrame(
        {"user_id": ["anna"], "rank": [1], "job_id": ["hh:1"], "components": [values]},
        schema={
            "user_id": pl.String,
            "rank": pl.Int16,
            "job_id": pl.String,
            "components": COMPONENT_VALUES,
        },
    )
    weights = {"skill": ["Python", "SQL", "Data Analysis"], "n_jobs": [5, 9, 2], "rarity": [0.5, 0.1, 0.9]}
    return match_breakdowns(
        items,
        jobs=one(JOBS, {"job_id": "hh:1", **(job or {})}),
        profiles=one(USER_PROFILES, {"user_id": "anna", "max_distance_km": 25.0, **(user or {})}),
        skill_weights=SKILL_WEIGHTS.conform(pl.DataFrame(weights)),
        names=names,
        settings=MatchSettings(RECIPE, min_compatibility=least, min_confidence=confidence),
    ).to_dicts()


def one(table: Table, row: dict[str, Any]) -> pl.DataFrame:
    return table.conform(pl.DataFrame([row], schema_overrides={name: table.columns[name] for name in row}))


def factors(row: dict[str, Any], kind: str, language: str = "en") -> dict[str, str]:
    return {factor["code"]: factor[f"text_{language}"] for factor in row[f"{kind}_factors"]}


def test_compatibility_is_the_score_of_the_recipe() -> None:
    (row,) = breakdown({"skills": 0.5, "experience": 1.0, "location": None, "salary": 0.0})
    assert row["compatibility"] == round(100 * (0.4 * 0.5 + 0.3 + 0.2 * RECIPE.neutral))
    assert row["confidence"] == pytest.approx(0.8)
    assert (row["skills_score"], row["location_score"], row["culture_score"]) == (0.5, None, None)


@pytest.mark.parametrize(("least", "n"), [(60, 1), (99, 1), (100, 1)])
def test_matches_from_the_least_compatibility_on_are_kept(least: int, n: int) -> None:
    assert len(breakdown(GOOD, least=least)) == n
    assert breakdown(GOOD | {"skills": 0.0}, least=61) == []
    assert len(breakdown(GOOD | {"skills": 0.0}, least=60)) == 1


def test_matches_of_which_little_is_known_can_be_left_out() -> None:
    known = {"location": 1.0, "experience": 1.0}
    for least, n in ((0.5, 1), (0.51, 0)):
        assert len(breakdown(known, confidence=least)) == n


def test_a_row_says_what_speaks_for_and_against_in_both_languages() -> None:
    (row,) = breakdown(
        {"skills": 0.7, "experience": 0.6, "location": 0.5, "salary": 0.8},
        job={
            "skills": ["Python", "SQL", "Data Analysis", "Docker"],
            "experience_min_years": 5.0,
            "salary_monthly_usd_max": 1900.4,
        },
        user={
            "skills": ["SQL", "Data Analysis"],
            "avoided_skills": ["Docker"],
            "years_of_experience": 3.0,
            "salary_monthly_usd_min": 12_000.0,
        },
    )
    assert factors(row, "match") == {
        "skills": "You have Data Analysis, SQL (2 of 4 skills asked for)",
        "nearby": "It is 6 km from you",
    }
    assert factors(row, "match", "ru") == {
        "skills": "У вас есть Анализ данных, SQL (навыков из требуемых: 2 из 4)",
        "nearby": "До работы 6 км",
    }
    assert factors(row, "mismatch") == {
        "missing_skills": "You lack Python",
        "avoided_skills": "It asks for Docker, which you avoid",
        "experience_differs": "3 years of experience, 5 or more asked for",
        "salary_differs": "It pays up to about $1,900 a month, you ask for $12,000",
    }
    assert factors(row, "mismatch", "ru")["experience_differs"] == "Опыт 3 года, а требуется от 5"
    assert row["reasoning_en"] == (
        "Good match (64 of 100): you have Data Analysis, SQL (2 of 4 skills asked for); it is 6 km from you. "
        "Against it: you lack Python; it asks for Docker, which you avoid; 3 years of experience, 5 or more asked for; "
        "it pays up to about $1,900 a month, you ask for $12,000."
    )
    assert row["reasoning_ru"].startswith("Хорошее совпадение (64 из 100): у вас есть Анализ данных, SQL")
    assert row["reasoning_source"] == "rules"


@pytest.mark.parametrize(
    ("components", "job", "user", "kind", "code"),
    [
        ({"location": 1.0}, {"work_format": "remote"}, {"remote": "ok"}, "match", "remote"),
        ({"location": 0.0}, {"work_format": "on_site"}, {"remote": "only"}, "mismatch", "not_remote"),
        ({"location": 0.01}, {"work_format": "on_site"}, {"remote": "ok"}, "mismatch", "too_far"),
        ({"location": 0.05}, {}, {}, "match", "nearby"),
        ({"location": 1.0}, {"work_format": "remote"}, {"remote": "no"}, "match", "same_city"),
        ({"experience": 1.0}, {"experience_max_years": 6.0}, {"years_of_experience": 1.5}, "match", "experience"),
        ({"salary": 1.0}, {"salary_monthly_usd_max": 2e6}, {"salary_monthly_usd_min": 1.0}, "match", "salary"),
        ({"culture": 0.5}, {}, {}, "match", "culture"),
    ],
)
def test_a_factor_holds_where_its_facts_do(
    components: dict[str, float | None], job: dict[str, Any], user: dict[str, Any], kind: str, code: str
) -> None:
    (row,) = breakdown(components, job=job, user=user)
    assert list(factors(row, kind)) == [code]
    other = "mismatch" if kind == "match" else "match"
    assert factors(row, other) == {}


@pytest.mark.parametrize("score", [0.49, None])
def test_a_company_is_like_the_user_only_where_a_reader_would_see_it(score: float | None) -> None:
    (row,) = breakdown({"culture": score})
    assert factors(row, "match") == {} and row["reasoning_en"] == "Weak match (50 of 100)."


@pytest.mark.parametrize(
    ("years", "english", "russian"),
    [
        (1.0, "1 year of", "подходит: 1 год,"),
        (2.0, "2 years of", "подходит: 2 года,"),
        (5.0, "5 years of", "подходит: 5 лет,"),
        (11.0, "11 years of", "подходит: 11 лет,"),
        (21.0, "21 years of", "подходит: 21 год,"),
        (2.5, "2.5 years of", "подходит: 2,5 года,"),
    ],
)
def test_years_agree_with_their_number(years: float, english: str, russian: str) -> None:
    job = {"experience_min_years": 1.0, "experience_max_years": 30.0}
    (row,) = breakdown({"experience": 1.0}, job=job, user={"years_of_experience": years})
    assert english in factors(row, "match")["experience"] and russian in factors(row, "match", "ru")["experience"]
    assert "1–30" in factors(row, "match")["experience"]


def test_more_missing_skills_than_are_named_are_counted() -> None:
    (row,) = breakdown({"skills": 0.1}, job={"skills": ["A", "B", "C", "D", "E"]}, user={"skills": ["F"]})
    assert factors(row, "mismatch") == {"missing_skills": "You lack A, B, C and 2 more"}
    assert factors(row, "mismatch", "ru") == {"missing_skills": "Не хватает навыков: A, B, C и ещё 2"}


def test_only_first_items_with_components_are_broken_down() -> None:
    known = dict.fromkeys(COMPONENTS) | GOOD
    listed = [
        {"rank": rank, "job_id": f"hh:{rank}", "components": known if rank != 2 else None} for rank in range(1, 5)
    ]
    feeds = FEEDS.conform(
        pl.DataFrame(
            {
                "user_id": ["anna", "boris"],
                "generated_at": [dt.datetime(2026, 3, 1, tzinfo=dt.UTC)] * 2,
                "items": [listed, []],
            },
            schema_overrides={"items": FEEDS.columns["items"]},
        )
    )
    found = match_items(feeds.lazy(), MatchSettings(RECIPE, items=3)).collect()
    assert found.select("user_id", "rank").rows() == [("anna", 1), ("anna", 3)]


def test_no_items_have_no_matches() -> None:
    empty = match_items(FEEDS.empty().lazy(), MatchSettings(RECIPE)).collect()
    found = match_breakdowns(
        empty, jobs=JOBS.empty(), profiles=USER_PROFILES.empty(), skill_weights=SKILL_WEIGHTS.empty(), names=Names(),
        settings=MatchSettings(RECIPE),
    )  # fmt: skip
    MATCHES.validate(found)
