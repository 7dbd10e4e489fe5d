"""Pay from a source's columns or text as amounts, ISO currency and period, and as monthly US dollars.

Free text is read in salary_text. The caller passes the table of exchange rates.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from features.jobs.pay_amounts import MAX_AMOUNT
from features.jobs.salary_text import FOUND, currency_in, parse_text, period_in
from features.text.normalise import first_true
from features.vocabulary.currencies import Currencies

PAY = {
    "salary_min": pl.Float64(),
    "salary_max": pl.Float64(),
    "salary_currency": pl.String(),
    "salary_period": pl.String(),
    "salary_gross": pl.Boolean(),
}
# 40 hours x 4.1 weeks; 21 working days; calendar weeks and years.
MONTHS_PER_PERIOD = {"hour": 164.0, "day": 21.0, "week": 52 / 12, "month": 1.0, "year": 1 / 12}
MAX_MONTHLY_USD = 200_000.0
_RENAMED = {"RUR": "RUB", "BYR": "BYN"}
_CODE = re.compile(r"[A-Z]{3}")
# Currencies of countries that quote pay by the month unless stated otherwise.
_MONTHLY_CURRENCIES = ("RUB", "KZT", "BYN", "UAH", "UZS", "KGS", "GEL", "AZN", "AMD", "TJS", "MDL")
# Currencies in which a small amount is pay per hour; in others, 200 dollars may be a month's pay.
_HOURLY_CURRENCIES = ("USD", "EUR", "GBP", "CAD", "AUD", "NZD", "CHF", "SGD")
# A usual month's pay in US dollars, rounded, where pay is stated per month or per year.
_TYPICAL_MONTHLY_USD = {
    "AED": 3500, "ARS": 700, "BDT": 200, "BGN": 1400, "BRL": 600, "CLP": 950, "CNY": 1400, "COP": 450, "CZK": 1900,
    "DKK": 6000, "EGP": 250, "HKD": 2500, "HUF": 1700, "IDR": 300, "ILS": 3500, "INR": 300, "ISK": 5000, "JPY": 2600,
    "KES": 400, "KRW": 2900, "LKR": 200, "MAD": 500, "MNT": 500, "MXN": 800, "MYR": 800, "NGN": 150, "NOK": 5000,
    "NPR": 200, "PEN": 550, "PHP": 400, "PKR": 200, "PLN": 2000, "QAR": 3000, "RON": 1700, "RSD": 1300, "SAR": 2500,
    "SEK": 3500, "THB": 600, "TMT": 500, "TRY": 1000, "TWD": 1700, "UYU": 1000, "VND": 450, "ZAR": 1400,
}  # fmt: skip


def load_rates(path: Path) -> pl.DataFrame:
    """`currencies.csv`: `units_per_usd` of a currency (ISO 4217) on `as_of_date`; a currency may have several dates.

    Columns currency, as_of_date, units_per_usd, sorted. Raises ValueError with the currencies whose rate is not a
    positive number or occurs twice on one date.
    """
    rates = pl.read_csv(
        path, schema_overrides={"currency": pl.String, "units_per_usd": pl.Float64, "as_of_date": pl.Date}
    ).select("currency", "as_of_date", "units_per_usd")
    is_wrong = ~(pl.col("units_per_usd") > 0) | pl.struct("currency", "as_of_date").is_duplicated()
    wrong = rates.filter(is_wrong.fill_null(value=True))["currency"].to_list()
    if wrong:
        raise ValueError(
            f"{path}: units_per_usd must be above 0, and a currency must occur once per date; wrong: {wrong}"
        )
    return rates.sort("currency", "as_of_date")


def normalise(
    given: pl.DataFrame, *, rates: pl.DataFrame, currencies: Currencies, countries: Sequence[str | None] | None = None
) -> pl.DataFrame:
    """The columns of PAY, one row per row of `given`: from the source's columns, else from its `salary_text`.

    `given` has PAY's columns in the source's own words, and `salary_text`. Bounds are positive, ordered and finite. A
    missing period is inferred from the currency and the amount, or left null. Text completes given amounts only if it
    names no amounts or the same ones: "shift, 5 000" says nothing about 150,000 a month. `countries` (ISO 3166) decide
    what a sign such as $ or kr means. An absurd amount of the text is none.
    """
    found = parse_text(given["salary_text"], currencies=currencies, countries=countries)
    sound = plausible(found, rates=rates, max_monthly_usd=MAX_MONTHLY_USD)
    return complete(_stated(given, currencies, countries), sound, rates=rates)


def plausible(found: pl.DataFrame, *, rates: pl.DataFrame, max_monthly_usd: float) -> pl.DataFrame:
    """FOUND's columns, null where the amount exceeds `max_monthly_usd` even as pay per year: "$10M Series A"."""
    months = pl.col("salary_period").replace_strict(MONTHS_PER_PERIOD, default=1 / 12, return_dtype=pl.Float64)
    monthly = pl.max_horizontal("salary_min", "salary_max") * months / pl.col("units_per_usd")
    is_absurd = (monthly > max_monthly_usd).fill_null(value=False)
    return (
        found.with_columns(units_per_usd=_units_per_usd(found["salary_currency"], None, rates=rates))
        .select(pl.when(~is_absurd).then(pl.col(name)) for name in FOUND)
        .with_columns(pl.col("has_odd_period").fill_null(value=False))
    )


