"""Single times as sources write them. Columns of event times are read in features.sources.events."""

import re
from datetime import UTC, date, datetime, time, timedelta

# Times outside these years are mistakes (epoch zero, 9999); the catalog applies narrower limits.
FIRST_YEAR, LAST_YEAR = 1990, 2100
_MILLISECONDS_FROM, _MICROSECONDS_FROM = 1e11, 1e14  # as seconds the year 5138, as milliseconds 1973 and 5138
_MAX_CHARACTERS = 80
# The first letters of the months in English, Russian, Ukrainian, German, French, Spanish, Italian, Portuguese, Polish,
# Czech, Dutch and the Nordic languages; longer beginnings first where shorter ones are shared.
_MONTHS = (
    # Finnish November begins like March, Croatian June and July like Polish July and Czech August.
    ("marras", 11), ("lipanj", 6), ("lipnj", 6), ("srpanj", 7), ("srpnj", 7),
    ("juni", 6), ("juin", 6), ("juli", 7), ("juil", 7), ("липн", 7), ("черв", 6), ("серп", 8), ("жовт", 10),
    ("вере", 9), ("марц", 3), ("czer", 6), ("červenc", 7), ("červn", 6), ("říj", 10), ("paź", 10), ("paz", 10),
    ("jan", 1), ("ene", 1), ("gen", 1), ("янв", 1), ("січ", 1), ("sty", 1), ("led", 1), ("jän", 1),
    ("feb", 2), ("fév", 2), ("fev", 2), ("фев", 2), ("лют", 2), ("lut", 2), ("úno", 2),
    ("mar", 3), ("mär", 3), ("maa", 3), ("mrz", 3), ("мар", 3), ("бер", 3), ("bře", 3),
    ("apr", 4), ("avr", 4), ("abr", 4), ("апр", 4), ("кві", 4), ("kwi", 4), ("dub", 4),
    ("may", 5), ("mai", 5), ("maj", 5), ("mei", 5), ("mag", 5), ("мая", 5), ("май", 5), ("тра", 5), ("kvě", 5),
    ("jun", 6), ("giu", 6), ("июн", 6), ("jul", 7), ("lug", 7), ("июл", 7), ("lip", 7),
    ("aug", 8), ("aoû", 8), ("aou", 8), ("ago", 8), ("авг", 8), ("sie", 8), ("srp", 8),
    ("sep", 9), ("set", 9), ("сен", 9), ("wrz", 9), ("zář", 9),
    ("oct", 10), ("okt", 10), ("ott", 10), ("out", 10), ("окт", 10),
    ("nov", 11), ("ноя", 11), ("лис", 11), ("lis", 11), ("dec", 12), ("dez", 12), ("déc", 12), ("dic", 12), ("дек", 12),
    ("гру", 12), ("gru", 12), ("pro", 12), ("des", 12),
)  # fmt: skip
_ZONE_HOURS = {
    "Z": 0.0, "UT": 0.0, "UTC": 0.0, "GMT": 0.0, "WET": 0.0, "WEST": 1.0, "BST": 1.0, "CET": 1.0, "MET": 1.0,
    "MEZ": 1.0, "WAT": 1.0, "CEST": 2.0, "MEST": 2.0, "MESZ": 2.0, "EET": 2.0, "CAT": 2.0, "SAST": 2.0,
    "EEST": 3.0, "MSK": 3.0, "МСК": 3.0, "EAT": 3.0, "TRT": 3.0, "IDT": 3.0, "MSD": 4.0, "SAMT": 4.0, "GST": 4.0,
    "GET": 4.0, "AZT": 4.0, "YEKT": 5.0, "ALMT": 5.0, "QYZT": 5.0, "UZT": 5.0, "PKT": 5.0, "TJT": 5.0, "IST": 5.5,
    "NPT": 5.75, "OMST": 6.0, "KGT": 6.0, "NOVT": 7.0, "KRAT": 7.0, "ICT": 7.0, "WIB": 7.0, "IRKT": 8.0,
    "HKT": 8.0, "SGT": 8.0, "PHT": 8.0, "MYT": 8.0, "AWST": 8.0, "YAKT": 9.0, "JST": 9.0, "KST": 9.0, "ACST": 9.5,
    "VLAT": 10.0, "AEST": 10.0, "ACDT": 10.5, "AEDT": 11.0, "NZST": 12.0, "NZDT": 13.0, "BRT": -3.0, "ART": -3.0,
    "ADT": -3.0, "AST": -4.0, "CLT": -4.0, "EDT": -4.0, "EST": -5.0, "COT": -5.0, "PET": -5.0, "CDT": -5.0,
    "CST": -6.0, "MDT": -6.0, "MST": -7.0, "PDT": -7.0, "PST": -8.0, "AKDT": -8.0, "AKST": -9.0, "HST": -10.0,
}  # fmt: skip
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)(?:[T ]?(\d\d)(\d\d)(\d\d)?)?\s*(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_EPOCH = re.compile(r"-?\d{9,17}(\.\d+)?", re.ASCII)
_FRACTION = re.compile(r"(\.\d{6})\d+")
_CLOCK = re.compile(
    r"(?<!\d)(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,]\d+)?)?(?!\d)\s*(?:([ap])\.?m\b\.?)?", re.IGNORECASE
)
_HOUR = re.compile(r"(?<![\d:])(\d{1,2})\s*([ap])\.?m\b\.?", re.IGNORECASE)
_OFFSET = re.compile(r"(?:(?<=[\s)])|(?<=\b[A-Zа-яА-Яa-z]{3})|^)([+-])(\d{1,2})(?::?(\d{2}))?\s*$")
_ZONE_NAME = re.compile(r"(?:^|(?<=[\s\d]))\(?([A-Za-zА-Я]{1,5}|[A-Z][A-Za-z_]+/[A-Za-z_/]+)\)?\s*$")
_COMMENT = re.compile(r"\([^()]*\)\s*$")
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_LETTERS = r"[^\W\d_]{3,12}"
_DAY_MONTH = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|\.)?[\s-]*(?:of |de )?({_LETTERS})\.?[\s,-]*(?:de )?(\d{{4}}|\d{{2}})(?![\d:])"
)
_MONTH_DAY = re.compile(rf"({_LETTERS})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})(?!\d)")
_MONTH_DAY_BEFORE_CLOCK = re.compile(rf"({_LETTERS})\.?\s+(\d{{1,2}})\s*\|\s*(.*?)(\d{{4}})$")
_FILLER = re.compile(
    r"\b(?:mon|tue|wed|thu|fri|sat|sun|пн|вт|ср|чт|пт|сб|вс|нд|пон|вто|сре|чет|пят|суб|вос|нед)[^\W\d_]*"
    r"|\b(?:mo|di|mi|do|fr|sa|so|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|lundi|mardi|mercredi|jeudi"
    r"|vendredi|samedi|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo|понеділок|вівторок|середа|четвер"
    r"|п'ятниця|субота|неділя)\b|\b(?:at|on|um|uhr|в|о|г|года|року|р|à|a las|kl)\b",
    re.IGNORECASE,
)  # fmt: skip


