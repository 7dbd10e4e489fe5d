"""Periods of employment in resumes: date ranges in English and Russian text, and stated years of experience."""

import re
from dataclasses import dataclass

_MONTH_STEMS = (
    ("jan", "янв"), ("feb", "фев"), ("mar", "мар"), ("apr", "апр"), ("may", "ма[йя]"), ("jun", "июн"), ("jul", "июл"),
    ("aug", "авг"), ("sep", "сен"), ("oct", "окт"), ("nov", "ноя"), ("dec", "дек"),
)  # fmt: skip
# A season, in the month that it begins with.
_SEASONS = (
    ("spring", "весн"), ("summer", "лет[оа]"), ("autumn|fall", "осен"), ("winter", "зим"),
)  # fmt: skip
_SEASON_MONTHS = (3, 6, 9, 1)
_NAMED = "|".join(stem for pair in (*_MONTH_STEMS, *_SEASONS) for stem in pair)
_MONTH = rf"(?<!\w)(?:{_NAMED})[a-zа-яё]{{0,8}}\.?"
_YEAR = r"(?:19|20)\d\d"
_YEAR_WORD = r"(?:\s*(?:года?|гг?)(?!\w)\.?)?"


def _point(n: int) -> str:
    """The pattern of one end of a range; its groups are numbered `n`."""
    day = r"(?:0?[1-9]|[12]\d|3[01])"
    number = r"(?:0?[1-9]|1[0-2])"
    return (
        r"(?:"
        rf"(?P<iso_y{n}>{_YEAR})(?:[-./]|\s/\s)(?P<iso_m{n}>0[1-9]|1[0-2])(?:[-./]{day}(?!\d))?(?!\d)"
        rf"|(?P<a{n}>{day})[./-](?P<b{n}>{day})[./-](?P<full_y{n}>{_YEAR})(?!\d)"
        rf"|(?:(?P<q{n}>Q[1-4]|[1-4](?:-?й)?\s*кв(?:артал)?\.?)[\s,/-]{{1,2}})(?P<q_y{n}>{_YEAR})(?!\d)"
        rf"|(?:{day}(?:st|nd|rd|th)?\.?\s)?(?P<name{n}>{_MONTH})(?:\s{day}(?:st|nd|rd|th)?,)?"
        rf"[\s./,’'‘`-]{{0,3}}(?:(?P<name_y{n}>{_YEAR})(?!\d)|(?:(?<=['’‘`])|(?<=-))(?P<short_y{n}>\d\d)(?![\d.]))"
        rf"|(?P<bare_name{n}>{_MONTH})\s(?P<bare_yy{n}>\d\d)(?![\d.,]|\s?,)"
        rf"|(?P<m{n}>{number})\s?[./,-]\s?(?P<m_y{n}>{_YEAR})(?!\d)"
        rf"|(?P<mm{n}>0[1-9]|1[0-2])[./](?P<yy{n}>\d\d)(?![\d.,/%])"
        rf"|(?<![\w'’‘])['’‘](?P<only_yy{n}>\d\d)(?!\d)"
        rf"|(?P<only_y{n}>{_YEAR})(?!\d)"
        rf"){_YEAR_WORD}"
    )


