"""Single times as sources write them. Columns of event times are read in features.sources.events."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

# Times outside these years are mistakes (epoch zero, 9999); the catalog applies narrower limits.
FIRST_YEAR, LAST_YEAR = 1990, 2100
_MILLISECONDS_FROM = 100_000_000_000  # as seconds this is the year 5138, as milliseconds 1973
_MONTHS = {
    "янв": 1, "фев": 2, "мар": 3, "апр": 4, "мая": 5, "май": 5, "июн": 6, "июл": 7, "авг": 8, "сен": 9, "окт": 10,
    "ноя": 11, "дек": 12,
}  # fmt: skip
_RUSSIAN = re.compile(
    r"(\d{1,2})\s+([а-яё]{3,8})\.?\s+(\d{4})(?:\s*г(?:ода|\.)?)?,?(?:\s+(?:в\s+)?(\d{1,2}):(\d{2})(?::(\d{2}))?)?\s*(.*)",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:,?\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\s*(.*)")
_ZONE_HOURS = {
    "MSK": 3.0, "MSD": 4.0, "МСК": 3.0, "EET": 2.0, "EEST": 3.0, "CET": 1.0, "CEST": 2.0, "WET": 0.0, "WEST": 1.0,
    "BST": 1.0, "SAMT": 4.0, "YEKT": 5.0, "OMST": 6.0, "NOVT": 7.0, "KRAT": 7.0, "IRKT": 8.0, "YAKT": 9.0,
    "VLAT": 10.0, "ALMT": 5.0, "QYZT": 5.0, "UZT": 5.0, "IST": 5.5, "JST": 9.0, "AEST": 10.0, "AEDT": 11.0,
}  # fmt: skip
_TRAILING_ZONE = re.compile(r"\s*\(?([A-Za-zА-Яа-я]{2,5})\)?\s*$")
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})$")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_RUSSIAN_WEEKDAY = re.compile(r"^(?:пн|вт|ср|чт|пт|сб|вс)[а-яё]*\.?,?\s+", re.IGNORECASE)


def read_timestamp(value: object) -> datetime | None:
    """A time in UTC, or None if it can't be read or is implausible.

    Formats: RFC 3339 / ISO 8601, RFC 822 (also with zones such as MSK, unknown to feedparser), epoch seconds and
    milliseconds, `dd.mm.yyyy` and Russian month names. A time without a zone is in UTC.
    """
    if isinstance(value, datetime):
        return _plausible(value)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return _from_epoch(value)
    if not isinstance(value, str):
        return None
    written = value.strip()[:80]
    if not written:
        return None
    if re.fullmatch(r"-?\d{9,17}(\.\d+)?", written, re.ASCII):
        return _from_epoch(float(written))
    for read in (_read_iso, _read_russian, _read_rfc822):
        try:
            found = read(written)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        if found is not None:
            return _plausible(found)
    return None


def _plausible(moment: datetime) -> datetime | None:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        utc = aware.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return utc if FIRST_YEAR <= utc.year < LAST_YEAR else None


def _from_epoch(seconds: float) -> datetime | None:
    try:
        moment = datetime.fromtimestamp(float(seconds) / (1000 if abs(seconds) >= _MILLISECONDS_FROM else 1), UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return _plausible(moment)


def _read_iso(written: str) -> datetime | None:
    if len(written) < 10 or not written[:4].isdigit() or written[4] != "-":
        return None
    iso = _FRACTION.sub(r"\1", written)
    iso = re.sub(r"\s+(?=[+-]\d|Z)", "", iso.removesuffix(" UTC").replace(",", "."))
    if iso[10:19] == "T24:00:00":  # ISO 8601's end of the day, which datetime refuses before Python 3.13
        return datetime.fromisoformat(iso[:10] + "T00:00:00" + iso[19:]) + timedelta(days=1)
    return datetime.fromisoformat(iso)


def _read_russian(written: str) -> datetime | None:
    bare = _RUSSIAN_WEEKDAY.sub("", written)
    if match := _RUSSIAN.fullmatch(bare):
        month = _MONTHS.get(match[2][:3].lower())
    elif match := _DOTTED.fullmatch(bare):
        month = int(match[2])
    else:
        return None
    if month is None:
        return None
    hour, minute, second = (int(match[group] or 0) for group in (4, 5, 6))
    local = datetime(int(match[3]), month, int(match[1]), hour, minute, second, tzinfo=UTC)
    return local - (_zone_offset(match[7].strip()) or timedelta(0))


def _read_rfc822(written: str) -> datetime | None:
    parts = parsedate_tz(written)
    if parts is None:
        return None
    year, month, day, hour, minute, second = parts[:6]
    shift = timedelta(days=1) if hour == 24 else timedelta(0)  # "24:00:00" is midnight of the next day
    moment = datetime(year, month, day, hour % 24 if hour == 24 else hour, minute, min(second, 59), tzinfo=UTC) + shift
    named = _zone_offset(match[1]) if (match := _TRAILING_ZONE.search(written)) else None
    offset = named if named is not None and not parts[9] else timedelta(seconds=parts[9] or 0)
    return moment - offset


def _zone_offset(zone: str) -> timedelta | None:
    if match := _OFFSET.fullmatch(zone):
        return timedelta(hours=int(match[2]), minutes=int(match[3])) * (1 if match[1] == "+" else -1)
    hours = _ZONE_HOURS.get(zone.upper())
    return None if hours is None else timedelta(hours=hours)