def read_timestamp(value: object) -> datetime | None:
    """A time in UTC, or None if it can't be read, is ambiguous or is implausible.

    Formats: RFC 3339 / ISO 8601, RFC 822 and its variants, epoch seconds to microseconds, dates in figures and in words
    of a dozen languages, hours with AM and PM. A time without a zone is in UTC; with an unknown zone it is None, and so
    is a date that two countries read differently, such as 03/04/2026.
    """
    found = _read(value)
    return _plausible(found) if isinstance(found, datetime) else _start_of(found)


def read_deadline(value: object) -> datetime | None:
    """Like `read_timestamp`, but a date without a time is the end of that day in UTC."""
    found = _read(value)
    if isinstance(found, datetime) or found is None:
        return _plausible(found) if found else None
    start = _start_of(found)
    return start and start + timedelta(days=1, seconds=-1)


def _read(value: object) -> datetime | date | None:
    if isinstance(value, (datetime, date)):
        return value
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return _from_epoch(value)
    if not isinstance(value, str):
        return None
    written = value.strip()[:_MAX_CHARACTERS]
    for read in (_read_iso, _read_figures, _read_words):
        try:
            found = read(written)
        except (ValueError, OverflowError):
            continue
        if found is not None:
            return found
    return None


def _start_of(day: date | None) -> datetime | None:
    return None if day is None else _plausible(datetime.combine(day, time(0), UTC))


def _plausible(moment: datetime) -> datetime | None:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        utc = aware.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return utc if FIRST_YEAR <= utc.year < LAST_YEAR else None


