"""Pay in Russian and English free text: the part of a text that names it, its amounts, currency, period and tax.

Columns of a source, exchange rates and plausible amounts are in salary.
"""

import polars as pl

from features.text.normalise import first_match, first_true, fold, lines_with

MAX_AMOUNT = 1e9
_MAX_DESCRIPTION_CHARACTERS = 8_000
# Longer words before their prefixes. Symbols match anywhere; letters match alone or beside a digit.
_CURRENCY_SYMBOLS = (
    ("CAD", r"ca\$|c\$"), ("AUD", r"au\$|a\$"), ("NZD", r"nz\$"), ("HKD", r"hk\$"), ("SGD", r"sg?\$"),
    ("MXN", r"mx\$"), ("BRL", r"r\$"), ("USD", r"us ?\$|\$"), ("EUR", "€"), ("GBP", "£"), ("KZT", "₸"), ("RUB", "₽"),
    ("UAH", "₴"), ("GEL", "₾"), ("AZN", "₼"), ("AMD", "֏"), ("INR", "₹"), ("JPY", "¥"), ("TRY", "₺"), ("ILS", "₪"),
    ("KRW", "₩"), ("VND", "₫"), ("PHP", "₱"), ("THB", "฿"), ("NGN", "₦"), ("PLN", "zł"), ("CZK", "kč"),
)  # fmt: skip
_CURRENCY_WORDS = (
    ("BYN", r"byn|byr|бел\.? ?руб\p{L}*|белорусск\p{L}+ руб\p{L}*|br"),
    ("USD", r"usd|долл(?:ар\p{L}*)?|dollars?|бакс\p{L}*"),
    ("EUR", r"eur|euros?|евро"),
    ("GBP", r"gbp|pounds?|фунт\p{L}*"),
    ("KZT", r"kzt|тенге|тнг|тг"),
    ("RUB", r"rub|rur|руб(?:л\p{L}*)?|р"),
    ("UAH", r"uah|грн|гривен\p{L}*"),
    ("UZS", r"uzs|сум(?:ов|ам|ы)?"),
    ("TJS", r"tjs|сомони"),
    ("KGS", r"kgs|сом(?:ов|ам|а)?"),
    ("GEL", r"gel|лари"),
    ("AZN", r"azn|манат\p{L}*"),
    ("AMD", r"amd|драм\p{L}*"),
    ("MDL", r"mdl|ле[йи]"),
    ("PLN", r"pln|злот\p{L}*"),
    ("INR", r"inr|lpa|rs"),
    ("CZK", r"czk|крон\p{L}*"),
    *((code, code.lower()) for code in (
        "CAD", "AUD", "NZD", "HKD", "SGD", "MXN", "BRL", "CHF", "JPY", "TRY", "ILS", "SEK", "NOK", "DKK", "HUF", "RON",
        "CNY", "AED", "SAR", "QAR", "ZAR", "THB", "PHP", "IDR", "MYR", "TWD", "ARS", "COP", "CLP", "PEN", "RSD", "BGN",
    )),
)  # fmt: skip
_SYMBOL = "(?:" + "|".join(words for _, words in _CURRENCY_SYMBOLS) + ")"
_WORD = "(?:" + "|".join(words for _, words in _CURRENCY_WORDS) + ")"
_CURRENCY_AFTER = rf"(?:{_SYMBOL}|{_WORD}\b\.?)"
_CURRENCY_BEFORE = rf"(?:{_SYMBOL}|\b{_WORD}\.?)(?: ?/ ?\p{{L}}{{1,6}}\.?)?:?"
_NUMBER = r"\d{1,2}(?:,\d{2})+,\d{3}|\d{1,3}(?:[ ,.']\d{3})+(?:[.,]\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?"
_THOUSANDS = r"k|к|тыс(?:яч\p{L}*|\.)?|thousand"
_HUNDRED_THOUSANDS = r"lpa|lakhs?|lacs?"
_MILLIONS = r"млн\.?|миллион\p{L}*|mln|million|m"
_TIMES = rf"(?:(?:{_THOUSANDS}|{_HUNDRED_THOUSANDS}|{_MILLIONS})\b\.?)?"
_DASH = r"(?:-|до|to|and|и|bis|\.\.\.?)"
_UNIT = rf"(?:{_CURRENCY_AFTER})?"
_GAP = r"(?: ?/ ?\p{L}{1,6}\.?)?"
_RANGE = (
    rf"^\D{{0,60}}?(?P<low>{_NUMBER}) ?(?P<low_times>{_TIMES}) ?{_UNIT}{_GAP} ?{_DASH} ?(?:{_CURRENCY_BEFORE})? ?"
    rf"(?P<high>{_NUMBER}) ?(?P<high_times>{_TIMES})"
)
_ONE = rf"^(?P<before>\D{{0,60}}?)(?P<one>{_NUMBER}) ?(?P<one_times>{_TIMES}) ?{_UNIT}{_GAP} ?(?P<after>[^\d]{{0,12}})"
_UPPER = r"не более|не выше|максимум|no more than|not more than|less than|up ?to|max(?:imum)?|under|bis zu|до|<|≤"
_LOWER = (
    r"не менее|не ниже|минимум|not? less than|at least|starting (?:at|from)|more than|min(?:imum)?|from|over|свыше"
    r"|более|от|ab|>|≥"
)
_BOUND = rf"(?:^|[^\p{{L}}])({_UPPER}|{_LOWER})[^\p{{L}}\d]*(?:{_SYMBOL}|{_WORD})?[^\p{{L}}\d]*$"
_OR_MORE = r"^(?:\+|и (?:выше|более)|and (?:up|above|more)|or more)"
# The start of the pay in a text: a number with a currency beside it, alone or at the end of a range.
_MONEY = (
    rf"((?:(?:{_UPPER}|{_LOWER})[^\p{{L}}\d]{{0,3}})?"
    rf"(?:{_CURRENCY_BEFORE} ?\d"
    rf"|(?:{_NUMBER}) ?{_TIMES} ?(?:{_GAP} ?{_DASH} ?(?:{_NUMBER}) ?{_TIMES} ?)?{_CURRENCY_AFTER})"
    r".*)$"
)
# Numbers other than pay: years of experience, terms, shares, work patterns, 401(k).
_NO_PAY = (
    rf"(?:(?:{_UPPER}|{_LOWER}) )?(?:^|[^\d.,'])(?:\d{{1,3}} ?- ?)?\d{{1,3}}(?:[.,]\d)? ?\+? ?"
    r"(?:%|процент\p{L}*|лет\b|год(?:а|ов)\b|years\b|yrs\b|year(?:s|'s|s')? (?:of )?exp\p{L}*|months\b|месяц(?:а|ев)\b"
    r"|дн(?:ей|я)\b|days\b|weeks\b|недел[ьи]\b"
    r"|(?:час(?:ов|а)|hours|hrs?|ч)\b(?: ?(?:/|per|a|в) ?(?:week|wk|day|недел\p{L}+|день|нед))?)"
    r"|\b401 ?\(?k\)?|\b24/7\b|\b[57]/[02]\b|\b2/2\b|\b(?:b2b|c2c|w2|h1b)\b"
)
_THOUSAND_ROUBLES = r"(\d) ?т\.? ?р(?:\.|уб\p{L}*|\b)\.?"
_GLUED = r"(\d)(k|к)(usd|eur|gbp|rub|руб)"

