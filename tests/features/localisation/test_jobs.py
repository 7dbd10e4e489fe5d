import re
from pathlib import Path

import polars as pl
import pytest
from babel.numbers import parse_decimal
from hypothesis import given
from hypothesis import strategies as st

from features.localisation.jobs import FACTS, facts, with_reader_names
from features.localisation.money import number
from features.localisation.places import PlaceNames, town_names
from features.localisation.words import WORDS
from features.schemas.catalog import CAREER_LEVELS, EMPLOYMENT_TYPES, JOBS, SALARY_PERIODS, WORK_FORMATS
from features.vocabulary.display_names import display_names
from serving.contract.tables import LANGUAGES

VOCABULARY = Path(__file__).resolve().parents[3] / "data" / "vocabulary"
COUNTRIES = {
    language: dict(display_names(VOCABULARY).filter(kind="place", language=language).select("name", "text").iter_rows())
    for language in LANGUAGES
}
PLACES = PlaceNames.load(VOCABULARY)


def facts_of(language: str, **job: object) -> dict[str, str | None]:
    row = {"job_id": "hh:1"} | job
    frame = JOBS.conform(pl.DataFrame([row], schema_overrides={name: JOBS.columns[name] for name in row}))
    return frame.select(**facts(language, COUNTRIES[language])).row(0, named=True)


@pytest.mark.parametrize(
    ("column", "codes"),
    [
        ("work_format", WORK_FORMATS),
        ("employment_type", EMPLOYMENT_TYPES),
        ("career_level", CAREER_LEVELS),
        ("salary_period", SALARY_PERIODS),
    ],
)
def test_every_code_has_words_in_every_language(column: str, codes: tuple[str, ...]) -> None:
    assert set(WORDS[column]) == set(LANGUAGES)
    for language in LANGUAGES:
        assert list(WORDS[column][language]) == list(codes)
    assert not any(re.search("[a-z]", words) for words in WORDS[column]["ru"].values())


PAY = {"salary_currency": "KZT", "salary_period": "month"}


@pytest.mark.parametrize(
    ("job", "english", "russian"),
    [
        (PAY | {"salary_min": 5e5, "salary_max": 7e5}, "KZT 500,000–700,000 a month", "500 000–700 000 ₸ в месяц"),
        (PAY | {"salary_min": 5e5, "salary_max": 5e5}, "KZT 500,000 a month", "500 000 ₸ в месяц"),
        (PAY | {"salary_min": 5e5}, "from KZT 500,000 a month", "от 500 000 ₸ в месяц"),
        (PAY | {"salary_max": 5e5}, "up to KZT 500,000 a month", "до 500 000 ₸ в месяц"),
        (
            {"salary_min": 12.5, "salary_max": 20.0, "salary_currency": "USD", "salary_period": "hour"},
            "$12.50–20 an hour",
            "12,50–20 $ в час",
        ),
        (
            {"salary_min": 3000.0, "salary_currency": "EUR", "salary_gross": True},
            "from €3,000, before tax",
            "от 3 000 €, до вычета налогов",
        ),
        ({"salary_min": 3000.0}, "from 3,000", "от 3 000"),
        ({"salary_min": float("inf"), "salary_currency": "USD"}, None, None),
        ({"salary_currency": "USD", "salary_period": "month"}, None, None),
    ],
)
def test_pay_is_written_as_the_reader_writes_it(
    job: dict[str, object], english: str | None, russian: str | None
) -> None:
    plain = [(facts_of(language, **job)["salary"] or "").replace("\xa0", " ") or None for language in ("en", "ru")]
    assert plain == [english, russian]


@given(value=st.floats(0, 1e9), language=st.sampled_from(LANGUAGES))
def test_a_number_is_read_back_as_it_was(value: float, language: str) -> None:
    assert float(parse_decimal(number(value, language), locale=language)) == pytest.approx(value, abs=0.00501)


@pytest.mark.parametrize(
    ("place", "city", "region"),
    [
        (("Almaty", None, "KZ"), "Алматы", None),
        (("Moscow", "Moscow", "RU"), "Москва", "Москва"),
        (("Moscow", None, "RU"), "Москва", None),
        (("Yekaterinburg", "Sverdlovsk Oblast", "RU"), "Екатеринбург", "Свердловская область"),
        (("Berlin", "Berlin", "DE"), "Берлин", "Берлин"),
        (("No Such Town", "Nowhere", "KZ"), None, None),
        ((None, None, "KZ"), None, None),
        ((None, None, None), None, None),
    ],
)
def test_places_have_their_russian_names(place: tuple[str | None, ...], city: str | None, region: str | None) -> None:
    row = dict(zip(("city", "region", "country"), place, strict=True))
    found = PLACES.of(pl.DataFrame([row], schema=dict.fromkeys(row, pl.String)))
    assert found.row(0) == (city, region)


def test_each_place_keeps_its_row() -> None:
    towns = PLACES.towns.select("city", "region", "country").sample(500, seed=1)
    assert PLACES.of(towns).height == 500
    assert PLACES.of(towns)["city_ru"].null_count() == 0


def test_jobs_get_the_name_of_their_board() -> None:
    jobs = JOBS.conform(pl.DataFrame({"source": ["hh", "file"], "city": ["Astana", None], "country": ["KZ", None]}))
    named = with_reader_names(jobs, places=PLACES, boards={"hh": "HeadHunter"})
    JOBS.validate(named)
    assert named.select("city_ru", "board").rows() == [("Астана", "HeadHunter"), (None, None)]


def test_a_town_without_a_russian_name_keeps_its_own() -> None:
    assert facts_of("ru", city="Kallakurichi", country="IN")["city"] == "Kallakurichi"
    assert facts_of("ru", city="Almaty", city_ru="Алматы", country="KZ")["city"] == "Алматы"
    assert facts_of("en", city="Almaty", city_ru="Алматы", country="KZ")["city"] == "Almaty"
    assert facts_of("en", country="KZ")["country"] == "Kazakhstan"
    assert dict.fromkeys(FACTS) == facts_of("ru")


def test_of_two_towns_of_one_name_the_one_with_more_jobs_decides() -> None:
    jobs = pl.LazyFrame({"city": ["A", "A", "A", "B"], "city_ru": ["Б", "А", "А", None]})
    assert town_names(jobs).rows() == [("place", "A", "ru", "А")]