def _from_epoch(seconds: float) -> datetime | None:
    size = abs(seconds)
    try:
        scale = 1_000_000 if size >= _MICROSECONDS_FROM else 1_000 if size >= _MILLISECONDS_FROM else 1
        return datetime.fromtimestamp(float(seconds) / scale, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _read_iso(written: str) -> datetime | date | None:
    if len(written) < 10 or not written[:4].isdigit() or written[4] != "-":
        return None
    if len(written) == 10:
        return date.fromisoformat(written)
    iso = _FRACTION.sub(r"\1", written)
    iso = re.sub(r"\s+(?=[+-]\d|Z)", "", iso.removesuffix("[UTC]").removesuffix(" UTC").replace(",", "."))
    if iso[10:19] == "T24:00:00":  # ISO 8601's end of the day, which datetime refuses before Python 3.13
        return datetime.fromisoformat(iso[:10] + "T00:00:00" + iso[19:]) + timedelta(days=1)
    return datetime.fromisoformat(iso)


def _read_figures(written: str) -> datetime | date | None:
    """Figures only: a compact date such as 20260218T100000Z, or an epoch."""
    if match := _COMPACT.fullmatch(written):
        year, month, day, hour, minute, second, zone = match.groups()
        found = date(int(year), int(month), int(day))
        if hour is None:
            return found if zone is None else None
        offset = datetime.strptime(zone, "%z").tzinfo if zone else UTC
        return datetime.combine(found, time(int(hour), int(minute), int(second or 0)), offset)
    return _from_epoch(float(written)) if _EPOCH.fullmatch(written) else None


def _read_words(written: str) -> datetime | date | None:
    """A date in any of the usual orders, with or without a time and a zone, and nothing else beside fillers."""
    rest = " ".join(written.replace("\u00a0", " ").split())
    rest, clock = _clock(rest)
    if clock is not None and (match := re.search(r"\|(.*)$", rest)):
        zone, offset = _zone(match[1])
        rest = rest[: match.start()] + zone
        if offset is None:
            return None
    else:
        offset = timedelta(0)
    found = _date(rest)
    if found is None:
        return None
    day, rest = found
    if re.search(r"\w", _FILLER.sub(" ", rest)):
        return None
    return day if clock is None else datetime.combine(day, time(0), UTC) + clock - offset


def _clock(rest: str) -> tuple[str, timedelta | None]:
    """`rest` with "|" in place of the time of day, and that time; 24:00 is the end of the day."""
    match = _CLOCK.search(rest)
    hours, minutes, seconds, half = match.groups() if match else (None, None, None, None)
    if match is None and (match := _HOUR.search(rest)):
        (hours, half), minutes, seconds = match.groups(), "0", "0"
    if match is None:
        return rest, None
    hour, minute, second = int(hours or 0), int(minutes or 0), min(int(seconds or 0), 59)
    if half and hour <= 12:
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    if hour > 24 or minute > 59 or (hour == 24 and (minute or second)):
        raise ValueError(rest)
    before = re.sub(r"(?<=\d)T$", "", rest[: match.start()])
    return f"{before.rstrip(' ,')} | {rest[match.end() :]}".strip(), timedelta(
        hours=hour, minutes=minute, seconds=second
    )


def _zone(rest: str) -> tuple[str, timedelta | None]:
    """What follows a time without its zone, and the zone's offset; no offset if the zone is unknown."""
    text = re.sub(r"^\s*\((.*)\)\s*$", r"\1", rest).strip()
    if _OFFSET.search(_COMMENT.sub("", text)):
        text = _COMMENT.sub("", text)  # "GMT+0100 (Central European Standard Time)"
    offset = timedelta(0)
    if match := _OFFSET.search(text):
        hours, minutes = int(match[2]), int(match[3] or 0)
        if hours > 14 or minutes > 59:
            return text, None
        offset = timedelta(hours=hours, minutes=minutes) * (1 if match[1] == "+" else -1)
        text = text[: match.start()].rstrip()
    year = re.search(r"\s*\d{4}$", text)  # "10:00:00 UTC 2026"
    name = text[: year.start()] if year else text
    match = _ZONE_NAME.search(name)
    if match is None or _FILLER.fullmatch(match[1]):
        return text, offset
    if (ahead := _ZONE_HOURS.get(match[1].upper())) is None:
        return text, offset if _month(match[1]) else None
    return name[: match.start()] + (year.group() if year else ""), offset + timedelta(hours=ahead)


def _date(rest: str) -> tuple[date, str] | None:
    """The date in `rest`, and what is left beside it."""
    if match := _YEAR_FIRST.search(rest):
        year, _, month, day = match.groups()
        return date(int(year), int(month), int(day)), _without(rest, match)
    if match := _YEAR_LAST.search(rest):
        first, mark, second, year = match.groups()
        day_first = mark == "." or int(first) > 12
        if (not day_first and int(second) <= 12 and first != second) or (mark != "." and len(year) == 2):
            return None  # 03/04/2026, 26-02-18
        day, month = (first, second) if day_first else (second, first)
        return date(_year(year), int(month), int(day)), _without(rest, match)
    for pattern, order in ((_DAY_MONTH, (1, 2, 3)), (_MONTH_DAY, (2, 1, 3)), (_MONTH_DAY_BEFORE_CLOCK, (2, 1, 4))):
        for match in pattern.finditer(rest):
            if month_number := _month(match[order[1]]):
                day_of = date(_year(match[order[2]]), month_number, int(match[order[0]]))
                left = match[3] if pattern is _MONTH_DAY_BEFORE_CLOCK else ""
                return day_of, f"{_without(rest, match)} {left}"
    return None


def _without(rest: str, match: re.Match[str]) -> str:
    return f"{rest[: match.start()]} {rest[match.end() :]}"


def _year(written: str) -> int:
    year = int(written)
    return year if len(written) == 4 else year + (2000 if year < 69 else 1900)


def _month(word: str) -> int | None:
    low = word.lower()
    return next((number for start, number in _MONTHS if low.startswith(start)), None)