_PERIOD_WORDS = (
    ("fly_in_fly_out", r"вахт|fly[-_ ]?in[-_ ]?fly|rotation"),
    ("shift", r"смен[уаые]?\b|\bshift\b"),
    (
        "service",
        r"за (?:услуг|заказ|проект|выезд|кажд|стать|урок|занят|метр|кв\.?)|/ ?(?:услуг|заказ|проект)"
        r"|\bper[-_ ](?:project|service|task|article|word)\b"
        r"|\bservice\b",
    ),
    (
        "hour",
        r"\bчас\b|часов|\bhour\b|\bhourly\b|\bhrs?\b|\bheure\b|\bstunde\b|\bstd\b|/ ?[hч]\b|\bp\.?h\b"
        r"|\bper[-_]hour",
    ),
    ("day", r"(?:в|за|/) ?день|\b(?:per[-_ ]|a )day\b|/ ?day\b|\bdaily\b|\bjour\b|\bpro tag\b|^day$"),
    ("week", r"в неделю|/ ?нед|\b(?:per[-_ ]|a )week\b|/ ?(?:week|wk)\b|\bweekly\b|^week$"),
    (
        "month",
        r"(?:в|/) ?мес|\bмес\b|месяц|месячн|\b(?:per[-_]?)?month(?:ly)?\b|/ ?mo\b|\bmonat\b|monatlich|\bmois\b|\bmies\b"
        r"|\bmensual(?:es)?\b|/ ?m-?c\b",
    ),
    (
        "year",
        r"(?:в|/) ?год|годов|/ ?yr?\b|\b(?:per[-_]?)?(?:year(?:ly)?|annual(?:ly)?|annum)\b|\bp\.?a\.?\b|\bjahr\b"
        r"|jährlich|\bpar an\b|\blpa\b|\bote\b",
    ),
)  # fmt: skip
_GROSS = r"до (?:вычета|уплаты|удержания)|gross|before tax|pre-tax|брутто|brutto|до налог|до ндфл|грязными|bruto?\b"
_NET = r"на руки|\bnet\b|after[- ]tax|take[- ]home|нетто|netto|чистыми|после (?:вычета|уплаты|налог|ндфл)"

