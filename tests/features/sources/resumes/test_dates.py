"""Date ranges and stated years in the forms that people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.resumes.dates import find_periods, is_now, stated_years, written_month
from tests.features.sources.resumes.date_styles import STYLES, YEARS_ONLY


def shown(text: str) -> list[tuple[str, str | None]]:
    def month(number: int) -> str:
        return f"{number // 12}-{number % 12 + 1:02}"

    return [
        (month(one.first_month), None if one.last_month is None else month(one.last_month))
        for one in find_periods(text)
    ]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("15.03.2019 - 20.06.2023", "2019-03", "2023-06"), ("03/15/2019 – 06/20/2023", "2019-03", "2023-06"),
        ("2019.03 - 2021.04", "2019-03", "2021-04"), ("2019-03-15 to 2021-04-01", "2019-03", "2021-04"),
        ("03/2019 to date", "2019-03", None), ("03/19 - 06/23", "2019-03", "2023-06"),
        ("Jan '22 - Present", "2022-01", None), ("Jan ’22 – Mar ’23", "2022-01", "2023-03"),
        ("Jan-20 to Mar-21", "2020-01", "2021-03"), ("Mar 14 - Jan 15", "2014-03", "2015-01"),
        ("2016 / 09 - now", "2016-09", None), ("Oct 12 – Present", "2012-10", None), ("Sept. 2018 – Dec. 2019",
        "2018-09", "2019-12"),
        ("September 15, 2019 - October 3, 2020", "2019-09", "2020-10"), ("JAN 2019 – TILL DATE", "2019-01", None),
        ("2019 till now", "2019-01", None), ("Jan 2022 - Ongoing", "2022-01", None), ("Since 2019", "2019-01", None),
        ("2019 – in progress", "2019-01", None), ("(2019 – )", "2019-01", None), ("from 03.2019", "2019-03", None),
        ("Spring 2020 – Fall 2021", "2020-03", "2021-09"), ("лето 2019 - осень 2020", "2019-06", "2020-09"),
        ("Q1 2020 - Q3 2021", "2020-01", "2021-07"), ("2019–21", "2019-01", "2021-01"), ("’19 – ’21", "2019-01",
        "2021-01"),
        ("March – June 2020", "2020-03", "2020-06"), ("05–09.2020", "2020-05", "2020-09"),
        ("янв. 2020 г. – наст. время", "2020-01", None), ("05.2015 по н.в.", "2015-05", None),
        ("с марта 2019 г. по настоящее время", "2019-03", None), ("с 2019 года", "2019-01", None),
        ("3 октября 2019 — 1 мая 2021", "2019-10", "2021-05"), ("май 2019 – по сей день", "2019-05", None),
        ("2013 — 2017 гг.", "2013-01", "2017-01"), ("01/2020 → 12/2020", "2020-01", "2020-12"),
    ],
)  # fmt: skip
def test_each_form_of_a_range_is_read(text: str, first: str, last: str | None) -> None:
    assert shown(text) == [(first, last)]


@pytest.mark.parametrize(
    "text",
    [
        "$2000 - 2010",
        "500 - 2000 users",
        "version 1.2020",
        "2021 - 2019",
        "+7 2019 2020",
        "2019",
        "35-40 hours",
        "Mar 14 - Apr 15, 2020",
    ],
)
def test_other_numbers_are_no_ranges(text: str) -> None:
    assert shown(text) == []


@given(
    language=st.sampled_from(["en", "ru"]),
    style=st.integers(0, 20),
    first=st.integers(1980 * 12, 2026 * 12),
    months=st.one_of(st.none(), st.integers(0, 200)),
)
def test_what_a_style_writes_is_read_back(language: str, style: int, first: int, months: int | None) -> None:
    write = STYLES[language][style % len(STYLES[language])]
    last = None if months is None else first + months
    if write in YEARS_ONLY:
        first, last = first // 12 * 12, None if last is None else last // 12 * 12
    (period,) = find_periods(f"Driver, Acme, {write(first, last)}")
    assert (period.first_month, period.last_month) == (first, last)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("6.5 years of experience in services", 6.5), ("1,5 года опыта", 1.5), ("over ten years of experience", 10),
        ("5-7 years of experience", 5), ("10+ yrs exp", 10), ("10-year experience", 10),
        ("Total experience: 6 years 3 months", 6.2), ("стаж работы: 8 лет", 8), ("опыт более шести лет", 6),
        ("Стаж 12 лет", 12), ("a company of 30 years", None), ("experience with 300 years old houses", None),
        ("25 years old with experience of 3 years", 3), ("a 40-year-old with 5 years of experience", 5),
        ("опыт работы с 18 лет", None), ("опыт работы с детьми 4 года", 4),
    ],
)  # fmt: skip
def test_stated_years_are_read_in_numbers_and_words(text: str, years: float | None) -> None:
    assert stated_years(text) == years


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("October 2012", 2012 * 12 + 9), ("2012-10", 2012 * 12 + 9), ("10/2012", 2012 * 12 + 9), ("2012", 2012 * 12),
        ("2012-10-01T00:00:00Z", 2012 * 12 + 9), ("Окт 2012", 2012 * 12 + 9), ("whenever", None), ("201", None),
    ],
)  # fmt: skip
def test_a_text_that_is_a_date_names_its_month(text: str, month: int | None) -> None:
    assert written_month(text) == month


def test_words_for_now_are_known_alone_only() -> None:
    assert all(is_now(text) for text in ("Present", "till date", "по настоящее время", "н.в.", "Ongoing", "current"))
    assert not any(is_now(text) for text in ("presented", "a current one", "2019"))
