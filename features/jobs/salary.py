"""Pay from a source's columns or text as amounts, ISO currency and period, and as monthly US dollars.

Free text is read in salary_text. The caller passes the table of exchange rates.
"""

from pathlib import Path

import polars as pl

from features.jobs.salary_text import MAX_AMOUNT, currency_in, parse_text, period_in
from features.text.normalise import first_true, fold

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
# Currencies of countries that quote pay by the month unless stated otherwise.
_MONTHLY_CURRENCIES = ("RUB", "KZT", "BYN", "UAH", "UZS", "KGS", "GEL", "AZN", "AMD", "TJS", "MDL")


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


def normalise(given: pl.DataFrame, *, rates: pl.DataFrame) -> pl.DataFrame:
    """The columns of PAY, one row per row of `given`: from the source's columns, else from its `salary_text`.

    `given` has PAY's columns in the source's own words, and `salary_text`. Bounds are positive, ordered and finite. A
    missing period is inferred from the currency and the amount, or left null. Text completes given amounts only if it
    names no amounts or the same ones: "shift, 5 000" says nothing about 150,000 a month.
    """
    stated = given.select(
        _sane("salary_min"),
        _sane("salary_max"),
        _currency_code("salary_currency"),
        period_in("salary_period").alias("salary_period"),
        pl.col("salary_gross").cast(pl.Boolean),
    )
    found = parse_text(given["salary_text"])
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
    lower, upper = pl.min_horizontal("salary_min", "salary_max"), pl.max_horizontal("salary_min", "salary_max")
    is_range = pl.col("salary_min").is_not_null() & pl.col("salary_max").is_not_null()
    # "60 - 70000": no range spans a factor of 100, so the lower bound lost its thousands.
    lower = (
        pl.when((lower < 1000) & (lower * 100 <= upper) & (lower * 1000 <= upper)).then(lower * 1000).otherwise(lower)
    )
    ordered = both.select(*amounts, *others).with_columns(
        salary_min=pl.when(is_range).then(lower).otherwise(pl.col("salary_min")),
        salary_max=pl.when(is_range).then(upper).otherwise(pl.col("salary_max")),
    )
    is_paid = pl.col("salary_min").is_not_null() | pl.col("salary_max").is_not_null()
    return (
        ordered.with_columns(units_per_usd=_units_per_usd(ordered["salary_currency"], None, rates=rates))
        .with_columns(salary_period=pl.coalesce("salary_period", _usual_period()))
        .select(pl.when(is_paid).then(pl.col(name)).cast(dtype).alias(name) for name, dtype in PAY.items())
    )


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


def _usual_period() -> pl.Expr:
    amount = pl.max_horizontal("salary_min", "salary_max") / pl.col("units_per_usd")
    is_by_month = pl.col("salary_currency").is_in(_MONTHLY_CURRENCIES)
    return first_true(
        (is_by_month & (amount >= 30), "month"),
        (~is_by_month & (amount >= 15_000), "year"),
        (~is_by_month & (amount >= 300), "month"),
        (~is_by_month & (amount >= 4), "hour"),
    )


def _sane(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_finite() & (value > 0) & (value <= MAX_AMOUNT)).then(value).alias(name)


def _currency_code(name: str) -> pl.Expr:
    code = pl.col(name).str.strip_chars().str.to_uppercase()
    iso = pl.when(code.str.contains(r"^[A-Z]{3}$")).then(code.replace(_RENAMED))
    return pl.coalesce(iso, currency_in(fold(pl.col(name)))).alias(name)