_CUE = (
    r"(?:salar(?:y|ies)|compensation|base pay|pay (?:range|rate|band)|\bpay\b|hourly rate|day rate|remuneration|wages?"
    r"|зарплат\p{L}*|заработн\p{L}+ плат\p{L}*|\bз/п|\bзп\b|оклад\p{L}*|доход\p{L}*|оплат\p{L}+|ставк\p{L}+"
    r"|вознаграждени\p{L}+)"
)
_PROSE_NUMBER = r"\d[\d .,']*(?: ?(?:k|к|тыс\p{L}*\.?|т\.? ?р|млн|m)\b)?"
_PROSE_RANGE = rf"{_PROSE_NUMBER} ?(?:(?:-|to|до) ?{_PROSE_NUMBER} ?)?"
_PROSE_CURRENCY = r"(?:usd|eur|gbp|pln|chf|kzt|byn|rub|руб\p{L}*|р|тенге|тг|сум|сом|т\.? ?р)\b"
_PROSE_MONEY = (
    rf"(?:{_SYMBOL} ?{_PROSE_NUMBER}|{_PROSE_RANGE}(?:{_SYMBOL}|{_PROSE_CURRENCY})"
    r"|(?:usd|eur|gbp|pln|chf) ?\d[\d .,']*k?)"
)
# Pairs of patterns: the words before the amount, and the amount with the words after it.
_PAY_IN_PROSE = (
    (
        rf"((?:^|\n|[^\n]{{0,30}}[^\p{{L}}\n]){_CUE}[^\n\d;]{{0,45}}?)",
        rf"((?:(?:{_UPPER}|{_LOWER}|between) )?{_PROSE_MONEY}[^\n;]{{0,60}})",
    ),
    (
        r"((?:^|\n)[^\p{L}\d\n$€£₽₸]{0,8})",
        rf"((?:{_PROSE_MONEY}\+? ?(?:-|to|до) ?{_PROSE_MONEY}|{_PROSE_NUMBER} ?- ?{_PROSE_NUMBER} ?{_PROSE_CURRENCY})"
        r"[^\n;]{0,60})",
    ),
    (r"((?:^|[^\n]{0,30}))", rf"({_PROSE_MONEY}\+? (?:base )?(?:salary|оклад|на руки|до вычета)[^\n;]{{0,20}})"),
)
# Words before an amount which show that it is not what the job pays.
_OTHER_MONEY = (
    r"budget|bonus|benefit|allowance|increas|rais(?:e|ed|ing)|revenue|funding|stipend|average|median|students?|graduates?"
    r"|бонус|преми|надбав|компенсац|средн|бюджет|подъемн|штраф|оборот|материальн|проезд|обед|питани|жиль|связ|обучени"
    r"|больничн|мобильн|спорт|такси|дополнительн|вычет"
)
_CURRENCY_HINT = r"[$€£₽₸₴₾₼]|руб|тенге|\d ?(?:р|тг|т\.? ?р)\b|\b(?:usd|eur|gbp|pln|chf|kzt|byn|rub)\b|сум\b|сом\b"


