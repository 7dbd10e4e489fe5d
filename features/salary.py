"""Pay: amounts, currency, period and tax out of columns and free text in Russian and English, and as monthly dollars.

Exchange rates are a table that the caller gives; nothing here looks one up.
"""

from pathlib import Path

import polars as pl

from features.text import fold

PAY = {
    "salary_min": pl.Float64(),
    "salary_max": pl.Float64(),
    "salary_currency": pl.String(),
    "salary_period": pl.String(),
    "salary_gross": pl.Boolean(),
}
# 40 hours x 4.1 weeks; 21 working days; the rest of the calendar.
MONTHS_PER_PERIOD = {"hour": 164.0, "day": 21.0, "week": 52 / 12, "month": 1.0, "year": 1 / 12}
MAX_AMOUNT = 1e9
MAX_MONTHLY_USD = 200_000.0
_RENAMED = {"RUR": "RUB", "BYR": "BYN"}
# Where pay is quoted by the month unless said otherwise.
_MONTHLY_CURRENCIES = ("RUB", "KZT", "BYN", "UAH", "UZS", "KGS", "GEL", "AZN", "AMD", "TJS", "MDL")

_CURRENCY_WORDS = (
    ("CAD", r"ca\$|c\$|cad"),
    ("AUD", r"au\$|a\$|aud"),
    ("USD", r"us\$|\$|usd|долл(?:ар\p{L}*)?|dollars?"),
    ("EUR", r"€|eur|euros?|евро"),
    ("GBP", r"£|gbp"),
    ("KZT", r"₸|kzt|тенге|тнг|тг"),
    ("BYN", r"byn|byr|бел\. ?руб\p{L}*|br"),
    ("RUB", r"₽|rub|rur|руб(?:л\p{L}*)?|р"),
    ("UAH", r"₴|uah|грн|гривен\p{L}*"),
    ("UZS", r"uzs|сум\p{L}*"),
    ("KGS", r"kgs|сом\p{L}*"),
    ("GEL", r"₾|gel|лари"),
    ("AZN", r"₼|azn|манат\p{L}*"),
    ("PLN", r"zł|pln|злот\p{L}*"),
    ("CHF", r"chf"),
    ("INR", r"₹|inr"),
    ("JPY", r"¥|jpy"),
    ("TRY", r"₺|try"),
    ("ILS", r"₪|ils"),
)
_ANY_CURRENCY = "(?:" + "|".join(words for _, words in _CURRENCY_WORDS) + r")\.?"
_NUMBER = r"\d{1,3}(?:[ ,.']\d{3})+(?:[.,]\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?"
_THOUSANDS = r"k|к|тыс(?:яч\p{L}*|\.)?|thousand"
_MILLIONS = r"млн\.?|миллион\p{L}*|mln|million|m"
_TIMES = rf"(?:(?:{_THOUSANDS}|{_MILLIONS})\b\.?)?"
_UNIT = rf"(?:{_ANY_CURRENCY})?"
_GAP = r"(?: ?/ ?\p{L}{1,6}\.?)?"
_RANGE = (
    rf"^\D{{0,60}}?(?P<low>{_NUMBER}) ?(?P<low_times>{_TIMES}) ?{_UNIT}{_GAP} ?(?:-|до|to|and|и|\.\.\.?) ?{_UNIT} ?"
    rf"(?P<high>{_NUMBER}) ?(?P<high_times>{_TIMES})"
)
_ONE = rf"^(?P<before>\D{{0,60}}?)(?P<one>{_NUMBER}) ?(?P<one_times>{_TIMES}) ?{_UNIT} ?(?P<plus>\+?)"

