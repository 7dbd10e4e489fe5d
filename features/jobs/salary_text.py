"""Pay in free text of any language: which of its amounts the job pays, in which currency and per which period.

Statements of money are found in pay_statements; columns of a source, exchange rates and plausible amounts are in
salary.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from features.jobs import pay_words as words
from features.jobs.pay_amounts import LAKH_AND_CRORE, MAX_AMOUNT, Line, currencies_in
from features.jobs.pay_statements import (
    COUNTED_PERIOD,
    CUE,
    MAX_LINE_CHARACTERS,
    ODD_MARK,
    OTHER,
    PERK,
    PLAIN,
    Statement,
    is_perk,
    prepared,
    same_money,
    statements_in,
    surroundings,
)
from features.text.normalise import lines_with
from features.vocabulary.currencies import Currencies, Meanings, plain_quotes

_MAX_CHARACTERS = 400
_MAX_DESCRIPTION_CHARACTERS = 8_000
_MAX_RATIO = 30.0  # no range of pay is wider, unless its lower bound lost its thousands
_MIN_WITHOUT_CURRENCY = 5.0
_USUAL_USD = (100.0, 20_000.0)  # pay per month
_NEIGHBOURS = ("PK", "BD", "LK", "NP")  # of India, with lakhs of their own currencies
_MONTHS = {"hour": 164.0, "day": 21.0, "week": 52 / 12, "month": 1.0, "year": 1 / 12}
_MAX_HOURLY_HRYVNIAS = 2_000.0
_MIN_BY_CODE = 100.0  # less is no pay in a title: "PHP 8"
FOUND = {
    "salary_min": pl.Float64(),
    "salary_max": pl.Float64(),
    "salary_currency": pl.String(),
    "salary_period": pl.String(),
    "salary_gross": pl.Boolean(),
    "has_odd_period": pl.Boolean(),
}
_STATED_AFTER = re.compile(words.STATED_AFTER)
_NET, _GROSS, _ODD = re.compile(words.NET), re.compile(words.GROSS), re.compile(words.ODD_PERIOD)
_PERIODS = [(name, re.compile(pattern)) for name, pattern in words.PERIODS]
# Within brackets, or after such a word.
_ALTERNATIVE = re.compile(r"\([^)]*$|[~≈=]|\b(?:approx|eq|equivalent|около|ca)\b")
# "per game", "/session", "за рейс": a time, or no time, that PERIODS does not have.
_PER = re.compile(
    r" ?(?:/|(?:per|pro|par|por|je|за)\b)[- ]?"
    rf"(?!rata\b|b2b\b|{words.NET}|{words.GROSS})[^\W\d_]{{2}}"
)
_IN_THE_US = re.compile(r"\b(?:us|usa|united states)\b|\bu\.s\.")
_EXTRA = re.compile(r"^[^\w\n]{0,3}\+")
_LARGE = re.compile(r"^ ?(?:m|mm|mln|bn?|t)\b|^ ?(?:million|billion|млн|млрд)")
_MONEY_HINT = (
    r"\p{Sc}|(?:^|[^\p{L}])(?:usd|eur|gbp|pln|chf|kzt|byn|rub|uah|cad|aud|sek|nok|dkk|czk|inr|zar|aed|sgd|brl|mxn"
    r"|[a-z]{3} ?\d|\d ?[a-z]{3}(?:[^a-z]|$))"
    r"|руб|тенге|теңге|теңге|\d ?(?:р|тг|т\.? ?р)\b|грн|сум\b|сом\b|euro|zł|kč|\bkr\b|so['ʻ‘’]m|dollar|доллар|манат"
    r"|лари|сомони|драм|\d ?(?:tl|ft|lei|лв|円|원|元)(?:[^\p{L}]|$)|[万萬만]|lpa\b|\d ?(?:lakh|lac)s?\b"
)  # fmt: skip


def parse_text(
    texts: pl.Series,
    *,
    currencies: Currencies,
    countries: Sequence[str | None] | None = None,
    is_title: bool = False,
) -> pl.DataFrame:
    """Free text such as `от 200 000 руб. на руки` or `$31,2k - $52k`: the columns of FOUND, one row per text.

    Columns that the text does not state are null. A number counts as pay only with a currency, a period or a plausible
    size; in a title only with a currency. Money that is not pay (a bonus, a stipend) is left out, and amounts whose
    relation is unclear are null. `countries` decide words of several currencies. `has_odd_period` tells that the pay is
    per another time than SALARY_PERIODS has, such as two weeks.
    """

    def read(text: str, country: str | None) -> tuple[object, ...]:
        line = prepared(text[:_MAX_CHARACTERS])
        money = statements_in(line, currencies)
        items = [one for one in money if not is_title or _is_title_pay(one, line)]
        return _read(line, money, items, country, currencies, needs_currency=is_title)

    return _by_distinct(texts, countries, read)


def parse_description(
    descriptions: pl.Series, *, currencies: Currencies, countries: Sequence[str | None] | None = None
) -> pl.DataFrame:
    """The job's pay in plain-text descriptions, as FOUND: an amount with its currency beside a word such as salary or
    оклад, or a line that is a range of money. Null if there is none; precision matters more than recall.
    """
    lower = pl.col("text").str.slice(0, _MAX_DESCRIPTION_CHARACTERS)
    lines = descriptions.cast(pl.String).to_frame("text").select(lines_with(lower, rf"(?i)(?:{_MONEY_HINT})"))

    def read(text: str, country: str | None) -> tuple[object, ...]:
        for written in text.split("\n"):
            line = prepared(written[:MAX_LINE_CHARACTERS])
            money = statements_in(line, currencies)
            stated = [one for one in money if _is_stated(one, line)]
            found = _read(line, money, stated[:1], country, currencies, needs_currency=True)
            if found[0] is not None or found[1] is not None:
                return found
        return _NOTHING

    return _by_distinct(lines["text"], countries, read)


def period_in(text: str) -> tuple[str | None, bool]:
    """The one of SALARY_PERIODS that a text names, and whether it names another time, such as two weeks."""
    low = plain_quotes(text.translate(PLAIN).lower())
    if _ODD.search(low) or COUNTED_PERIOD.search(low):
        return None, True
    return _period(low), False


def currency_in(text: str, *, currencies: Currencies, country: str | None = None) -> str | None:
    """ISO code of the currency that a source's own word names; None if there is none or several."""
    line = Line.of(plain_quotes(unicodedata.normalize("NFKC", text)).strip()[:60])
    whole = currencies.meanings(line.low)
    found = [whole] if whole else list(currencies_in(line, currencies))
    return _currency(found, [], country)