def parse_text(texts: pl.Series) -> pl.DataFrame:
    """Free text such as `от 200 000 руб. на руки` or `$31,2k - $52k`: salary_min, salary_max, salary_currency,
    salary_period, salary_gross, one row per text.

    Columns that the text does not state are null. A number counts as pay only with a currency, a period or a plausible
    size.
    """
    parts = (
        pl.DataFrame({"whole": texts.cast(pl.String)})
        .lazy()
        .with_columns(whole=_plain_numbers(pl.col("whole")))
        .with_columns(text=pl.coalesce(pl.col("whole").str.extract(_MONEY, 1), "whole"))
        .with_columns(range=pl.col("text").str.extract_groups(_RANGE), one=pl.col("text").str.extract_groups(_ONE))
        .unnest("range", "one")
        .with_columns(
            low=_amount("low", "low_times"),
            high=_amount("high", "high_times"),
            amount=_amount("one", "one_times"),
            low_is_bare=pl.col("low_times").fill_null("") == "",
            high_is_bare=pl.col("high_times").fill_null("") == "",
            bound=pl.col("before").str.extract(_BOUND, 1),
            is_negative=pl.col("whole").str.contains(rf"^[^\p{{L}}\d]*-(?:{_SYMBOL})?\d"),
            salary_currency=currency_in(pl.col("text")),
            salary_period=period_in("whole"),
            salary_gross=first_true(
                (pl.col("whole").str.contains(_NET), False), (pl.col("whole").str.contains(_GROSS), True)
            ),
        )
    )
    is_range = pl.col("low").is_not_null() & pl.col("high").is_not_null()
    is_upper = pl.col("bound").str.contains(rf"^(?:{_UPPER})$").fill_null(value=False)
    is_lower = (pl.col("bound").is_not_null() & ~is_upper) | pl.col("after").str.contains(_OR_MORE)
    bounds = parts.with_columns(
        salary_min=pl.when(is_range).then(_scaled_as("low", "high")).when(~is_upper).then("amount"),
        salary_max=pl.when(is_range).then(_scaled_as("high", "low")).when(~is_lower).then("amount"),
    )
    largest = pl.max_horizontal("salary_min", "salary_max")
    is_year = largest.is_between(1990, 2035) & ~is_range & (pl.col("one_times").fill_null("") == "")
    is_pay = (
        pl.col("salary_currency").is_not_null() | pl.col("salary_period").is_not_null() | ((largest >= 1000) & ~is_year)
    ) & ~pl.col("is_negative")
    return bounds.select(
        *(
            pl.when(is_pay & (pl.col(name) > 0) & (pl.col(name) <= MAX_AMOUNT)).then(name).alias(name)
            for name in ("salary_min", "salary_max")
        ),
        "salary_currency",
        "salary_period",
        "salary_gross",
    ).collect()


def text_in_title(titles: pl.Series) -> pl.Series:
    """The part of a title that names pay with its currency, such as `$110-$190/hr`; null if there is none."""
    symbol_first = r"(?:от |до |(?i:from |up to ))?(?:US|CA|AU)?[$€£₸₽] ?\d[^()\[\]|]{0,40}"
    amount_first = (
        r"(?:(?i:от|до) )?\d[\d\s.,\u{2010}-\u{2015}-]{1,24}(?:k|к|тыс\.?)? ?"
        r"(?:₽|₸|€|(?i:руб|р\.|т\.? ?р\b|тенге|тг\b))[^()\[\]|]{0,20}"
    )
    found = titles.str.extract(f"({symbol_first}|{amount_first})", 1)
    # "Head of a $5M fund" names no pay.
    is_of_something_else = found.str.contains(r"(?i)\d ?(?:m|mln|mm|bn|b|млн|млрд)\b|million|billion")
    return found.set(is_of_something_else.fill_null(value=False), None)