_PERIOD_WORDS = (
    ("fly_in_fly_out", r"вахт|fly[-_ ]?in[-_ ]?fly|rotation"),
    ("shift", r"смен[уаые]?\b|\bshift\b"),
    (
        "service",
        r"за (?:услуг|заказ|проект|выезд)|/ ?(?:услуг|заказ|проект)|\bper[-_ ](?:project|service|task)\b|\bservice\b",
    ),
    ("hour", r"\bчас\b|часов|\bhour\b|\bhourly\b|\bhrs?\b|\bheure\b|/ ?[hч]\b|\bp\.?h\b|\bper[-_]hour"),
    ("day", r"(?:в|за|/) ?день|\b(?:per[-_ ]|a )day\b|/ ?day\b|\bdaily\b|^day$"),
    ("week", r"в неделю|/ ?нед|\b(?:per[-_ ]|a )week\b|/ ?(?:week|wk)\b|\bweekly\b|^week$"),
    ("month", r"(?:в|/) ?мес|\bмес\b|месяц|месячн|\b(?:per[-_]?)?month(?:ly)?\b|/ ?mo\b"),
    (
        "year",
        r"(?:в|/) ?год|годов|/ ?yr?\b|\b(?:per[-_]?)?(?:year(?:ly)?|annual(?:ly)?|annum)\b|\bp\.?a\.?\b",
    ),
)
_GROSS = r"до вычета|gross|before tax|брутто|до налог|грязными"
_NET = r"на руки|\bnet\b|after tax|нетто|чистыми|после вычета"


def load_rates(path: Path) -> pl.DataFrame:
    """`currencies.csv`: one row a currency (ISO 4217) with `units_per_usd`, as of `as_of_date`.

    Raises ValueError naming the currencies whose rate is not a positive number.
    """
    rates = pl.read_csv(
        path, schema_overrides={"currency": pl.String, "units_per_usd": pl.Float64, "as_of_date": pl.String}
    ).select("currency", "units_per_usd")
    wrong = rates.filter(~(pl.col("units_per_usd") > 0).fill_null(value=False))["currency"].to_list()
    if wrong or rates["currency"].is_duplicated().any():
        raise ValueError(f"{path}: units_per_usd must be above 0 and each currency occur once; wrong are {wrong}")
    return rates


def parse_text(texts: pl.Series) -> pl.DataFrame:
    """Free text such as `от 200 000 руб. на руки` or `$31,2k - $52k` as the columns of PAY, a row per text.

    Only what the text says is filled: a number without currency, period or the size of pay is none.
    """
    text = (
        fold(pl.col("text").str.slice(0, 400))
        .str.replace_all(r"[\u{2010}-\u{2015}\u{2212}]", "-")
        .str.replace_all(r"[\u{2019}`´]", "'")
        .str.replace_all(r"\d{10,}", " ")
    )
    parts = (
        pl.DataFrame({"text": texts.cast(pl.String)})
        .lazy()
        .with_columns(text)
        .with_columns(range=pl.col("text").str.extract_groups(_RANGE), one=pl.col("text").str.extract_groups(_ONE))
        .unnest("range", "one")
        .with_columns(
            low=_amount("low", "low_times"),
            high=_amount("high", "high_times"),
            one=_amount("one", "one_times"),
            low_is_bare=pl.col("low_times").fill_null("") == "",
            high_is_scaled=pl.col("high_times").fill_null("") != "",
            salary_currency=_currency_in("text"),
            salary_period=_period_in("text"),
            salary_gross=_gross_in("text"),
        )
    )
    is_range = pl.col("low").is_not_null() & pl.col("high").is_not_null()
    # "60-70k": the multiplier stands once, for both.
    scale = pl.col("high_times").str.contains(rf"^(?:{_MILLIONS})$").replace_strict({True: 1e6, False: 1e3})
    low = (
        pl.when(pl.col("low_is_bare") & pl.col("high_is_scaled") & (pl.col("low") < 1000))
        .then(pl.col("low") * scale)
        .otherwise(pl.col("low"))
    )
    is_upper = pl.col("before").str.contains(r"(?:^|[^\p{L}])(?:до|up to|max(?:imum)?|under|<|≤)[^\p{L}]*$")
    is_lower = pl.col("before").str.contains(
        r"(?:^|[^\p{L}])(?:от|from|min(?:imum)?|starting at|at least|over|>|≥)[^\p{L}]*$"
    ) | (pl.col("plus") == "+")
    bounds = parts.with_columns(
        salary_min=pl.when(is_range).then(low).when(~is_upper).then(pl.col("one")),
        salary_max=pl.when(is_range).then(pl.col("high")).when(~is_lower).then(pl.col("one")),
    )
    is_pay = (
        pl.col("salary_currency").is_not_null()
        | pl.col("salary_period").is_not_null()
        | (pl.max_horizontal("salary_min", "salary_max") >= 1000)
    )
    return bounds.select(
        *(pl.when(is_pay).then(_sane(name)).alias(name) for name in ("salary_min", "salary_max")),
        "salary_currency",
        "salary_period",
        "salary_gross",
    ).collect()


