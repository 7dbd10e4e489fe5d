"""Pay in columns and text made sane, and as monthly dollars."""

import datetime as dt
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.jobs.salary import PAY, load_rates, monthly_usd, normalise
from features.vocabulary.currencies import Currencies

CURRENCIES = Currencies.load(Path(__file__).resolve().parents[3] / "data" / "vocabulary")

RATES = pl.DataFrame(
    {
        "currency": ["USD", "EUR", "RUB", "KZT", "BYN"],
        "as_of_date": [dt.date(2026, 1, 1)] * 5,
        "units_per_usd": [1.0, 0.9, 90.0, 480.0, 3.2],
    }
)


def _given(**columns: object) -> pl.DataFrame:
    schema = {**PAY, "salary_text": pl.String()}
    return pl.DataFrame({name: [columns.get(name)] for name in schema}, schema=schema)


def _one(**columns: object) -> dict[str, object]:
    return normalise(_given(**columns), rates=RATES, currencies=CURRENCIES).row(0, named=True)


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
def test_an_unstated_period_is_inferred_from_currency_and_amount(
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
def test_only_pay_per_time_has_a_monthly_amount(period: str, monthly: float | None) -> None:
    pay = normalise(
        _given(salary_min=100.0, salary_currency="USD", salary_period=period), rates=RATES, currencies=CURRENCIES
    )
    assert pay["salary_period"].to_list() == [period]
    assert monthly_usd(pay, rates=RATES).row(0) == (monthly, None)


def test_an_unknown_currency_makes_no_dollars() -> None:
    pay = normalise(
        _given(salary_min=100.0, salary_currency="XXX", salary_period="month"), rates=RATES, currencies=CURRENCIES
    )
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
    pay = normalise(given, rates=RATES, currencies=CURRENCIES)
    assert pay.height == len(rows)
    for bounds in pay.select("salary_min", "salary_max").iter_rows():
        known = [value for value in bounds if value is not None]
        assert all(0 < value <= 1e9 for value in known) and known == sorted(known)


def test_a_rate_that_is_not_positive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "currencies.csv").write_text("currency,units_per_usd,as_of_date\nUSD,1,2026-01-01\nEUR,0,2026-01-01\n")
    with pytest.raises(ValueError, match="EUR"):
        load_rates(tmp_path / "currencies.csv")


def test_the_text_of_a_title_completes_only_its_own_amounts() -> None:
    shift = _one(salary_min=150_000.0, salary_currency="RUR", salary_text="5000 руб. за смену")
    assert (shift["salary_min"], shift["salary_period"]) == (150_000, "month")
    same = _one(salary_min=5_000.0, salary_max=5_000.0, salary_currency="RUR", salary_text="5000 руб. за смену")
    assert same["salary_period"] == "shift"
    assert _one(salary_min=50.0, salary_currency="USD", salary_text="per hour, gross")["salary_period"] == "hour"


def test_pay_is_converted_at_the_rate_nearest_to_the_publication() -> None:
    rates = pl.DataFrame(
        {
            "currency": ["RUB", "RUB", "USD"],
            "as_of_date": [dt.date(2025, 1, 1), dt.date(2026, 1, 1), dt.date(2026, 1, 1)],
            "units_per_usd": [100.0, 50.0, 1.0],
        }
    )
    pay = pl.concat(
        [normalise(_given(salary_min=1_000.0 * 10, salary_currency="RUR"), rates=rates, currencies=CURRENCIES)] * 4
    )
    at = pl.Series(
        [
            dt.datetime(2020, 5, 1, tzinfo=dt.UTC),
            dt.datetime(2025, 5, 1, tzinfo=dt.UTC),
            dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
            None,
        ]
    )
    assert monthly_usd(pay, rates=rates, at=at)["salary_monthly_usd_min"].to_list() == [100.0, 100.0, 200.0, 200.0]
    assert monthly_usd(pay, rates=rates)["salary_monthly_usd_min"].to_list() == [200.0] * 4


def test_a_currency_has_one_rate_a_date(tmp_path: Path) -> None:
    (tmp_path / "currencies.csv").write_text("currency,units_per_usd,as_of_date\nEUR,1,2026-01-01\nEUR,2,2026-01-01\n")
    with pytest.raises(ValueError, match="once per date"):
        load_rates(tmp_path / "currencies.csv")
    (tmp_path / "currencies.csv").write_text("currency,units_per_usd,as_of_date\nEUR,1,2026-01-02\nEUR,2,2026-01-01\n")
    assert load_rates(tmp_path / "currencies.csv")["units_per_usd"].to_list() == [2, 1]
