"""Time zones as apps and people write them, to names of the IANA database. What time it is there is not known here."""

import re
import zoneinfo
from functools import cache

_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+−-])\s*(\d{1,2})(?::?00)?", re.IGNORECASE)
_MOST_HOURS = {"+": 14, "-": 12}
_ABBREVIATIONS = {"msk": "Europe/Moscow", "мск": "Europe/Moscow", "utc": "UTC", "gmt": "UTC", "z": "UTC"}


def read_timezone(written: str) -> str | None:
    """The IANA name in its own spelling; a whole offset ("UTC+5") as Etc/GMT-5, whose sign is the other way."""
    word = written.strip().lower().replace(" ", "_")
    if known := _ABBREVIATIONS.get(word) or _names().get(word):
        return known
    match = _OFFSET.fullmatch(written.strip())
    if match is None:
        return None
    sign, hours = match[1].replace("−", "-"), int(match[2])
    if hours > _MOST_HOURS[sign]:
        return None
    return "UTC" if hours == 0 else f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"


@cache
def _names() -> dict[str, str]:
    return {name.lower(): name for name in zoneinfo.available_timezones()}