def complete(stated: pl.DataFrame, found: pl.DataFrame, *, rates: pl.DataFrame) -> pl.DataFrame:
    """The columns of PAY: those of `stated` (FOUND's columns of a source), completed by those `found` in its text."""
    both = pl.concat([stated, found.select(pl.all().name.suffix("_found"))], how="horizontal")
    has_amount = pl.col("salary_min").is_not_null() | pl.col("salary_max").is_not_null()
    amounts = [
        pl.when(has_amount).then(pl.col(name)).otherwise(pl.col(f"{name}_found")).alias(name)
        for name in ("salary_min", "salary_max")
    ]
    names_same = pl.all_horizontal(
        pl.col(f"{name}_found").is_null() | (pl.col(f"{name}_found") == pl.col(name)).fill_null(value=False)
        for name in ("salary_min", "salary_max")
    )
    others = [
        pl.coalesce(name, pl.when(names_same | ~has_amount).then(f"{name}_found")).alias(name)
        for name in ("salary_currency", "salary_period", "salary_gross")
    ]
    is_odd = pl.col("has_odd_period") | (pl.col("has_odd_period_found") & (names_same | ~has_amount))
    ordered = both.select(*amounts, *others, is_odd.alias("is_odd")).with_columns(*_ordered())
    is_paid = pl.col("salary_min").is_not_null() | pl.col("salary_max").is_not_null()
    return (
        ordered.with_columns(units_per_usd=_units_per_usd(ordered["salary_currency"], None, rates=rates))
        .with_columns(salary_period=pl.coalesce("salary_period", pl.when(~pl.col("is_odd")).then(_usual_period())))
        .select(pl.when(is_paid).then(pl.col(name)).cast(dtype).alias(name) for name, dtype in PAY.items())
    )


def unstated(n_rows: int) -> pl.DataFrame:
    """FOUND's columns of a source that states no pay."""
    frame = pl.DataFrame(
        [pl.repeat(None, n_rows, dtype=dtype, eager=True).alias(name) for name, dtype in FOUND.items()]
    )
    return frame.with_columns(has_odd_period=pl.lit(value=False))


def monthly_usd(pay: pl.DataFrame, *, rates: pl.DataFrame, at: pl.Series | None = None) -> pl.DataFrame:
    """`salary_monthly_usd_min` and `_max` (US dollars, rounded to cents) of rows with PAY's columns.

    Converted at the rate nearest to the times `at` (of publication), else at the newest. Null if currency or period is
    unknown, or if the period (a shift, a service, a rotation) has no length in months.
    """
    factor = pl.col("salary_period").replace_strict(MONTHS_PER_PERIOD, default=None, return_dtype=pl.Float64)
    return (
        pay.select(list(PAY))
        .with_columns(units_per_usd=_units_per_usd(pay["salary_currency"], at, rates=rates))
        .select(
            (pl.col(name) * factor / pl.col("units_per_usd"))
            .round(2)
            .alias(name.replace("salary_", "salary_monthly_usd_"))
            for name in ("salary_min", "salary_max")
        )
        .with_columns(pl.when(pl.all() <= MAX_MONTHLY_USD).then(pl.all()))
    )


