"""Telephone numbers in resumes, as they are written: of any country with its code, else in a national form."""

import re
from collections.abc import Iterable, Sequence

import phonenumbers

from features.sources.resumes.dates import find_periods
from features.sources.values import line

_DASHES = "‐‑‒–—−"
_CANDIDATE = re.compile(rf"(?<![\w.@/#-])(?:\+|\(\+?)?\d[\d\s().\u00a0/{_DASHES}-]{{5,24}}\d(?![\w@%])")
_LABEL = re.compile(
    r"(?:phones?|mobile|cell(?:ular)?|tel(?:ephone)?|mob|ph|whatsapp|contact(?: no| number)?|телефоны?|тел"
    r"|моб(?:ильный)?|сот)"
    r"(?:\(s\))?[\s.:№#+-]*$",
    re.IGNORECASE,
)
# Regions whose national forms are tried, by the alphabet of the resume; the first that finds the number valid wins.
_LATIN = (
    "US", "GB", "IN", "DE", "FR", "AU", "BR", "ES", "IT", "NL", "PL", "MX", "ZA", "IE", "PK", "NG", "PH", "TR", "SE",
    "CH", "AT", "BE", "PT", "CZ", "RO", "UA", "SG", "MY", "ID", "AE", "IL", "NZ", "JP", "CN", "KE", "EG", "AR", "CO",
)  # fmt: skip
_CYRILLIC = ("RU", "UA", "BY", "KZ", "UZ", "KG", "GE", "AM", "AZ", "TJ", "MD", "BG", "RS")
_ALONE_BEFORE, _ALONE_AFTER = (
    re.compile(r"(?:^|[|•·,;⋄◦:\t]|\s{2,}|[–—]\s)\W*$"),
    re.compile(r"\W*(?:$|[|•·,;⋄◦(\t]|\s{2,}|\s[–—])"),
)
_YEAR_AND_MONTH = re.compile(
    r"(?<!\d)(?:19|20)\d\d[./-](?:0[1-9]|1[0-2])(?!\d)|(?<!\d)(?:0[1-9]|1[0-2])[./](?:19|20)\d\d(?!\d)"
)
_NORTH_AMERICAN = re.compile(r"\(?\d{3}\)?[\s.-]{0,2}\d{3}[\s.-]\d{4}")
_MIN_DIGITS, _MAX_DIGITS = 7, 15
_MAX_CANDIDATES = 60


def first_phone(parts: Sequence[Iterable[str]]) -> str | None:
    """The first number of the first part of the resume that has one; None if there is none.

    A number without a country code counts beside a word such as "tel."; in the first part also where it stands between
    separators, has ten digits or more and is valid in some country.
    """
    for part, lines in enumerate(parts):
        n_tried = 0
        for each in lines:
            regions = _CYRILLIC + _LATIN if re.search("[а-яё]", each, re.IGNORECASE) else _LATIN + _CYRILLIC
            for match in _CANDIDATE.finditer(each):
                n_tried += 1
                if n_tried > _MAX_CANDIDATES:
                    return None
                before, after = each[: match.start()], each[match.end() :]
                is_labelled = _LABEL.search(before) is not None
                is_alone = part == 0 and bool(_ALONE_BEFORE.search(before) and _ALONE_AFTER.match(after))
                if _is_phone(match[0], regions=regions, is_labelled=is_labelled, is_alone=is_alone):
                    return _as_written(match[0])
    return None


def without_phones(text: str) -> str:
    """The text with [removed] for whatever may be a telephone number: too much is removed rather than too little."""

    def instead(match: re.Match[str]) -> str:
        is_date = (
            _YEAR_AND_MONTH.search(match[0]) or find_periods(match[0]) or len(re.sub(r"\D", "", match[0])) < _MIN_DIGITS
        )
        return match[0] if is_date else "[removed]"

    return _CANDIDATE.sub(instead, text)


def _is_phone(written: str, *, regions: Sequence[str], is_labelled: bool, is_alone: bool) -> bool:
    dialled = re.sub(f"[{_DASHES}/]", "-", written)
    digits = re.sub(r"\D", "", dialled)
    if not _MIN_DIGITS <= len(digits) <= _MAX_DIGITS or _YEAR_AND_MONTH.search(written) or find_periods(written):
        return False
    if dialled.lstrip("( ").startswith(("+", "00")):
        return _is_possible("+" + re.sub(r"^00", "", digits))
    if not is_labelled and (len(digits) < 10 or not is_alone):
        return False
    if _NORTH_AMERICAN.fullmatch(dialled.strip()):  # "555-123-4567" is one, though no exchange has the code 555
        return True
    return any(_is_valid(dialled, region) for region in regions)


def _is_possible(international: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(international))
    except phonenumbers.NumberParseException:
        return False


def _is_valid(national: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number_for_region(phonenumbers.parse(national, region), region)
    except phonenumbers.NumberParseException:
        return False


def _as_written(found: str) -> str | None:
    opened = found.count("(") - found.count(")")
    return line(found.replace("(", "", 1) if opened > 0 else found)
