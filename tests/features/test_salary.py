"""Pay in free text and in columns, and as monthly dollars."""

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.salary import PAY, load_rates, monthly_usd, normalise, parse_text, text_in_title

RATES = pl.DataFrame({"currency": ["USD", "EUR", "RUB", "KZT", "BYN"], "units_per_usd": [1.0, 0.9, 90.0, 480.0, 3.2]})


_CASES = [
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
    (None, None, None, None, None, None),
]


def test_free_text_is_read() -> None:
    texts = pl.Series([text for text, *_ in _CASES], dtype=pl.String)
    for case, found in zip(_CASES, parse_text(texts).iter_rows(), strict=True):
        assert found == case[1:], case[0]


def _given(**columns: object) -> pl.DataFrame:
    schema = {**PAY, "salary_text": pl.String()}
    return pl.DataFrame({name: [columns.get(name)] for name in schema}, schema=schema)


def _one(**columns: object) -> dict[str, object]:
    return normalise(_given(**columns), rates=RATES).row(0, named=True)


def test_old_codes_become_iso_codes() -> None:
    assert _one(salary_min=5.0e4, salary_currency="RUR")["salary_currency"] == "RUB"
    assert _one(salary_min=2.0e3, salary_currency="BYR")["salary_currency"] == "BYN"
    assert _one(salary_min=2.0e5, salary_currency="₸")["salary_currency"] == "KZT"


def test_columns_win_over_text_and_text_fills_them() -> None:
    assert _one(salary_min=100.0, salary_currency="USD", salary_text="от 5 000 руб.")["salary_min"] == 100
    assert _one(salary_text="от 50 000 руб. на руки") == {
        "salary_min": 50_000,
        "salary_max": None,
        "salary_currency": "RUB",
        "salary_period": "month",
        "salary_gross": False,
    }


def test_swapped_bounds_are_put_in_order() -> None:
    pay = _one(salary_min=90_000.0, salary_max=50_000.0, salary_currency="RUR")
    assert (pay["salary_min"], pay["salary_max"]) == (50_000, 90_000)


@pytest.mark.parametrize("nonsense", [0.0, -5.0, math.nan, math.inf, 1e15])
def test_absurd_amounts_are_unknown(nonsense: float) -> None:
    assert _one(salary_min=nonsense, salary_currency="USD") == dict.fromkeys(PAY)


def test_a_lower_bound_that_lost_its_thousands_gets_them_back() -> None:
    pay = _one(salary_min=60.0, salary_max=70_000.0, salary_currency="EUR")
    assert (pay["salary_min"], pay["salary_max"]) == (60_000, 70_000)


@pytest.mark.parametrize(
    ("amount", "currency", "period"),
    [
        (100_000.0, "USD", "year"),
        (4_000.0, "EUR", "month"),
        (35.0, "USD", "hour"),
        (900_000.0, "KZT", "month"),
        (100.0, "RUB", None),
        (100_000.0, None, None),
        (100_000.0, "XXX", None),
    ],
)
def test_an_unstated_period_is_told_by_currency_and_size(
    amount: float, currency: str | None, period: str | None
) -> None:
    assert _one(salary_min=amount, salary_currency=currency)["salary_period"] == period


@pytest.mark.parametrize(
    ("period", "monthly"),
    [
        ("hour", 16_400.0), ("day", 2_100.0), ("week", 433.33), ("month", 100.0), ("year", 8.33),
        ("shift", None), ("service", None), ("fly_in_fly_out", None),
    ],
)  # fmt: skip
def test_only_pay_for_time_makes_a_month(period: str, monthly: float | None) -> None:
    pay = normalise(_given(salary_min=100.0, salary_currency="USD", salary_period=period), rates=RATES)
    assert pay["salary_period"].to_list() == [period]
    assert monthly_usd(pay, rates=RATES).row(0) == (monthly, None)


def test_an_unknown_currency_makes_no_dollars() -> None:
    pay = normalise(_given(salary_min=100.0, salary_currency="XXX", salary_period="month"), rates=RATES)
    assert monthly_usd(pay, rates=RATES).row(0) == (None, None)


_AMOUNT = st.one_of(st.none(), st.floats())
_WORDS = st.one_of(st.none(), st.text(alphabet="от до0123456789 .,k$руб-", max_size=30))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(_AMOUNT, _AMOUNT, st.sampled_from([None, "RUR", "USD", "xx", "€"]), _WORDS), max_size=40))
def test_bounds_are_ordered_positive_and_finite(
    rows: list[tuple[float | None, float | None, str | None, str | None]],
) -> None:
    schema = {
        "salary_min": pl.Float64,
        "salary_max": pl.Float64,
        "salary_currency": pl.String,
        "salary_text": pl.String,
    }
    given = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.lit(None, pl.String).alias("salary_period"), pl.lit(None, pl.Boolean).alias("salary_gross")
    )
    pay = normalise(given, rates=RATES)
    assert pay.height == len(rows)
    for bounds in pay.select("salary_min", "salary_max").iter_rows():
        known = [value for value in bounds if value is not None]
        assert all(0 < value <= 1e9 for value in known) and known == sorted(known)


def test_a_rate_that_is_not_positive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "currencies.csv").write_text("currency,units_per_usd,as_of_date\nUSD,1,2026-01-01\nEUR,0,2026-01-01\n")
    with pytest.raises(ValueError, match="EUR"):
        load_rates(tmp_path / "currencies.csv")


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Senior UX ($110-$190/hr)", "$110-$190/hr"),
        ("Курьер от 90 000 руб.", "от 90 000 руб."),
        ("Python 3 developer", None),
        ("Head of a $5M fund", None),
        (None, None),
    ],
)
def test_titles_name_pay_with_its_currency(title: str | None, found: str | None) -> None:
    assert text_in_title(pl.Series([title], dtype=pl.String)).to_list() == [found]
