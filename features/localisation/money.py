"""Pay as a reader writes it: numbers, signs of currencies and periods by the reader's language (Unicode CLDR)."""

from functools import cache

import polars as pl
from babel import Locale
from babel.numbers import format_decimal, get_currency_symbol

from features.localisation.words import in_words

_BOUNDS = ("salary_min", "salary_max")
_FROM = {"en": "from {}", "ru": "от {}"}
_UP_TO = {"en": "up to {}", "ru": "до {}"}
_GROSS = {"en": "before tax", "ru": "до вычета налогов"}
# Signs that Russian readers write where CLDR has only the code.
_SIGNS = {"ru": {"KZT": "₸", "UAH": "₴", "GEL": "₾", "BYN": "Br", "UZS": "сум", "KGS": "сом", "AMD": "драм"}}


def pay(language: str) -> pl.Expr:
    """Pay of the columns salary_min, salary_max, salary_currency, salary_period and salary_gross as a text.

    Null without an amount. Amounts that are not finite are left out.
    """
    low, high = (_amounts(name, language) for name in _BOUNDS)
    before, after = _affixes(language)
    written = pl.format("{}{}{}", before, pl.coalesce(low, high), after)
    is_one = low.is_null() | high.is_null() | (low == high)
    amount = (
        pl.when(~is_one)
        .then(pl.format("{}{}–{}{}", before, low, high, after))
        .when(low.is_not_null() & high.is_not_null())
        .then(written)
        .when(low.is_not_null())
        .then(pl.format(_FROM[language], written))
        .when(high.is_not_null())
        .then(pl.format(_UP_TO[language], written))
    )
    period = in_words("salary_period", language)
    gross = pl.when("salary_gross").then(pl.lit(f", {_GROSS[language]}"))
    said = pl.concat_str(amount, pl.format(" {}", period).fill_null(""), gross.fill_null(""))
    return pl.when(amount.is_not_null()).then(said)


def number(value: float, language: str) -> str:
    """A number with the separators of the language; no decimals for a whole number, else two."""
    return str(format_decimal(value, format="#,##0.00" if value != int(value) else "#,##0", locale=language))


def _amounts(name: str, language: str) -> pl.Expr:
    """The amounts as numbers of the language. Each distinct one is written once: there are far fewer than jobs."""
    amount = pl.col(name).cast(pl.Float64)
    known = pl.when(amount.is_finite() & (amount >= 0)).then(amount)
    return known.map_batches(lambda values: _each(values, language), return_dtype=pl.String)


def _each(values: pl.Series, language: str) -> pl.Series:
    distinct = values.drop_nulls().unique()
    texts = pl.Series([number(value, language) for value in distinct], dtype=pl.String)
    return values.replace_strict(distinct, texts, default=None, return_dtype=pl.String)


def _affixes(language: str) -> tuple[pl.Expr, pl.Expr]:
    """What stands before and after an amount in each currency."""

    def part(which: int) -> pl.Expr:
        def written(currencies: pl.Series) -> pl.Series:
            distinct = currencies.drop_nulls().unique()
            texts = pl.Series([_affix(code, language)[which] for code in distinct], dtype=pl.String)
            return currencies.replace_strict(distinct, texts, default="", return_dtype=pl.String).fill_null("")

        return pl.col("salary_currency").map_batches(written, return_dtype=pl.String)

    return part(0), part(1)


@cache
def _affix(currency: str, language: str) -> tuple[str, str]:
    sign = _SIGNS.get(language, {}).get(currency) or str(get_currency_symbol(currency, locale=language))
    if Locale(language).currency_formats["standard"].pattern.startswith("¤"):
        return (sign if not sign[-1].isalpha() else f"{sign}\u00a0"), ""
    return "", f"\u00a0{sign}"
