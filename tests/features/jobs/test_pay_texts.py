"""Pay as boards write it: a table of texts in many currencies and languages, and properties of any text."""

import datetime as dt
import random
from pathlib import Path

import polars as pl
import pytest
from babel import localedata
from babel.core import get_global
from babel.numbers import format_currency, get_territory_currencies
from hypothesis import given, settings
from hypothesis import strategies as st

from features.jobs.postings import Vocabulary, normalise
from features.jobs.salary_text import parse_description, parse_text
from features.schemas.bronze import POSTINGS

VOCABULARY = Vocabulary.load(Path(__file__).resolve().parents[3] / "data" / "vocabulary")
TABLE = Path(__file__).with_name("pay_texts.tsv")
AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
LOCALES = sorted(localedata.locale_identifiers())
CURRENCIES = sorted(
    {
        currency
        for country in get_global("territory_languages")
        if len(country) == 2
        for currency in get_territory_currencies(country)
    }
)
_AMOUNTS = st.one_of(
    st.integers(100, 9_999_999).map(float), st.integers(500, 40_000).map(lambda cents: cents / 100), st.just(12_345.0)
)
_PAYS = st.tuples(_AMOUNTS, st.sampled_from(LOCALES), st.sampled_from([*CURRENCIES, "USD", "EUR", "GBP", "RUB", "INR"]))
_STATED = [
    "$90,000 - $110,000 per year", "от 80 000 до 120 000 руб. на руки", "45.000 € bis 55.000 € im Jahr", "£45k+",
    "up to A$130k", "12 000 - 16 000 zł netto", "₹8,00,000 - ₹12,00,000 per annum", "SEK 45 000 per månad",
]  # fmt: skip
_PERKS = [
    " + bonus",
    " plus a $5,000 signing bonus",
    "; $1,000 home office stipend",
    ", relocation up to $10,000",
    " + 10% bonus",
    " + equity",
    ", 401(k) with 4% match",
    ". Wellness allowance: €50",
    " + премия до 30 000 руб.",
    ", компенсация спорта 20 000 руб.",
    " (bonus up to £5,000)",
    ". Referral bonus of 2 000 USD",
    " plus 1.000 € Weihnachtsgeld-Bonus",
]


def _rows() -> list[list[str]]:
    return [(line.split("\t") + [""] * 7)[:7] for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]


def _alternatives(cell: str, *, is_number: bool) -> list[object] | None:
    """What a cell of the table allows: values separated by |, nothing for null; None for "?", which allows anything."""
    if cell == "?":
        return None
    return [None if not one else float(one) if is_number else one for one in cell.split("|")]


@pytest.fixture(scope="module")
def read() -> list[dict[str, object]]:
    made = [
        {
            "job_id": f"x:{number}", "source": "x", "source_id": str(number), "seen_at": AT, "content_hash": "h",
            "country": country or None, "title": text if where == "title" else "Engineer",
            "salary_text": text if where == "salary" else None, "description": text if where == "description" else None,
        }
        for number, (where, country, text, *_) in enumerate(_rows())
    ]  # fmt: skip
    frame = POSTINGS.conform(pl.DataFrame(made, schema_overrides=dict(POSTINGS.columns), infer_schema_length=None))
    return normalise(frame, vocabulary=VOCABULARY, normaliser="v").to_dicts()


@pytest.mark.parametrize("number", range(len(_rows())))
def test_every_text_of_the_table_is_read_right(number: int, read: list[dict[str, object]]) -> None:
    where, country, text, *cells = _rows()[number]
    for name, cell in zip(("min", "max", "currency", "period"), cells, strict=True):
        allowed = _alternatives(cell, is_number=name in ("min", "max"))
        found = read[number][f"salary_{name}"]
        assert allowed is None or found in allowed, f"{name} of {where} {country} {text!r}: {found!r}, not {allowed}"


# Their sign means another currency where no country is known: $ is of the United States, Br of Belarus.
USUALLY_ANOTHER = {
    code for sign in ("$", "br") if (known := VOCABULARY.currencies.meanings(sign)) is not None for code in known.codes
}


@settings(max_examples=40, deadline=None)
@given(st.lists(_PAYS, min_size=1, max_size=60))
def test_an_amount_in_any_locale_and_currency_is_read_as_itself_or_not_at_all(
    pays: list[tuple[float, str, str]],
) -> None:
    texts = [format_currency(amount, currency, locale=locale) for amount, locale, currency in pays]
    found = parse_text(pl.Series(texts), currencies=VOCABULARY.currencies)
    for text, (amount, _, currency), row in zip(texts, pays, found.iter_rows(named=True), strict=True):
        digits = {amount, float(round(amount))}  # a currency may have no cents
        assert row["salary_min"] is None or row["salary_min"] in digits, text
        assert row["salary_max"] is None or row["salary_max"] in digits, text
        assert row["salary_currency"] in (None, currency) or currency in USUALLY_ANOTHER, text