def _units_per_usd(currencies: pl.Series, at: pl.Series | None, *, rates: pl.DataFrame) -> pl.Series:
    """Rate of each row's currency on the date nearest to `at`, or the newest if that is null; null if unknown."""
    newest = rates["as_of_date"].max()
    dates = pl.lit(None, pl.Date) if at is None else at.dt.date()
    rows = (
        pl.DataFrame({"currency": currencies})
        .with_columns(as_of_date=dates)
        .with_columns(pl.col("as_of_date").fill_null(pl.lit(newest, pl.Date)))
    )
    distinct = rows.unique().drop_nulls().sort("as_of_date")
    known = distinct.join_asof(
        rates.sort("as_of_date"), on="as_of_date", by="currency", strategy="nearest", check_sortedness=False
    )
    return rows.join(known, on=["currency", "as_of_date"], how="left", maintain_order="left")["units_per_usd"]


def _ordered() -> list[pl.Expr]:
    """The bounds in order. "60 - 70000": no range spans a factor of 100, so the lower bound lost its thousands."""
    lower, upper = pl.min_horizontal("salary_min", "salary_max"), pl.max_horizontal("salary_min", "salary_max")
    is_range = pl.col("salary_min").is_not_null() & pl.col("salary_max").is_not_null()
    has_lost_thousands = (lower < 1000) & (lower * 100 <= upper) & (lower * 1000 <= upper)
    lower = pl.when(has_lost_thousands).then(lower * 1000).otherwise(lower)
    return [
        pl.when(is_range).then(bound).otherwise(pl.col(name)).alias(name)
        for name, bound in (("salary_min", lower), ("salary_max", upper))
    ]


def _usual_period() -> pl.Expr:
    """The period that the amount suggests on the scale of its currency; an hour only where pay by the hour is usual."""
    amount = pl.max_horizontal("salary_min", "salary_max") / pl.col("units_per_usd")
    in_typical_months = amount / pl.col("salary_currency").replace_strict(
        _TYPICAL_MONTHLY_USD, default=None, return_dtype=pl.Float64
    )
    is_by_month = pl.col("salary_currency").is_in(_MONTHLY_CURRENCIES)
    is_by_hour = pl.col("salary_currency").is_in(_HOURLY_CURRENCIES)
    return first_true(
        (is_by_month & amount.is_between(30, 20_000), "month"),
        (is_by_hour & amount.is_between(15_000, 1_000_000), "year"),
        (is_by_hour & amount.is_between(300, 15_000, closed="left"), "month"),
        (is_by_hour & amount.is_between(4, 300, closed="left"), "hour"),
        (in_typical_months.is_between(0.3, 5), "month"),
        (in_typical_months.is_between(6.5, 120), "year"),
    )


def _stated(given: pl.DataFrame, currencies: Currencies, countries: Sequence[str | None] | None) -> pl.DataFrame:
    """The source's columns as FOUND."""
    named = [
        _currency_of(word, country, currencies) if word else None
        for word, country in zip(given["salary_currency"].to_list(), countries or [None] * given.height, strict=True)
    ]
    words = given["salary_period"].cast(pl.String)
    periods = {word: period_in(word) for word in words.drop_nulls().unique().to_list()}
    return given.select(
        _sane("salary_min"),
        _sane("salary_max"),
        pl.Series("salary_currency", named, dtype=pl.String),
        words.replace_strict({word: one for word, (one, _) in periods.items()}, default=None, return_dtype=pl.String),
        pl.col("salary_gross").cast(pl.Boolean),
        words.is_in([word for word, (_, is_odd) in periods.items() if is_odd])
        .fill_null(value=False)
        .alias("has_odd_period"),
    )


def _currency_of(word: str, country: str | None, currencies: Currencies) -> str | None:
    code = word.strip().upper()
    return (
        _RENAMED.get(code, code) if _CODE.fullmatch(code) else currency_in(word, currencies=currencies, country=country)
    )


def _sane(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_finite() & (value > 0) & (value <= MAX_AMOUNT)).then(value).alias(name)
