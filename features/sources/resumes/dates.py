"""Periods of employment in resumes: date ranges in English and Russian text, and their total length."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_MONTH_STEMS = (
    ("jan", "янв"), ("feb", "фев"), ("mar", "мар"), ("apr", "апр"), ("may", "ма[йя]"), ("jun", "июн"), ("jul", "июл"),
    ("aug", "авг"), ("sep", "сен"), ("oct", "окт"), ("nov", "ноя"), ("dec", "дек"),
)  # fmt: skip
_MONTH = r"(?:" + "|".join(stem for pair in _MONTH_STEMS for stem in pair) + r")[a-zа-яё]{0,8}\.?"


def _point(number: int) -> str:
    """The pattern of one end of a range: a month and a year, a year, or ISO year and month."""
    month = rf"(?:(?P<m{number}>{_MONTH}|0?[1-9]|1[0-2])[\s./,-]{{1,3}})?"
    return rf"{month}(?P<y{number}>(?:19|20)\d\d)(?:-(?P<i{number}>0[1-9]|1[0-2]))?(?!\d)"


_NOW = r"(?P<now>present|now|current|today|настоящее время|наст\.? ?время|н\.? ?в\.?|сейчас|по сей день)"
_RANGE = re.compile(
    rf"(?<!\d){_point(1)}\s*(?:г\.?)?\s*(?:-|–|—|−|to|until|по|до)\s*(?:по\s+)?(?:{_NOW}|{_point(2)})"
    r"(?:\s*г\.?(?!\w))?",
    re.IGNORECASE,
)
_AND_MONTHS = r"(?:,?\s+(?:and\s+|и\s+)?(\d{1,2})\s+(?:months?|мес[а-яё]*))?"
_YEARS_EN, _YEARS_RU = r"(\d{1,2})\s*\+?\s*years?['’]?" + _AND_MONTHS, r"(\d{1,2})\s*\+?\s*(?:лет|года?)" + _AND_MONTHS
_STATED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _YEARS_EN + r"\s+(?:of\s+)?(?:\w+\s+){0,3}experience",
        r"experience\s*(?:of|[:—–-])?\s*\(?" + _YEARS_EN,
        r"опыт(?:а|ом)?(?:\s+[а-яё]+){0,4}\s*[:—–-]?\s*\(?" + _YEARS_RU,
        _YEARS_RU + r"\s+(?:[а-яё]+\s+){0,2}опыта",
    )
)


@dataclass(frozen=True)
class Period:
    """A date range in a text: first and last month counted from year 0 (None: ongoing), and its offsets in the text."""

    first_month: int
    last_month: int | None
    start: int
    end: int


def find_periods(text: str) -> list[Period]:
    """Date ranges of a text in order; ranges that end before they begin are dropped."""
    found = []
    for match in _RANGE.finditer(text):
        first = _month(match["m1"] or match["i1"], match["y1"], missing=1)
        last = (
            None if match["now"] else _month(match["m2"] or match["i2"], match["y2"], missing=12 if match["m1"] else 1)
        )
        if last is None or last >= first:
            found.append(Period(first, last, match.start(), match.end()))
    return found


def partial_month(date: str | None) -> int | None:
    """Months from year 0 of a partial ISO date (YYYY, YYYY-MM or YYYY-MM-DD)."""
    match = re.match(r"((?:19|20)\d\d)(?:-(0[1-9]|1[0-2]))?", date or "")
    return _month(match[2], match[1], missing=1) if match else None


def total_years(periods: Iterable[tuple[int, int | None]], *, now: int | None) -> float | None:
    """Years covered by (first month, last month) ranges; overlaps count once. An ongoing range ends at `now`, and is
    ignored if that is unknown. None without ranges.
    """
    closed = sorted((first, last if last is not None else now) for first, last in periods if last is not None or now)
    months, reached = 0, 0
    for first, last in closed:
        if last is not None and last >= first:
            months += max(0, last - max(first, reached))
            reached = max(reached, last)
    return round(months / 12, 1) if months else None


def stated_years(text: str) -> float | None:
    """The years of experience that the text states explicitly; the largest if there are several."""
    matches = (match for pattern in _STATED for match in pattern.finditer(text))
    found = [int(match[1]) + min(int(match[2] or 0), 11) / 12 for match in matches]
    plausible = [years for years in found if 0 < years <= 60]
    return round(max(plausible), 1) if plausible else None


def _month(name: str | None, year: str, *, missing: int) -> int:
    if name is None:
        number = missing
    elif name.isdigit():
        number = int(name)
    else:
        lower = name.lower()
        number = next(n for n, stems in enumerate(_MONTH_STEMS, 1) if any(re.match(stem, lower) for stem in stems))
    return int(year) * 12 + number - 1
