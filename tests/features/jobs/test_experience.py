"""Years of experience in the sources' words and in descriptions."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.jobs.experience import experience_years

_STATED = [
    ("noExperience", 0, 1),
    ("between1And3", 1, 3),
    ("between3And6", 3, 6),
    ("moreThan6", 6, None),
    ("от 3 лет", 3, None),
    ("от 3-х лет", 3, None),
    ("не менее двух лет", 2, None),
    ("От 1 года до 3 лет", 1, 3),
    ("1–3 года", 1, 3),
    ("1-3 жыл", 1, 3),
    ("более 5 лет", 5, None),
    ("до 1 года", 0, 1),
    ("1,5 года", 1.5, None),
    ("от полугода", 0.5, None),
    ("5+ years", 5, None),
    ("Senior, 5+", 5, None),
    ("3-5 years", 3, 5),
    ("2 to 4 yrs", 2, 4),
    ("two (2) years", 2, None),
    ("at least five years", 5, None),
    ("up to 2 years", 0, 2),
    ("not less than 2 years", 2, None),
    ("36 months", 3, None),
    ("6+ months", 0.5, None),
    ("Нет опыта", 0, 1),
    ("Опыт работы не требуется", 0, 1),
    ("No prior experience required", 0, 1),
    ("900 years", None, None),
    ("some", None, None),
    (None, None, None),
]


def _described(*descriptions: str | None) -> list[tuple[float | None, float | None]]:
    texts = pl.Series(descriptions, dtype=pl.String)
    return experience_years(texts.clear().extend_constant(None, len(texts)), descriptions=texts).rows()


def test_experience_is_a_range_of_years() -> None:
    stated = pl.Series([text for text, *_ in _STATED], dtype=pl.String)
    years = experience_years(stated, descriptions=pl.Series([None] * len(stated), dtype=pl.String))
    for case, found in zip(_STATED, years.iter_rows(), strict=True):
        assert found == case[1:], case[0]


@pytest.mark.parametrize(
    ("description", "low", "high"),
    [
        ("Нам важен опыт работы в продажах от 2 лет.", 2, None),
        ("Требования: опыт разработки на Java не менее двух лет", 2, None),
        ("Опыт работы от 3-х лет. Нам 25 лет.", 3, None),
        ("Опыт в продажах 1-3 года", 1, 3),
        ("Опыт работы на похожей по обязанностям должности 1-3 года", 1, 3),
        ("Опыт > 2 года", 2, None),
        ("Опыт не требуется, всему научим", 0, 1),
        ("You bring 5+ years of hands-on experience with Go.", 5, None),
        ("You have at least five years of experience", 5, None),
        ("1.5+ years of experience", 1.5, None),
        ("6 months of experience", 0.5, None),
        ("5+ years building web apps", 5, None),
        ("We are a 10 years old company. 3+ years of experience with Python", 3, None),
        ("Experience: 4 years", 4, None),
        ("3+ years of full-stack development", 3, None),
    ],
)
def test_descriptions_ask_for_years(description: str, low: float, high: float | None) -> None:
    assert _described(description) == [(low, high)]


@pytest.mark.parametrize(
    "description",
    [
        "Our company is 20 years old.", "Работаем 15 лет на рынке.",
        "Мы на рынке 15 лет, опыт наших специалистов 10 лет",
        "With over 30 years of experience, Acme leads the field.", "Возраст от 18 лет, опыт желателен",
        "Стаж вождения от 3 лет", "25 years of experience in the industry", None,
    ],
)  # fmt: skip
def test_other_years_in_descriptions_are_no_experience(description: str | None) -> None:
    assert _described(description) == [(None, None)]


def test_what_the_source_states_wins_over_the_description() -> None:
    years = experience_years(pl.Series(["between1And3"]), descriptions=pl.Series(["Experience: 7 years"]))
    assert years.rows() == [(1, 3)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 15), st.integers(0, 15), st.sampled_from(["-", " - ", "–", " to ", " до "]))
def test_a_written_range_is_read_back_in_order(one: int, other: int, dash: str) -> None:
    unit = "лет" if dash == " до " else "years"
    years = experience_years(pl.Series([f"{one}{dash}{other} {unit}"]), descriptions=pl.Series([None], dtype=pl.String))
    assert years.rows() == [(min(one, other), max(one, other))]