def text_in_description(descriptions: pl.Series) -> pl.Series:
    """The part of a plain-text description that names the job's pay: an amount with its currency beside a word such
    as salary or оклад, or a line that is a range of money. Null if there is none; precision matters more than recall.
    """
    lower = pl.col("text").str.slice(0, _MAX_DESCRIPTION_CHARACTERS).str.to_lowercase()
    speaking = (
        pl.DataFrame({"text": descriptions.cast(pl.String)})
        .with_row_index("row")
        .with_columns(text=lines_with(lower, _CURRENCY_HINT))
        .drop_nulls("text")
        .with_columns(
            pl.col("text").str.replace_all(r"[^\S\n]+", " ").str.replace_all(r"[\u{2010}-\u{2015}\u{2212}]", "-")
        )
    )
    spoken = speaking.with_columns(
        pl.col("text").str.extract_groups(f"{lead}{amount}").struct.rename_fields(["lead", "pay"]).alias(f"way_{n}")
        for n, (lead, amount) in enumerate(_PAY_IN_PROSE)
    )
    ways = [pl.col(f"way_{n}").struct for n in range(len(_PAY_IN_PROSE))]
    found = [
        pl.when(
            ~way.field("lead").str.contains(_OTHER_MONEY)
            & ~way.field("pay").str.contains(rf"^{_PROSE_MONEY} (?:{_OTHER_MONEY})")
        ).then(way.field("pay"))
        for way in ways
    ]
    named = spoken.select("row", pay=pl.coalesce(found))
    rows = pl.DataFrame({"row": pl.int_range(len(descriptions), dtype=pl.UInt32, eager=True)})
    return rows.join(named, on="row", how="left", maintain_order="left")["pay"].alias(descriptions.name)


def currency_in(folded: pl.Expr) -> pl.Expr:
    """ISO code of the first currency that a folded text names; null if there is none."""
    token = folded.str.extract(rf"({_SYMBOL}|(?:^|[^\p{{L}}]){_WORD}(?:[^\p{{L}}]|$))", 1)
    bare = token.str.replace_all(r"[\d.,;:()/\[\] -]", "")
    return pl.coalesce(
        pl.when(bare.str.contains(rf"^(?:{words.replace(' ?', '')})$")).then(pl.lit(code))
        for code, words in (*_CURRENCY_SYMBOLS, *_CURRENCY_WORDS)
    )


def period_in(name: str) -> pl.Expr:
    """The one of SALARY_PERIODS that a text names; null if there is none."""
    folded = fold(pl.col(name)).str.replace_all(r"[\u{2010}-\u{2015}]", "-")
    return first_match(folded, _PERIOD_WORDS)


def _plain_numbers(text: pl.Expr) -> pl.Expr:
    """Folded text with one dash, one apostrophe, and without numbers that are not pay."""
    return (
        fold(text.str.slice(0, 400))
        .str.replace_all(r"[\u{2010}-\u{2015}\u{2212}~]", "-")
        .str.replace_all(r"[\u{2019}`´]", "'")
        .str.replace_all(r"\d{10,}", " ")
        .str.replace_all(_THOUSAND_ROUBLES, "$1 тыс руб ")
        .str.replace_all(r"(\d{4}) ?/ ?(\d{4})", "$1-$2")
        .str.replace_all(_GLUED, "$1$2 $3")
        .str.replace_all(_NO_PAY, " ")
    )


def _scaled_as(name: str, other: str) -> pl.Expr:
    """The bound; a multiplier that is written once ("60-70k", "60k-70") applies to both bounds."""
    needs = pl.col(f"{name}_is_bare") & ~pl.col(f"{other}_is_bare") & (pl.col(name) < 1000)
    return pl.when(needs).then(pl.col(name) * _scale(f"{other}_times")).otherwise(pl.col(name))


def _scale(times: str) -> pl.Expr:
    words = ((_THOUSANDS, 1e3), (_HUNDRED_THOUSANDS, 1e5), (_MILLIONS, 1e6))
    named = first_true(*((pl.col(times).str.contains(rf"^(?:{word})\.?$"), factor) for word, factor in words))
    return named.fill_null(1.0)


def _amount(number: str, times: str) -> pl.Expr:
    digits = pl.col(number).str.replace_all(r"[ ']", "")
    # A separator before exactly three last digits groups thousands; before one or two digits it is decimal.
    grouped = digits.str.replace_all(r"^(\d{1,2}),(\d{2}),(\d{3})$", "$1$2$3").str.replace_all(r"[.,](\d{3})", "$1")
    return grouped.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False) * _scale(times)
