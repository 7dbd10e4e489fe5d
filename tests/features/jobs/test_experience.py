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
    ("5 or more years", 5, None),
    ("up to 5 years", 0, 5),
    ("maximum 3 years", 0, 3),
    ("3 Jahre", 3, None),
    ("1-2 Jahre", 1, 2),
    ("от 1 года до 3 лет", 1, 3),
    ("more than 10 years", 10, None),
    ("5 years and above", 5, None),
    ("0-1 years", 0, 1),
    ("3-6 months", 0.25, 0.5),
    ("minimum of two years", 2, None),
    ("2 ans", 2, None),
    ("2+ años", 2, None),
    ("do 2 lat", 0, 2),
    ("not more than 4 years", 0, 4),
    ("не более 5 лет", 0, 5),
]
_DESCRIBED = [
    ("Опыт от 1 года до 3 лет", 1, 3),
    ("Up to 3 years experience.", 0, 3),
    ("5 or more years of experience.", 5, None),
    ("At least five (3-5) years of software engineering experience.", 3, 5),
    ("Minimum 2 years of relevant experience", 2, None),
    ("One to three years of experience in sales", 1, 3),
    ("2-4 Jahre Berufserfahrung", 2, 4),
    ("Mindestens 3 Jahre Berufserfahrung im Vertrieb", 3, None),
    ("3 ans d'expérience minimum", 3, None),
    ("Au moins 2 ans d’expérience", 2, None),
    ("2 años de experiencia", 2, None),
    ("Experiencia mínima de 3 años", 3, None),
    ("min. 2 lata doświadczenia", 2, None),
    ("Doświadczenie: 3-5 lat", 3, 5),
    ("Досвід роботи від 2 років", 2, None),
    ("Від 3 років досвіду в продажах", 3, None),
    ("18 months of experience", 1.5, None),
    ("6-12 months of experience", 0.5, 1),
    ("10+ yrs exp with Java", 10, None),
    ("Experience: 0-2 years", 0, 2),
    ("Less than 2 years of experience", 0, 2),
    ("Опыт работы до 1 года", 0, 1),
    ("Опыт работы: 3–6 лет", 3, 6),
    ("не более 3 лет опыта", 0, 3),
    ("You bring over 8 years’ experience", 8, None),
    ("5+ YOE", 5, None),
    ("3 to 5+ years of experience", 3, 5),
    ("опыт в аналитике не менее 3 лет", 3, None),
    ("Experience level: 5 years and above", 5, None),
    ("Two or more years of experience in nursing", 2, None),
    ("Стаж работы от полутора лет", 1.5, None),
    ("Опыт работы в данной сфере более 5 лет", 5, None),
    ("опыт от одного года", 1, None),
    ("No experience required", 0, 1),
    ("Ohne Erfahrung? keine Erfahrung erforderlich", 0, 1),
    ("3-5 years' experience", 3, 5),
    ("7 years plus experience in finance", 7, None),
    ("Kamida 2 yil tajriba", 2, None),
    ("кемінде 3 жыл тәжірибе", 3, None),
    ("Our company has 20 years of experience in the market", None, None),
    ("4-year degree in computer science", None, None),
    ("You must be 18 years of age", None, None),
    ("Seit 25 Jahren Erfahrung im Markt", None, None),
    ("2 year contract with experience bonus", None, None),
    ("With 30 years of experience, we lead", None, None),
    ("Join our 10 years old company with experienced people", None, None),
    ("For more than 30 years we have been building trucks.", None, None),
    ("We have an opening for someone with 5 years of experience", 5, None),
    ("Our ideal candidate has 5+ years of experience", 5, None),
    ("With 5 years of experience, you will lead", 5, None),
    ("Team leader with 5 years of experience", 5, None),
    ("В нашу команду требуется продавец с опытом от 2 лет", 2, None),
    ("Опыт работы в компании от 3 лет", 3, None),
    ("Wir suchen jemanden mit 3 Jahren Erfahrung", 3, None),
    ("Vous avez plus de 3 ans d'expérience", 3, None),
    ("Buscamos comercial con más de 2 años de experiencia", 2, None),
    ("Опыт работы с детьми не менее 2 лет", 2, None),
    ("Работа с детьми 3-7 лет, опыт от 2 лет", 2, None),
    ("At least 2 years of experience with children", 2, None),
    ("8–10+ years of product experience. At least 2 years owning machine-learning work.", 8, 10),
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


@pytest.mark.parametrize(("description", "low", "high"), _DESCRIBED)
def test_descriptions_ask_for_years_in_the_languages_of_the_boards(
    description: str, low: float | None, high: float | None
) -> None:
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


@pytest.mark.parametrize(
    "description",
    [
        "Опыт работы с детьми от 3 до 7 лет", "Опыт преподавания детям 5-12 лет", "Опыт с детьми в возрасте от 3 лет",
        "Experience with children aged 2-5 years", "Experience with kids (3 to 6 years)",
        "Erfahrung mit Kindern von 3 bis 6 Jahren", "Expérience avec des enfants de 3 à 6 ans",
    ],
)  # fmt: skip
def test_the_ages_of_children_are_no_experience(description: str) -> None:
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
