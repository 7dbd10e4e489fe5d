"""Pay in free text: what is read, what is left alone, and where in a title or a description it stands."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.jobs.salary_text import parse_description, parse_text
from features.vocabulary.currencies import Currencies

CURRENCIES = Currencies.load(Path(__file__).resolve().parents[3] / "data" / "vocabulary")
_Row = tuple[float | None, float | None, str | None, str | None, bool | None]

_CASES: list[tuple[str | None, float | None, float | None, str | None, str | None, bool | None]] = [
    ("от 200 000 руб.", 200_000, None, "RUB", None, None),
    ("до 2000 EUR на руки", None, 2_000, "EUR", None, False),
    ("900 000–1 300 000 ₸", 900_000, 1_300_000, "KZT", None, None),
    ("$31,2k- $52k", 31_200, 52_000, "USD", None, None),
    ("$100k", 100_000, 100_000, "USD", None, None),
    ("€60–70K", 60_000, 70_000, "EUR", None, None),
    ("40 000 — 50 000 руб./мес", 40_000, 50_000, "RUB", "month", None),
    ("от 100\u00a0000 до 150\u2009000 руб. до вычета налогов", 100_000, 150_000, "RUB", None, True),
    ("з/п по договорённости", None, None, None, None, None),
    ("не указан", None, None, None, None, None),
    ("20,00 $/heure", 20, 20, "USD", "hour", None),
    ("competitive", None, None, None, None, None),
    ("9" * 60, None, None, None, None, None),
    ("1 000 000 000 000 000 руб.", None, None, "RUB", None, None),
    ("до вычета налогов", None, None, None, None, True),
    ("опыт от 3 лет", None, None, None, None, None),
    ("100 000 руб., опыт от 3 лет", 100_000, 100_000, "RUB", None, None),
    ("$50 - $60 per hour", 50, 60, "USD", "hour", None),
    ("£45k+", 45_000, None, "GBP", None, None),
    ("от 1,5 млн тенге", 1_500_000, None, "KZT", None, None),
    ("5000 руб за смену", 5_000, 5_000, "RUB", "shift", None),
    ("US$80K - US$100K / year", 80_000, 100_000, "USD", "year", None),
    ("EUR 3.500 - 4.500", 3_500, 4_500, "EUR", None, None),
    ("от 60 до 80 тыс. руб.", 60_000, 80_000, "RUB", None, None),
    ("CA$90,000", 90_000, 90_000, "CAD", None, None),
    ("up to $5,000/mo", None, 5_000, "USD", "month", None),
    ("опыт работы от 3 лет, з/п 100 000 руб.", 100_000, 100_000, "RUB", None, None),
    ("от 5 дней отпуска, 60 000 р.", 60_000, 60_000, "RUB", None, None),
    ("график 5/2, 60 000 р.", 60_000, 60_000, "RUB", None, None),
    ("40 hours per week, $50/hr", 50, 50, "USD", "hour", None),
    ("Level 3, $120,000 - $150,000", 120_000, 150_000, "USD", None, None),
    ("B2B 150 - 180 zł/h", 150, 180, "PLN", "hour", None),
    ("за вахту 60 дней 300 000 руб.", 300_000, 300_000, "RUB", "fly_in_fly_out", None),
    ("100\u202f000 ₽", 100_000, 100_000, "RUB", None, None),
    ("4000\u20146000 USD", 4_000, 6_000, "USD", None, None),
    ("4000\u20116000 USD", 4_000, 6_000, "USD", None, None),
    ("4000\u22126000 USD", 4_000, 6_000, "USD", None, None),
    ("4000~6000 USD", 4_000, 6_000, "USD", None, None),
    ("4000/6000 USD", 4_000, 6_000, "USD", None, None),
    ("between $4,000 and $6,000", 4_000, 6_000, "USD", None, None),
    ("100–150 т.р.", 100_000, 150_000, "RUB", None, None),
    ("45тр", 45_000, 45_000, "RUB", None, None),
    ("60k-80", 60_000, 80_000, None, None, None),
    ("$120k–$150k + equity", 120_000, 150_000, "USD", None, None),
    ("£45,000 per annum", 45_000, 45_000, "GBP", "year", None),
    ("£45,000 p.a.", 45_000, 45_000, "GBP", "year", None),
    ("45.000 € brutto/Jahr", 45_000, 45_000, "EUR", "year", True),
    ("25 Euro die Stunde", 25, 25, "EUR", "hour", None),
    ("CHF 100’000 – 120’000", 100_000, 120_000, "CHF", None, None),
    ("₹12,00,000 - ₹18,00,000", 1_200_000, 1_800_000, "INR", None, None),
    ("12-18 LPA", 1_200_000, 1_800_000, "INR", "year", None),
    ("R$ 10.000", 10_000, 10_000, "BRL", None, None),
    ("S$5,000", 5_000, 5_000, "SGD", None, None),
    ("50 000 сомони", 50_000, 50_000, "TJS", None, None),
    ("50 000 сом", 50_000, 50_000, "KGS", None, None),
    ("8-12 млн сум", 8e6, 12e6, "UZS", None, None),
    ("сумма 5000", 5_000, 5_000, None, None, None),
    ("не менее 100 000 руб.", 100_000, None, "RUB", None, None),
    ("не более 100 000 руб.", None, 100_000, "RUB", None, None),
    ("100 000 рублей и выше", 100_000, None, "RUB", None, None),
    ("not less than $3000", 3_000, None, "USD", None, None),
    ("100 000 руб. до НДФЛ", 100_000, 100_000, "RUB", None, True),
    ("15 000 PLN netto", 15_000, 15_000, "PLN", None, False),
    ("$1 000 000-50 000", 1_000_000, 50_000, "USD", None, None),
    ("100 000 руб., тел. +7 727 123-45-67", 100_000, 100_000, "RUB", None, None),
    ("тел. +7 727 123-45-67 2 этаж, 100 000 руб.", 100_000, 100_000, "RUB", None, None),
    ("£70,000 to £90,000 (~$81k to $100k)", 70_000, 90_000, "GBP", None, None),
    ("$100,000 - $125k.", 100_000, 125_000, "USD", None, None),
    ("100KUSD", 100_000, 100_000, "USD", None, None),
    ("оклад 50 тыс., премия до 100%", 50_000, 50_000, None, None, None),
    ("руб/мес 80000", 80_000, 80_000, "RUB", "month", None),
    ("от 0 до 100 000 руб.", None, 100_000, "RUB", None, None),
    ("-100 руб.", None, None, "RUB", None, None),
    ("2023", None, None, None, None, None),
    ("500 руб. за заказ", 500, 500, "RUB", "service", None),
    ("€45.000", 45_000, 45_000, "EUR", None, None),
    (None, None, None, None, None, None),
]


def _read(texts: list[str | None], *, is_title: bool = False) -> list[_Row]:
    found = parse_text(pl.Series(texts, dtype=pl.String), currencies=CURRENCIES, is_title=is_title)
    return found.drop("has_odd_period").rows()


def test_free_text_is_read() -> None:
    for case, found in zip(_CASES, _read([text for text, *_ in _CASES]), strict=True):
        assert found == case[1:], case[0]


_SPACES = [" ", "\u00a0", "\u2009", "\u202f"]
_DASHES = [" - ", "-", " – ", "—", "\u2011", "\u2212"]
_WORDS = [
    ("руб.", "RUB"),
    ("₽", "RUB"),
    ("₸", "KZT"),
    ("тенге", "KZT"),
    ("USD", "USD"),
    ("EUR", "EUR"),
    ("сум", "UZS"),
]
_SYMBOLS = [("$", "USD"), ("€", "EUR"), ("£", "GBP"), ("₸", "KZT"), ("CA$", "CAD")]
_PERIODS = [
    ("", None),
    (" в месяц", "month"),
    ("/мес", "month"),
    (" per year", "year"),
    ("/hr", "hour"),
    (" за смену", "shift"),
]
_TAXES = [("", None), (" на руки", False), (" до вычета налогов", True), (" gross", True), (" net", False)]


# Two bounds that are no further apart than those of pay.
_BOUNDS = st.integers(100, 9_999_999).flatmap(
    lambda one: st.tuples(st.just(one), st.integers(max(100, one // 20), min(9_999_999, one * 20)))
)
_WRITTEN = st.tuples(
    _BOUNDS,
    st.sampled_from(["", ",", *_SPACES]),
    st.sampled_from(_DASHES),
    st.sampled_from(_PERIODS),
    st.sampled_from(_TAXES),
    st.sampled_from(["range", "from", "to", "one"]),
    st.sampled_from(
        [*((code, f"{mark}%s") for mark, code in _SYMBOLS), *((code, f"%s {mark}") for mark, code in _WORDS)]
    ),
)
_Written = tuple[tuple[int, int], str, str, tuple[str, str | None], tuple[str, bool | None], str, tuple[str, str]]


def _write(written: _Written) -> tuple[str, tuple[object, ...]]:
    """The text of a pay, and what should be read out of it."""
    (low, high), separator, dash, (period_text, period), (tax_text, is_gross), shape, (code, money) = written
    first, second = (f"{amount:,}".replace(",", separator) for amount in (low, high))
    text, bounds = {
        "range": (money % f"{first}{dash}{second}", (low, high)),
        "from": ("от " + money % first, (low, None)),
        "to": ("до " + money % first, (None, low)),
        "one": (money % first, (low, low)),
    }[shape]
    return f"{text}{period_text}{tax_text}", (*bounds, code, period, is_gross)


@settings(max_examples=12, deadline=None)
@given(st.lists(_WRITTEN, min_size=1, max_size=60))
def test_what_is_written_out_is_read_back(many: list[_Written]) -> None:
    texts, expected = zip(*(_write(written) for written in many), strict=True)
    assert dict(zip(texts, _read(list(texts)), strict=True)) == dict(zip(texts, expected, strict=True))


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.text(max_size=60), st.text("от до0123456789 .,k$€руб-/", max_size=40)), max_size=40
    )
)
def test_any_text_is_read_without_failing_whatever_stands_beside_it(texts: list[str | None]) -> None:
    found = _read(texts)
    assert len(found) == len(texts)
    assert found == _read(texts[::-1])[::-1]


@pytest.mark.parametrize(
    ("description", "found"),
    [
        ("About us\nSalary: $100,000 - $120,000 per year.", (100_000, 120_000, "USD")),
        ("The annual pay for this role is $95,000", (95_000, 95_000, "USD")),
        ("Perks\n$110K+ salary\n401k", (110_000, None, "USD")),
        ("Remote, full time, salary range $100K – $125K.", (100_000, 125_000, "USD")),
        ("We offer\n€46,000 - €62,000 + shares", (46_000, 62_000, "EUR")),
        ("Заработная плата от 80 000 руб. на руки", (80_000, None, "RUB")),
        ("Доход от 100 000 до 150 000 ₽ в месяц", (100_000, 150_000, "RUB")),
        ("Условия:\n- з/п 60000-90000 рублей", (60_000, 90_000, "RUB")),
        ("Оплата 2500 р. за смену", (2_500, 2_500, "RUB")),
    ],
)
def test_descriptions_name_pay(description: str, found: tuple[float, float | None, str]) -> None:
    assert _described(description)[:3] == found


def _described(description: str | None) -> _Row:
    return parse_description(pl.Series([description], dtype=pl.String), currencies=CURRENCIES).row(0)[:5]


@pytest.mark.parametrize(
    "description",
    [
        "Learning budget: $1,500 per year", "We raised a $20M Series B", "The average salary is $105,000",
        "Salary review every year, $500 allowance", "Премия до 50 000 рублей", "Средняя зарплата по отделу 100 000 р.",
        "Оплата проезда до 3000 руб.", "оборот компании 500 млн руб.", "Компенсация питания 5000 руб.",
        "Competitive salary", "Salary increases of $5,000 each year", None,
    ],
)  # fmt: skip
def test_other_money_in_a_description_is_no_pay(description: str | None) -> None:
    assert _described(description)[:2] == (None, None)


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Senior UX ($110-$190/hr)", (110, 190, "USD", "hour")),
        ("Курьер от 90 000 руб.", (90_000, None, "RUB", None)),
        ("Python 3 developer", (None, None, None, None)),
        ("PHP 8 developer", (None, None, None, None)),
        ("Head of a $5M fund", (None, None, None, None)),
        ("Sales, 60 000 - 80 000", (None, None, None, None)),
        (None, (None, None, None, None)),
    ],
)
def test_titles_name_pay_with_its_currency(title: str | None, found: tuple[object, ...]) -> None:
    assert _read([title], is_title=True)[0][:4] == found