_NOTHING: tuple[object, ...] = (None, None, None, None, None, False)
_Reader = Callable[[str, str | None], tuple[object, ...]]


def _by_distinct(texts: pl.Series, countries: Sequence[str | None] | None, read: _Reader) -> pl.DataFrame:
    """`read(text, country)` of every row as FOUND, called once for equal rows."""
    seen: dict[tuple[str, str | None], tuple[object, ...]] = {}
    rows = []
    for text, country in zip(texts.to_list(), countries or [None] * len(texts), strict=True):
        if text is None:
            rows.append(_NOTHING)
            continue
        key = (text, country)
        if key not in seen:
            seen[key] = read(text, country)
        rows.append(seen[key])
    return pl.DataFrame(rows, schema=FOUND, orient="row")


def _is_title_pay(pay: Statement, line: Line) -> bool:
    """In a title an amount counts only with its currency: "$5M fund" and "PHP 8" are no pay."""
    largest = max(one.value for one in pay.amounts)
    is_money = any(one.has_currency or one.factor in LAKH_AND_CRORE for one in pay.amounts)
    is_sign = any(not m.word.isalpha() or not m.word.isascii() for one in pay.amounts for m in one.currencies)
    return is_money and (is_sign or largest >= _MIN_BY_CODE) and largest < 1e9 and not _LARGE.match(line.low[pay.end :])


def _is_stated(pay: Statement, line: Line) -> bool:
    """Whether a description says that this money is the job's pay."""
    if (
        not any(one.has_currency or one.factor in LAKH_AND_CRORE for one in pay.amounts)
        or _LARGE.match(line.low[pay.end :])
        or is_perk(line, pay)
    ):
        return False
    head = line.low[max(0, pay.start - 80) : pay.start]
    if cues := list(CUE.finditer(head)):
        between = head[cues[-1].end() :]
        sentence = re.split(r"[.;!?,] | and | и ", head[: cues[-1].start()])[-1][-30:]
        is_other = OTHER.search(between) or PERK.search(between) or OTHER.search(sentence)
        return not is_other and not re.search(r"[;!?]|\. ", between) and not re.search(r"\d", between)
    is_alone = not re.search(r"[^\W\d_]", re.sub(rf"\b(?:{words.LOWER}|{words.BETWEEN})\b", "", line.low[: pay.start]))
    if is_alone and len(pay.amounts) == 2 and len(line.low) < 200:
        return True
    return bool(_STATED_AFTER.match(line.low[pay.end :])) and not OTHER.search(head)


