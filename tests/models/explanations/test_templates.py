import re

import polars as pl
import pytest

from features.schemas.ranking import REASON_CODES
from models.explanations.templates import REASON_TEMPLATES, render_reason
from serving.contract.tables import JOB_REFERENCE_CODES
from tests.models.ranking.world import items, make_market, rank


def test_every_code_has_a_text_in_both_languages() -> None:
    assert set(REASON_TEMPLATES) == set(REASON_CODES)
    for code, templates in REASON_TEMPLATES.items():
        assert set(templates) == {"en", "ru"}, code
        assert ("{ref}" in templates["en"]) == ("{ref}" in templates["ru"]), code
        assert ("{value" in templates["en"]) == ("{value" in templates["ru"]), code
        assert [len(words.split("|")) for words in re.findall(r"\{value\|([^{}]*)\}", templates["en"])] in ([], [2])
        assert [len(words.split("|")) for words in re.findall(r"\{value\|([^{}]*)\}", templates["ru"])] in ([], [3])


@pytest.mark.parametrize(
    ("code", "ref", "value", "language", "text"),
    [
        ("nearby", None, 3.44, "en", "Close to you: 3.4 km"),
        ("nearby", None, 3.44, "ru", "Недалеко от вас: 3,4 км"),
        ("nearby", None, 18.2, "ru", "Недалеко от вас: 18 км"),
        ("skills", "Python, SQL", None, "en", "Matches your skills: Python, SQL"),
        ("also_applied", "Аналитик", 0.5, "ru", "Те, кто откликнулся на «Аналитик», откликались и на эту вакансию"),
        ("popular_in_area", None, None, "en", "Popular in your area"),
        ("new", None, 1.0, "de", "New: posted less than 1 day ago"),
        ("new", None, 3.0, "en", "New: posted less than 3 days ago"),
        ("new", None, 1.0, "ru", "Новая: опубликована меньше 1 дня назад"),
        ("new", None, 3.0, "ru", "Новая: опубликована меньше 3 дней назад"),
    ],
)
def test_reasons_read_as_sentences(code: str, ref: str | None, value: float | None, language: str, text: str) -> None:
    assert render_reason(code, ref, value, language) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1 день"),
        (2, "2 дня"),
        (5, "5 дней"),
        (11, "11 дней"),
        (12, "12 дней"),
        (21, "21 день"),
        (104, "104 дня"),
        (0, "0 дней"),
        (2.5, "2,5 дня"),
    ],
)
def test_russian_words_agree_with_their_number(value: float, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REASON_TEMPLATES, "new", {"en": "{value|day|days}", "ru": "{value|день|дня|дней}"})  # type: ignore[arg-type]
    assert render_reason("new", None, value, "ru") == text
    assert render_reason("new", None, value, "en").endswith(" day" if value == 1 else " days")


def test_a_reference_with_braces_is_left_as_it_is() -> None:
    assert render_reason("skills", "{value}", 5.0, "en") == "Matches your skills: {value}"


def test_an_unknown_code_is_an_error() -> None:
    with pytest.raises(KeyError):
        render_reason("because", None, None, "en")


def test_reasons_say_what_is_true() -> None:
    market = make_market(4, n_jobs=150, n_users=40)
    listed = items(rank(market)).explode("reasons").with_columns(pl.col("reasons").struct.unnest())
    rows = listed.join(market.jobs, on="job_id", suffix="_job").join(market.profiles, on="user_id", suffix="_user")
    for row in rows.iter_rows(named=True):
        ref = (row["ref"] or "").split(", ")
        if row["code"] == "skills":
            assert set(ref) <= set(row["skills"]) & set(row["skills_user"]) and 1 <= len(ref) <= 3
        elif row["code"] == "tags":
            assert set(ref) <= set(row["tags"]) & set(row["interest_tags"])
        elif row["code"] == "role":
            assert set(ref) <= set(row["professional_roles"]) & set(row["roles"])
        elif row["code"] == "remote":
            assert row["work_format"] == "remote" and row["remote"] in ("ok", "only")
        elif row["code"] == "nearby":
            assert 0 <= row["value"] <= row["max_distance_km"]
        elif row["code"] == "same_city":
            cities = {row["city"], *(place["city"] for place in row["locations"] or [])}
            assert row["ref"] == row["city_user"] and row["ref"] in cities
        elif row["code"] == "salary":
            assert row["salary_monthly_usd_max"] >= row["salary_monthly_usd_min_user"]
    events = market.interactions.select("user_id", ref="job_id", applied="is_applied", saved="is_saved", seen="is_seen")
    named = rows.filter(pl.col("code").is_in(JOB_REFERENCE_CODES)).select("user_id", "code", "ref")
    named = named.join(events, on=["user_id", "ref"], how="left")
    assert len(named)
    assert rows.filter(pl.col("code").is_in(JOB_REFERENCE_CODES), pl.col("ref") == pl.col("job_id")).is_empty()
    for row in named.iter_rows(named=True):
        kind = {"similar_to_saved": "saved", "similar_to_viewed": "seen"}.get(row["code"], "applied")
        assert row[kind], row


def test_a_component_without_weight_is_no_reason_unless_it_found_the_job() -> None:
    market = make_market(4, n_jobs=150, n_users=40)
    codes = items(rank(market))["reasons"].explode().struct.field("code").unique().to_list()
    assert "salary" not in codes and "experience" not in codes  # the marketplace recipe weighs neither