def text_in_title(titles: pl.Series) -> pl.Series:
    """The part of a title that names pay with its currency, such as `$110-$190/hr`; null where there is none."""
    symbol_first = r"(?:от |до |(?i:from |up to ))?(?:US|CA|AU)?[$€£₸₽] ?\d[^()\[\]|]{0,40}"
    amount_first = (
        r"(?:(?i:от|до) )?\d[\d\s.,\u{2010}-\u{2015}-]{2,24}(?:k|к|тыс\.?)? ?(?:₽|₸|€|руб|тенге|тг\b)[^()\[\]|]{0,20}"
    )
    found = titles.str.extract(f"({symbol_first}|{amount_first})", 1)
    # "Head of a $5M fund" is not paid that.
    is_of_something_else = found.str.contains(r"(?i)\d ?(?:m|mln|mm|bn|b|млн|млрд)\b|million|billion")
    return found.set(is_of_something_else.fill_null(value=False), None)


def normalise(given: pl.DataFrame, *, rates: pl.DataFrame) -> pl.DataFrame:
    """The columns of PAY, row by row: what the source gave in columns, else what its `salary_text` says, made sane.

    `given` has PAY's columns in the source's own words, and `salary_text`. Bounds are positive, ordered and finite;
    a period that nobody stated is told from the currency and the size of the amount, or left null.
    """
    stated = given.select(
        _sane("salary_min"),
        _sane("salary_max"),
        _currency_code("salary_currency"),
        _period_in("salary_period").alias("salary_period"),
        pl.col("salary_gross").cast(pl.Boolean),
    )
    found = parse_text(given["salary_text"])
    both = pl.concat([stated, found.select(pl.all().name.suffix("_found"))], how="horizontal")
    has_amount = pl.col("salary_min").is_not_null() | pl.col("salary_max").is_not_null()
    amounts = [
        pl.when(has_amount).then(pl.col(name)).otherwise(pl.col(f"{name}_found")).alias(name)
        for name in ("salary_min", "salary_max")
    ]
    others = [
        pl.coalesce(name, f"{name}_found").alias(name) for name in ("salary_currency", "salary_period", "salary_gross")
    ]
    lower, upper = pl.min_horizontal("salary_min", "salary_max"), pl.max_horizontal("salary_min", "salary_max")
    is_range = pl.col("salary_min").is_not_null() & pl.col("salary_max").is_not_null()
    # "60 - 70000": nobody offers a hundredfold; the lower bound lost its thousands.
    lower = (
        pl.when((lower < 1000) & (lower * 100 <= upper) & (lower * 1000 <= upper)).then(lower * 1000).otherwise(lower)
    )
    ordered = both.select(*amounts, *others).with_columns(
        salary_min=pl.when(is_range).then(lower).otherwise(pl.col("salary_min")),
        salary_max=pl.when(is_range).then(upper).otherwise(pl.col("salary_max")),
    )
    is_paid = pl.col("salary_min").is_not_null() | pl.col("salary_max").is_not_null()
    return (
        ordered.join(rates, left_on="salary_currency", right_on="currency", how="left", maintain_order="left")
        .with_columns(salary_period=pl.coalesce("salary_period", _usual_period()))
        .select(pl.when(is_paid).then(pl.col(name)).cast(dtype).alias(name) for name, dtype in PAY.items())
    )