def _read(
    line: Line,
    money: list[Statement],
    items: list[Statement],
    country: str | None,
    currencies: Currencies,
    *,
    needs_currency: bool,
) -> tuple[object, ...]:
    """The values of FOUND out of a line with these statements of money, of which `items` may be the pay."""
    pay = _chosen(line, items)
    if pay is None:
        code = None if needs_currency or items else _currency([], list(currencies_in(line, currencies)), country)
        period = None if needs_currency or items else _period(line.low)
        return (None, None, code, period, _gross(line.low), False)
    beside = [meanings for one in pay.amounts for meanings in one.currencies]
    code = _currency_of_pay(line, money, pay, country, currencies)
    before, after = surroundings(line, pay)
    elsewhere = _beside_others(line, money, pay).low
    period = _period(after)
    is_odd = bool(_ODD.search(f"{before} {after}")) or ODD_MARK in after or (not period and bool(_PER.match(after)))
    period = None if is_odd else period or _period(elsewhere)
    if period == "year" and code == "UAH" and max(one.value for one in pay.amounts) < _MAX_HOURLY_HRYVNIAS:
        period = "hour"  # "грн/год" is per hour in Ukrainian, per year in Russian
    low, high = (_sane(one) for one in (pay.low, pay.high))
    largest = max(one.value for one in pay.amounts)
    code = _on_scale(code, beside, largest, period, currencies)
    is_year = len(pay.amounts) == 1 and 1990 <= largest <= 2035 and not pay.amounts[0].is_scaled
    is_timed = (period is not None or is_odd) and largest >= _MIN_WITHOUT_CURRENCY
    is_pay = bool(beside) or code is not None or is_timed or (largest >= 1000 and not is_year)
    if (
        not is_pay
        or largest < 1  # "$0.60 per mile"
        or (needs_currency and not beside and code is None)
        or _is_too_wide(low, high)
        or _is_negative(line, pay)
    ):
        low = high = None
    return (low, high, code, period, _gross(line.low), is_odd)


def _beside_others(line: Line, money: list[Statement], pay: Statement) -> Line:
    """The line without the other statements of money and their periods: "60,000 + 3 per hour at night"."""
    cased, low = line.cased, line.low
    for other in money:
        if not pay.start <= other.start < pay.end:
            end = other.end + len(surroundings(line, other)[1])
            cased, low = (text[: other.start] + " " * (end - other.start) + text[end:] for text in (cased, low))
    return Line(cased, low)


def _currency_of_pay(
    line: Line, money: list[Statement], pay: Statement, country: str | None, currencies: Currencies
) -> str | None:
    """The currency of the pay. A currency that another pay in the line names is no evidence for a sign beside this one:
    "US: $150,000. Canada: $120,000 CAD". If neither the country nor the words tell which is meant, it is unknown.
    """
    beside = [meanings for one in pay.amounts for meanings in one.currencies]
    if not beside:
        everywhere = list(currencies_in(line, currencies))
        return _currency([], everywhere, country) or _rupees(pay, everywhere, country)
    rivals = [
        one
        for one in money
        if not pay.start <= one.start < pay.end
        and (one.low, one.high) != (pay.low, pay.high)
        and not is_perk(line, one)
    ]
    elsewhere = list(currencies_in(_beside_others(line, rivals, pay), currencies))
    place = "US" if _IN_THE_US.search(surroundings(line, pay)[0]) else country
    named = _certain([meanings for rival in rivals for one in rival.amounts for meanings in one.currencies])
    possible = frozenset.intersection(*(one.codes for one in beside))
    if not named & possible - _certain([*beside, *elsewhere]):
        return _currency(beside, elsewhere, country)
    code = _currency(beside, elsewhere, place)
    return code if place is not None and code not in named else None


def _certain(meanings: list[Meanings]) -> set[str]:
    return {next(iter(one.codes)) for one in meanings if one.is_certain}