_NOW = (
    r"(?P<now>(?:the\s+)?present(?:\s+(?:day|time))?|right\s+now|now(?:adays)?|current(?:ly)?|today|on-?going"
    r"|in\s+progress|date"
    r"|текущ(?:ее|ий)\s+(?:время|момент)|(?:наст(?:оящ(?:ее|его|ий))?\.?\s*(?:время|времени|вр|момент)\.?)|наст\.?"
    r"|н\.?\s?/?\s?вр?\.?|сейчас|сегодня|сих\s+пор|сей\s+день)(?!\w)"
)
_DASH = r"(?:-{1,2}>?|–|—|−|‒|―|‐|‑|→|~)"
_TO = (
    rf"(?:\s*{_DASH}\s*(?:(?:till|until|to|up\s+to|по|до)\s+)?"
    r"|\s+(?:to|till|until|through|thru|up\s+to|по|до)\s+(?:till\s+)?)"
)
_SHORT_END = r"(?P<short_end>\d\d)(?!\d|[-./]\d)"
_RANGE = re.compile(
    rf"(?<![\d.,/$€£₽+]){_point(1)}(?:{_TO}(?:{_NOW}|{_point(2)})|(?<=\d\d\d\d)[–—/-]{_SHORT_END})",
    re.IGNORECASE,
)
# "March – June 2020": the first month has the year of the second.
_ONE_YEAR = re.compile(
    rf"(?<!\w)(?P<name1>{_MONTH}|(?P<m1>0?[1-9]|1[0-2]))\s*{_DASH}\s*(?P<name2>{_MONTH}|(?P<m2>0?[1-9]|1[0-2])[./])"
    rf"[\s,]*(?P<year>{_YEAR})(?!\d){_YEAR_WORD}",
    re.IGNORECASE,
)
_OPEN = re.compile(
    rf"(?:(?<!\w)(?:since|from|с|со)\s+{_point(1)}(?!{_TO}(?:{_NOW}|{_point(2)})))"
    rf"|(?<![\d.,/$€£₽+]){_point(3)}\s*{_DASH}\s*(?=$|\)|\n)",
    re.IGNORECASE | re.MULTILINE,
)
_SINGLE = re.compile(rf"(?<![\d.,/$€£₽+\w-]){_point(1)}(?![\w%]|\s?[–—-]\s?\w)", re.IGNORECASE)
_WORD_NUMBERS = (
    ("one", "один"), ("two", "два|двух"), ("three", "три|тр[её]х"), ("four", "четыре"), ("five", "пят[ьи]"),
    ("six", "шест[ьи]"), ("seven", "сем[ьи]"), ("eight", "восемь|восьми"), ("nine", "девят[ьи]"), ("ten", "десят[ьи]"),
    ("eleven", "одиннадцат[ьи]"), ("twelve", "двенадцат[ьи]"), ("thirteen", "тринадцат[ьи]"),
    ("fourteen", "четырнадцат[ьи]"), ("fifteen", "пятнадцат[ьи]"), ("twenty", "двадцат[ьи]"),
)  # fmt: skip
_WORD_VALUES = (*range(1, 16), 20)
_NUMBER = r"((?<![\d.,])\d{1,2}(?:[.,]\d{1,2})?|\b(?:" + "|".join(w for pair in _WORD_NUMBERS for w in pair) + r")\b)"
_MORE = r"\s*\+?(?:\s*(?:-|–|to|до)\s*\d{1,2}\s*\+?)?\s*-?"
_AND_MONTHS = r"(?:,?\s+(?:and\s+|и\s+)?(\d{1,2})\s+(?:months?|mos?\b|мес[а-яё]*))?"
_YEARS_EN = _NUMBER + _MORE + r"(?:years?|yrs?\.?)['’]?(?!\w|[\s-]+old\b)" + _AND_MONTHS
_YEARS_RU = _NUMBER + _MORE + r"(?:лет|года?|г\.)" + _AND_MONTHS
_STATED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _YEARS_EN + r"\s+(?:of\s+)?(?:[\w/&,-]+\s+){0,4}(?:experience|exp\b)",
        r"(?:experience|exp\.?)\s*(?:of|[:—–-])?\s*\(?(?:(?:over|more than|about|around)\s+)?" + _YEARS_EN,
        r"(?:опыт|стаж)(?:а|ом|у)?(?:\s+[а-яё]+){0,4}\s*[:—–-]?\s*\(?(?<!\sс\s)" + _YEARS_RU,
        _YEARS_RU + r"\s+(?:[а-яё]+\s+){0,3}(?:опыта|стажа)",
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
    """Date ranges of a text in order; ranges that end before they begin are dropped.

    "Since 2019" and a dash without an end are ongoing.
    """
    found = [period for match in _RANGE.finditer(text) if (period := _range(match))]
    for pattern, read in ((_ONE_YEAR, _within_year), (_OPEN, _ongoing)):
        for match in pattern.finditer(text):
            if all(match.end() <= one.start or match.start() >= one.end for one in found) and (period := read(match)):
                found.append(period)
    return sorted(found, key=lambda one: one.start)


def find_dates(text: str) -> list[tuple[int, int]]:
    """Offsets of single dates, such as "(2019)", which bound no period."""
    return [match.span() for match in _SINGLE.finditer(text)]


def written_month(text: str) -> int | None:
    """The month, counted from year 0, that the whole text names: "2021-03", "October 2012", "15.03.2019", "2020"."""
    match = re.match(rf"{_point(1)}(?:T.*|\s+\d\d:.*)?$", text.strip(), re.IGNORECASE)
    return _month(match, 1, missing=1) if match else None