def monthly_usd(pay: pl.DataFrame, *, rates: pl.DataFrame) -> pl.DataFrame:
    """`salary_monthly_usd_min` and `_max` (US dollars, rounded to cents) of rows with PAY's columns.

    Null where currency or period is unknown, or the period (a shift, a service, a rotation) makes no month.
    """
    factor = pl.col("salary_period").replace_strict(MONTHS_PER_PERIOD, default=None, return_dtype=pl.Float64)
    return (
        pay.select(list(PAY))
        .join(rates, left_on="salary_currency", right_on="currency", how="left", maintain_order="left")
        .select(
            (pl.col(name) * factor / pl.col("units_per_usd"))
            .round(2)
            .alias(name.replace("salary_", "salary_monthly_usd_"))
            for name in ("salary_min", "salary_max")
        )
        .with_columns(pl.when(pl.all() <= MAX_MONTHLY_USD).then(pl.all()))
    )


def _usual_period() -> pl.Expr:
    amount = pl.max_horizontal("salary_min", "salary_max") / pl.col("units_per_usd")
    is_by_month = pl.col("salary_currency").is_in(_MONTHLY_CURRENCIES)
    return (
        pl.when(is_by_month & (amount >= 30))
        .then(pl.lit("month"))
        .when(~is_by_month & (amount >= 15_000))
        .then(pl.lit("year"))
        .when(~is_by_month & (amount >= 300))
        .then(pl.lit("month"))
        .when(~is_by_month & (amount >= 4))
        .then(pl.lit("hour"))
    )


def _amount(number: str, times: str) -> pl.Expr:
    digits = pl.col(number).str.replace_all(r"[ ']", "")
    # A separator before exactly three last digits groups thousands; any other one before one or two is decimal.
    grouped = digits.str.replace_all(r"[.,](\d{3})", "$1").str.replace(",", ".", literal=True)
    scale = (
        pl.when(pl.col(times).str.contains(rf"^(?:{_THOUSANDS})$"))
        .then(1e3)
        .when(pl.col(times).str.contains(rf"^(?:{_MILLIONS})$"))
        .then(1e6)
        .otherwise(1.0)
    )
    return grouped.cast(pl.Float64, strict=False) * scale


def _sane(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_finite() & (value > 0) & (value <= MAX_AMOUNT)).then(value).alias(name)


def _currency_in(name: str) -> pl.Expr:
    edge = r"(?:^|[^\p{L}])"
    return pl.coalesce(
        pl.when(pl.col(name).str.contains(_bounded(words, edge))).then(pl.lit(code)) for code, words in _CURRENCY_WORDS
    )


def _bounded(words: str, edge: str) -> str:
    # Words stand alone ("р" is no part of "работа"), or right behind a digit or a multiplier; symbols stand anywhere.
    return rf"{edge}(?:{words})(?:[^\p{{L}}]|$)|\d ?(?:k|к|тыс\.?|млн\.?|m)? ?(?:{words})(?:[^\p{{L}}]|$)" + "".join(
        f"|{symbol}"
        for symbol in (r"\$", "€", "£", "₸", "₽", "₴", "₾", "₼", "₹", "¥", "₺", "₪")
        if symbol in words.split("|")
    )


def _currency_code(name: str) -> pl.Expr:
    code = pl.col(name).str.strip_chars().str.to_uppercase()
    iso = pl.when(code.str.contains(r"^[A-Z]{3}$")).then(code.replace(_RENAMED))
    return pl.coalesce(iso, _currency_in_folded(name)).alias(name)


def _currency_in_folded(name: str) -> pl.Expr:
    folded = fold(pl.col(name))
    return pl.coalesce(
        pl.when(folded.str.contains(rf"^(?:{words})\.?$")).then(pl.lit(code)) for code, words in _CURRENCY_WORDS
    )


def _period_in(name: str) -> pl.Expr:
    folded = fold(pl.col(name)).str.replace_all(r"[\u{2010}-\u{2015}]", "-")
    return pl.coalesce(pl.when(folded.str.contains(words)).then(pl.lit(period)) for period, words in _PERIOD_WORDS)


def _gross_in(name: str) -> pl.Expr:
    return (
        pl.when(pl.col(name).str.contains(_GROSS))
        .then(pl.lit(value=True))
        .when(pl.col(name).str.contains(_NET))
        .then(pl.lit(value=False))
    )