def _chosen(line: Line, items: list[Statement]) -> Statement | None:
    """The statement of money that is the job's pay; None if there is none, or if several can't be told apart."""
    pays = [one for one in items if not is_perk(line, one)]
    if not pays:
        return None
    first = next((one for one in pays if any(a.has_currency for a in one.amounts)), pays[0])
    rest = [
        one
        for one in pays[pays.index(first) + 1 :]
        if not _is_alternative(line, first, one) and any(a.value >= 100 or a.has_currency for a in one.amounts)
    ]
    if not rest:
        return _with_extra(line, first)
    if all(_EXTRA.match(line.low[first.end : one.start]) for one in rest[:1]) and len(rest) == 1:
        return replace(first, high=None) if len(first.amounts) == 1 and first.high is not None else first
    other = rest[0]
    if len(rest) == 1 and len(first.amounts) == len(other.amounts) == 1 and other.low is None and first.low is not None:
        return replace(first, end=other.end, high=other.high, amounts=(*first.amounts, *other.amounts))
    return None


def _with_extra(line: Line, pay: Statement) -> Statement:
    """ "60 000 + % of sales": the sum is a lower bound."""
    has_extra = len(pay.amounts) == 1 and _EXTRA.match(line.low[pay.end : pay.end + 4])
    return replace(pay, high=None) if has_extra and pay.low is not None else pay


def _is_alternative(line: Line, first: Statement, other: Statement) -> bool:
    """Whether `other` says the same once more: in brackets, in another currency, per another period."""
    one, two = first.amounts[0], other.amounts[0]
    is_other_money = one.has_currency and two.has_currency and not same_money(one, two)
    periods = [_period(surroundings(line, pay)[1]) for pay in (first, other)]
    is_other_period = None not in periods and periods[0] != periods[1]
    return is_other_money or is_other_period or bool(_ALTERNATIVE.search(line.low[first.end : other.start]))


def _currency(beside: list[Meanings], everywhere: list[Meanings], country: str | None) -> str | None:
    """The code beside the amount, else one elsewhere in the text that its sign may stand for, else by the country."""
    if beside:
        certain = _certain(beside)
        if len(certain) == 1:
            return next(iter(certain))
        if certain:
            return None
        possible = frozenset.intersection(*(one.codes for one in beside))
        named = _certain(everywhere) & possible
        if len(named) == 1:
            return next(iter(named))
        found = {one.of(country) for one in beside} - {None}
        return found.pop() if len(found) == 1 else None
    certain = _certain(everywhere)
    if certain:
        return certain.pop() if len(certain) == 1 else None
    found = {one.of(country) for one in everywhere} - {None}
    return found.pop() if len(found) == 1 else None


def _on_scale(
    code: str | None, beside: list[Meanings], amount: float, period: str | None, currencies: Currencies
) -> str | None:
    """`code`, or the currency elsewhere if the amount is usual only in it: 180 000 roubles in Minsk are Russian."""
    elsewhere = {one.default for one in beside} - {None}
    if code is None or len(elsewhere) != 1 or code in elsewhere or any(one.is_certain for one in beside):
        return code
    other = elsewhere.pop()
    months = [1.0, 1 / 12] if period is None else [_MONTHS.get(period, 1.0)]

    def is_usual(currency: str | None) -> bool:
        units = currencies.units_per_usd.get(currency or "")
        return units is not None and any(_USUAL_USD[0] <= amount * one / units <= _USUAL_USD[1] for one in months)

    return other if is_usual(other) and not is_usual(code) else code


def _rupees(pay: Statement, everywhere: list[Meanings], country: str | None) -> str | None:
    """Lakhs and crores without a currency are Indian rupees, unless a neighbour's country says otherwise."""
    is_counted_so = any(one.is_scaled and one.factor in LAKH_AND_CRORE for one in pay.amounts)
    return "INR" if is_counted_so and not everywhere and country not in _NEIGHBOURS else None


def _period(low: str) -> str | None:
    return next((name for name, pattern in _PERIODS if pattern.search(low)), None)


def _gross(low: str) -> bool | None:
    return False if _NET.search(low) else True if _GROSS.search(low) else None


def _sane(value: float | None) -> float | None:
    return value if value is not None and 0 < value <= MAX_AMOUNT else None


def _is_too_wide(low: float | None, high: float | None) -> bool:
    if low is None or high is None:
        return False
    least, most = min(low, high), max(low, high)
    lost_thousands = least < 1000 and least * 1000 <= most and most < least * 1000 * _MAX_RATIO
    return most > _MAX_RATIO * least and not lost_thousands


def _is_negative(line: Line, pay: Statement) -> bool:
    return bool(re.fullmatch(r"[^\w]*-[^\w]*", line.low[: pay.start]))
