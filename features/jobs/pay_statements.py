"""Statements of money in a line of text: single amounts and ranges, their bounds, and which of them are perks.

Amounts are read in pay_amounts; which statement is the job's pay is decided in salary_text.
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from features.jobs import pay_words as words
from features.jobs.pay_amounts import Amount, Line, amounts_in
from features.vocabulary.currencies import Currencies, plain_quotes

MAX_LINE_CHARACTERS = 2_000
# All digits lie in the first two of the 17 planes of Unicode; a walk through the others slows every start.
_DIGITS = {c: str(unicodedata.digit(chr(c))) for c in range(0x20000) if unicodedata.category(chr(c)) == "Nd"}
PLAIN = str.maketrans(
    {
        **{chr(c): digit for c, digit in _DIGITS.items()},
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
        **{"～": "~", "〜": "~", "٫": ".", "٬": ",", "،": ",", "⹁": ",", "ё": "е", "Ё": "Е"},
    }
)
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_THOUSANDS = re.compile(r"(?<=\d) ?(?:т\.? ?(?=р(?:\.|уб\w*|\b)|тг|тенге)|t ?(?=€|eur\b|kr\b))", re.IGNORECASE)
COUNTED_PERIOD, ODD_MARK = re.compile(words.COUNTED_PERIOD, re.IGNORECASE), "§"
_LONG_NUMBER = re.compile(r"\d{10,}")
_NO_MONEY = re.compile(words.NO_MONEY, re.IGNORECASE)
_BOUND = re.compile(rf"(?:^|[^\w])({words.UPPER}|{words.LOWER})[^\w\d]*$")
_UPPER = re.compile(rf"(?:{words.UPPER})$")
_FAR_LOWER, _FAR_UPPER = (
    rf"\b(?:{bound})(?: ?[\w-]+){{0,3}}? ?{words.CUE}[^.,;!?\d]{{0,40}}" for bound in (words.MINIMAL, words.MAXIMAL)
)
_FAR_BOUNDS = (("lower", re.compile(rf"{_FAR_LOWER}$")), ("upper", re.compile(rf"{_FAR_UPPER}$")))
_BETWEEN = re.compile(rf"(?:^|[^\w])(?:{words.BETWEEN})[^\w\d]*$")
_UNIT = (
    r"(?: ?(?:/|per|an?|в|за|par|por|pro|im|je|al|na|pr\.?|p\.?) ?[^\W\d_]+\.?"
    r"| ?(?:gross|net|brutto|netto|brut|bruto|base|annual|yearly|p\.?a\.?|ppa))?"
)
_JOIN = re.compile(
    rf"{_UNIT} ?\)?,? ?(?:-|~)? ?(?:{words.TO})(?: ?(?:up to|max\.?|maximum|до|от|circa|ca\.|~))?[ (]*", re.IGNORECASE
)
_JOIN_BETWEEN = re.compile(rf"{_UNIT} ?(?:{words.AND}) ?", re.IGNORECASE)
_JOIN_OR = re.compile(rf"{_UNIT} ?(?:{words.OR}) ?", re.IGNORECASE)
_JOIN_BOUNDS = re.compile(
    rf"{_UNIT}[ ,]*(?:(?:и|and|,)? ?(?:{words.UPPER})[ .:]*|(?:и|and|und|et|y|а)? ?(?:the |das |le )?{_FAR_UPPER})?"
)
_OR_MORE = re.compile(rf"^ ?{words.OR_MORE}")
_OR_MORE_IN_WORDS = re.compile(rf" ?(?!\+|plus){words.OR_MORE}")
_LOWER_SUFFIX, _UPPER_SUFFIX = re.compile(words.LOWER_SUFFIX), re.compile(words.UPPER_SUFFIX)
_UPPER_AFTER, _LOWER_AFTER = re.compile(rf"^ ?{words.UPPER_AFTER}"), re.compile(rf"^ ?{words.LOWER_AFTER}")
_DELIMITER = re.compile(
    r"[;•·|\n()\[\]&+]|\.(?= |$)|,(?!\d)|\b(?:plus|and|и|та|und|et|y|oraz|with|incl\w*|excl\w*|including|without"
    r"|включая|не включая|с учетом|zzgl\.?|inkl\.?"
    r"|hors|avec|więcej)\b"
)
PERK, OTHER, CUE = re.compile(words.PERK), re.compile(words.OTHER_MONEY), re.compile(words.CUE)


@dataclass(frozen=True)
class Statement:
    """One statement of money: a single amount, or two bounds."""

    start: int
    end: int
    low: float | None
    high: float | None
    amounts: tuple[Amount, ...]
    left: int = 0  # where the statement before it ends
    right: int = MAX_LINE_CHARACTERS  # where the next one starts


def prepared(text: str) -> Line:
    """A text with plain digits, dashes, quotes and spaces, and without numbers that are not money."""
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(PLAIN)
    plain = " ".join(plain_quotes(plain).split())
    plain = COUNTED_PERIOD.sub(ODD_MARK, plain)
    plain = _LONG_NUMBER.sub(" ", _THOUSANDS.sub(" тыс ", plain))
    return Line.of(_NO_MONEY.sub(lambda match: " " * len(match.group()), plain))


def statements_in(line: Line, currencies: Currencies) -> list[Statement]:
    """The statements of money of a line: amounts, of which the bounds of a range are joined."""
    amounts = amounts_in(line, currencies)
    found: list[Statement] = []
    index = 0
    while index < len(amounts):
        one = amounts[index]
        after = amounts[index + 1] if index + 1 < len(amounts) else None
        if after is not None and _is_range(line, one, after):
            low, high = _bounds_of_range(one, after)
            is_open = _OR_MORE_IN_WORDS.match(line.low, after.end)
            found.append(Statement(one.start, after.end, low, None if is_open else high, (one, after)))
            index += 2
        else:
            found.append(_single(line, one))
            index += 1
    ends = [0, *(pay.end for pay in found)]
    starts = [*(pay.start for pay in found[1:]), len(line.low)]
    return [replace(pay, left=left, right=right) for pay, left, right in zip(found, ends, starts, strict=False)]


def _is_range(line: Line, one: Amount, other: Amount) -> bool:
    gap = line.low[one.end : other.start]
    if len(gap) > 60 or (one.has_currency and other.has_currency and not same_money(one, other)):
        return False
    head = line.low[max(0, one.start - 30) : one.start]
    is_joined = bool(
        _JOIN.fullmatch(gap)
        or (_JOIN_BETWEEN.fullmatch(gap) and _BETWEEN.search(head))
        or (_JOIN_OR.fullmatch(gap) and one.has_currency == other.has_currency)
    )
    if not is_joined:
        is_from = _bound(line, one) == "lower" or bool(_LOWER_SUFFIX.search(one.word_after))
        is_up_to = bool(_UPPER_AFTER.match(line.low[other.end :])) or bool(_UPPER_SUFFIX.search(other.word_after))
        is_joined = is_from and bool(_JOIN_BOUNDS.fullmatch(gap)) and (is_up_to or bool(gap.strip(" ,")))
    # "$45/hr - $2,500 sign-on bonus"
    low, high = _bounds_of_range(one, other)
    is_extra = not low <= high <= 3 * low and bool(PERK.match(line.low[other.end :].lstrip()))
    return is_joined and not is_extra


def same_money(one: Amount, other: Amount) -> bool:
    """Whether the currencies beside two amounts may be the same."""
    return any(a.codes & b.codes for a in one.currencies for b in other.currencies)


def _bounds_of_range(one: Amount, other: Amount) -> tuple[float, float]:
    """A multiplier that is written once ("60-70k", "60k-70") applies to both bounds."""
    low, high = one.value, other.value
    if other.is_scaled and not one.is_scaled and low < 1000:
        low *= other.factor
    elif one.is_scaled and not other.is_scaled and high < 1000:
        high *= one.factor
    return low, high


def _bound(line: Line, one: Amount) -> str | None:
    match = _BOUND.search(line.low[max(0, one.start - 40) : one.start])
    if match is not None:
        return "upper" if _UPPER.fullmatch(match[1]) else "lower"
    head = line.low[max(0, one.start - 90) : one.start]
    return next((bound for bound, pattern in _FAR_BOUNDS if pattern.search(head)), None)


def _single(line: Line, one: Amount) -> Statement:
    tail = line.low[one.end : one.end + 24]
    bound = _bound(line, one)
    if bound is None:
        if one.has_plus or _OR_MORE.match(tail) or _LOWER_AFTER.match(tail) or _LOWER_SUFFIX.search(one.word_after):
            bound = "lower"
        elif _UPPER_AFTER.match(tail) or _UPPER_SUFFIX.search(one.word_after):
            bound = "upper"
    low, high = (None if bound == "upper" else one.value), (None if bound == "lower" else one.value)
    return Statement(one.start, one.end, low, high, (one,))


def surroundings(line: Line, pay: Statement) -> tuple[str, str]:
    """The words before and after a statement of money, up to the next delimiter."""
    head = line.low[max(pay.left, pay.start - 100) : pay.start]
    # "a relocation package (up to €3,000)": what stands before the bracket says what it is.
    start = max((match.end() for match in _DELIMITER.finditer(head) if match.group() != "("), default=0)
    tail = line.low[pay.end : min(pay.right, pay.end + 100)]
    end = _DELIMITER.search(tail)
    return head[start:], tail[: end.start()] if end else tail


def is_perk(line: Line, pay: Statement) -> bool:
    """Whether the words beside the money tell that it is a bonus, a budget or other money that is not the pay."""
    before, after = surroundings(line, pay)
    cue = max((match.end() for match in CUE.finditer(before)), default=-1)
    for pattern in (PERK, OTHER):
        if any(match.start() >= cue for match in pattern.finditer(before)):
            return True
        if (match := pattern.search(after)) and not CUE.search(after[: match.start()]):
            return True
    return False