def is_now(text: str) -> bool:
    """Whether the whole text means that something goes on: "present", "till date", "по настоящее время"."""
    return re.fullmatch(rf"(?:(?:till|until|to|up\s+to|по|до)\s+)?{_NOW}", text.strip(), re.IGNORECASE) is not None


def stated_years(text: str) -> float | None:
    """The years of experience that the text states explicitly; the largest if there are several."""
    matches = (match for pattern in _STATED for match in pattern.finditer(text))
    found = [_number(match[1]) + min(int(match[2] or 0), 11) / 12 for match in matches]
    plausible = [years for years in found if 0 < years <= 60]
    return round(max(plausible), 1) if plausible else None


def _range(match: re.Match[str]) -> Period | None:
    first = _month(match, 1, missing=1)
    if match["now"]:
        return Period(first, None, match.start(), match.end()) if first is not None else None
    if match["short_end"]:
        last: int | None = _full_year(int(match["short_end"])) * 12
    else:
        last = _month(match, 2, missing=1 if match["only_y1"] or match["only_yy1"] else 12)
    if first is None or last is None or last < first or bool(match["bare_yy1"]) != bool(match["bare_yy2"]):
        return None  # "Mar 14 - Apr 15, 2020" are days
    return Period(first, last, match.start(), match.end())


def _within_year(match: re.Match[str]) -> Period | None:
    first, last = (
        int(match[f"m{n}"]) if match[f"m{n}"] else _month_of_name(match[f"name{n}"]) for n in (1, 2)
    )  # fmt: skip
    start = int(match["year"]) * 12 - 1
    return Period(start + first, start + last, match.start(), match.end()) if last >= first else None


def _ongoing(match: re.Match[str]) -> Period | None:
    first = _month(match, 1, missing=1)
    first = _month(match, 3, missing=1) if first is None else first
    return Period(first, None, match.start(), match.end()) if first is not None else None


def _month(match: re.Match[str], n: int, *, missing: int) -> int | None:
    """The month from year 0 of end `n` of a match; `missing` is the month if only a year is written."""
    year = next(
        (int(y) for name in ("iso_y", "full_y", "q_y", "name_y", "m_y", "only_y") if (y := match[f"{name}{n}"])), 0
    )
    if not year:
        short = match[f"short_y{n}"] or match[f"yy{n}"] or match[f"only_yy{n}"] or match[f"bare_yy{n}"]
        if not short:
            return None
        year = _full_year(int(short))
    if number := match[f"iso_m{n}"] or match[f"m{n}"] or match[f"mm{n}"]:
        month = int(number)
    elif match[f"a{n}"]:
        month = _month_of_day(match, n)
    elif quarter := match[f"q{n}"]:
        month = int(re.sub(r"\D", "", quarter)) * 3 - 2
    elif name := match[f"name{n}"] or match[f"bare_name{n}"]:
        month = _month_of_name(name)
    else:
        month = missing
    return year * 12 + month - 1 if 1 <= month <= 12 else None


def _month_of_day(match: re.Match[str], n: int) -> int:
    """The month of 15.03.2019 or 03/15/2019; 04/03/2019 begins with the day unless the other end begins with months."""
    is_month_first = any(f"b{end}" in match.re.groupindex and int(match[f"b{end}"] or 0) > 12 for end in (1, 2))
    return int(match[f"a{n}"] if is_month_first else match[f"b{n}"])


def _month_of_name(name: str) -> int:
    lower = name.lower()
    for number, stems in enumerate(_MONTH_STEMS, 1):
        if any(re.match(stem, lower) for stem in stems):
            return number
    seasons = zip(_SEASON_MONTHS, _SEASONS, strict=True)
    return next(month for month, stems in seasons if any(re.match(stem, lower) for stem in stems))


def _full_year(short: int) -> int:
    """The year of two digits, from 1960 to 2059."""
    return 2000 + short if short < 60 else 1900 + short


def _number(written: str) -> float:
    if written[0].isdigit():
        return float(written.replace(",", "."))
    pairs = zip(_WORD_VALUES, _WORD_NUMBERS, strict=True)
    return float(next(value for value, words in pairs if any(re.fullmatch(w, written, re.IGNORECASE) for w in words)))