def test_most_locales_and_currencies_are_read_at_all() -> None:
    draw = random.Random(7)
    pays = [(draw.randint(1_000, 999_999), draw.choice(LOCALES), draw.choice(CURRENCIES)) for _ in range(1_000)]
    texts = pl.Series([format_currency(amount, currency, locale=locale) for amount, locale, currency in pays])
    found = parse_text(texts, currencies=VOCABULARY.currencies)
    right = [row[0] == amount for row, (amount, *_) in zip(found.iter_rows(), pays, strict=True)]
    assert sum(right) > 950


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_STATED), st.lists(st.sampled_from(_PERKS), min_size=1, max_size=3))
def test_a_perk_beside_the_pay_never_changes_it(stated: str, perks: list[str]) -> None:
    alone, beside = (
        parse_text(pl.Series([text]), currencies=VOCABULARY.currencies).row(0, named=True)
        for text in (stated, stated + "".join(perks))
    )
    for name in ("salary_min", "salary_currency"):
        assert beside[name] in (alone[name], None), stated + "".join(perks)
    assert beside["salary_max"] in (alone["salary_max"], None), stated + "".join(perks)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(_PERKS), min_size=1, max_size=4))
def test_perks_alone_are_no_pay(perks: list[str]) -> None:
    text = "We offer:" + "".join(perks)
    found = parse_description(pl.Series([text]), currencies=VOCABULARY.currencies).row(0)
    assert found[:2] == (None, None), text


_BETWEEN = [
    "{} - {}",
    "from {} to {}",
    "between {} and {}",
    "от {} до {}",
    "від {} до {}",
    "von {} bis {}",
    "zwischen {} und {}",
    "de {} à {}",
    "entre {} et {}",
    "entre {} y {}",
    "de {} a {}",
    "entre {} e {}",
    "da {} a {}",
    "tra {} e {}",
    "od {} do {}",
    "van {} tot {}",
    "tussen {} en {}",
    "från {} till {}",
    "fra {} til {}",
    "nuo {} iki {}",
    "no {} līdz {}",
    "{} ~ {}",
    "{}…{}",
    "{} → {}",
    "{}/{}",
]
_MONEY = [
    ("{} EUR", "EUR"),
    ("€{}", "EUR"),
    ("{} zł", "PLN"),
    ("PLN {}", "PLN"),
    ("{} Kč", "CZK"),
    ("CHF {}", "CHF"),
    ("{} руб.", "RUB"),
    ("{} грн", "UAH"),
    ("{} ₸", "KZT"),
    ("RM {}", "MYR"),
    ("NT${}", "TWD"),
    ("{} so'm", "UZS"),
]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(11, 99), st.integers(1, 9), st.sampled_from(_BETWEEN), st.sampled_from(_MONEY), st.sampled_from(" .,")
)
def test_a_range_has_two_bounds_in_every_language(
    thousands: int, more: int, words: str, money: tuple[str, str], separator: str
) -> None:
    written, currency = money
    bounds = [f"{number}{separator}500" for number in (thousands, thousands + more)]
    text = words.format(*(written.format(bound) for bound in bounds))
    found = parse_text(pl.Series([text]), currencies=VOCABULARY.currencies).row(0)
    assert found[:3] == (thousands * 1000 + 500, (thousands + more) * 1000 + 500, currency), text


_SINGLE = ["{} 45.000 €", "{} - 60.000 - 70.000 EUR", "{} 250,000 - 300,000 JPY", "{}, от 80 000 руб.", "{} $45,000"]
_GENDERS = ["(m/w/d)", "(w/m/d)", "(f/m/x)", "m/f", "F/H", "H/F", "(K/M)", "(v/m)", "(ž/m)", "(m/v)", "W/M", "(h/f/x)"]


@pytest.mark.parametrize("marker", _GENDERS)
@pytest.mark.parametrize("written", _SINGLE)
def test_letters_for_genders_are_no_period(marker: str, written: str) -> None:
    texts = pl.Series([f"Ops {written.format(one)}" for one in (marker, "team")])
    marked, plain = parse_text(texts, currencies=VOCABULARY.currencies, is_title=True).rows()
    assert marked == plain


_UNKNOWN_WORDS = st.text("bcdfgjlnoqvwxz", min_size=4, max_size=9).filter(lambda word: set(word) & set("bcdfg"))


@settings(max_examples=80, deadline=None)
@given(_UNKNOWN_WORDS, st.sampled_from(["$30 per {}", "45 000 руб. за {}", "120 €/{}", "300 € par {}", "€50 pro {}"]))
def test_a_period_that_is_unknown_never_becomes_another(word: str, written: str) -> None:
    text = written.format(word)
    found = parse_text(pl.Series([text]), currencies=VOCABULARY.currencies).row(0, named=True)
    assert found["salary_min"] is not None, text
    assert (found["salary_period"], found["has_odd_period"]) == (None, True), text


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 998), _UNKNOWN_WORDS, st.sampled_from(["USD", "euro", "руб.", "лв.", "kr", "dong"]))
def test_a_word_between_a_small_number_and_its_currency_may_be_a_multiplier(n: int, word: str, money: str) -> None:
    texts = pl.Series([f"{n} {word} {money}", f"{n}-{n + 1} {word} {money}", f"{n} до {n + 1} {word} {money}"])
    for text, row in zip(texts, parse_text(texts, currencies=VOCABULARY.currencies).rows(), strict=True):
        assert row[:2] == (None, None), text
