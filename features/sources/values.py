"""Single values out of untrusted JSON: the wanted type or None, never an exception. No format is known here."""

import html
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from features.errors import SourceError

T = TypeVar("T")

LEAST_AMOUNT = 0.01  # of money: less is no pay, and a ratio to it would overflow
MAX_JSON_BYTES = 256 * 1024 * 1024
_TAG = re.compile(r"<[^<>]{0,2000}>")
_SPACE = re.compile(r"\s+")
# Also the control characters of one byte (C1, but for the line end among them) and those of writing direction.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LONE_SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
# "2 WEEK", "biweekly", "one time": no period of ours.
_ODD_PERIOD = re.compile(
    r"[02-9]|1\d|(?:^|[^a-z])(?:bi|semi|two|six|fort|quarter|half|twice|every|other|one|once|lump)"
)
# What boards call a period; the last words are codes of UN/CEFACT.
_PERIODS = {
    name: re.compile(rf"(?:^|[^a-z])(?:per)?(?:{words})(?:$|[^a-z])|^p{words}$")
    for name, words in {
        "hour": "hours?|hourly|hrs?|hur", "day": "days?|daily", "week": "weeks?|weekly|wee",
        "month": "months?|monthly|mon", "year": "years?|yearly|annual|annually|annum|yr|ann",
    }.items()
}  # fmt: skip
# What may stand beside an amount that is one number: a code or a short name of a currency.
_UNIT = (
    r"(?:(?!MIN|MAX)[A-Z]{3}|[Rr][sp]\.?|RM|R|[Ff]r\.?|kr\.?|Kč|Ft|TL|[Ee]uros?"
    r"|so'm|zł|лв\.?|[Рр]уб(?:лей|\.)?|р\.?|тенге|тг|грн\.?|сум)"
)
_MONEY = re.compile(
    rf"(?:{_UNIT}\s?)?(?:[A-Za-z]{{0,3}}[^\w\s.,'+-])?\s?"
    r"(?P<whole>\d{1,2}(?:,\d{2})+,\d{3}|[1-9]\d{0,2}(?P<mark>[\s.,'’])\d{3}(?:(?P=mark)\d{3})*|\d+)"
    r"(?:(?!(?P=mark))[.,](?P<decimals>\d{1,4})|[.,]-{1,2})?\s?(?P<thousands>[kк](?![^\W\d_]))?"
    rf"\s?[^\w\s.,'+-]?\s?(?:{_UNIT})?"
)
_TRUE = frozenset({"true", "yes", "1", "1.0", "y", "t", "on", "да"})
_FALSE = frozenset({"false", "no", "0", "0.0", "n", "f", "off", "нет"})
# How data frames, databases and spreadsheets write that there is no value; "NA" is Namibia, "Nan" a town.
_MISSING = frozenset(
    {"nan", "NaN", "NAN", "null", "NULL", "Null", "(null)", "nil", "None", "none", "NONE", "n/a", "N/A", "N.A.", "n.a."}
    | {"#N/A", "#VALUE!", "<NA>", "NaT", "\\N", "undefined", "-", "--", "–", "—"}
)
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
_BULLET = re.compile(r"^[\s•·*–—-]+")


class NotJsonError(SourceError):
    """The bytes are not one usable JSON document; they may also be too large, too deep or not UTF-8."""


def decode_json(body: bytes) -> object:
    """`body` as Python values. Raises NotJsonError.

    Three things that serialisers write against the standard are read too: NaN and Infinity as null, numbers too large
    for a float, and halves of surrogate pairs (text cut within an emoji) as U+FFFD.
    """
    if len(body) > MAX_JSON_BYTES:
        raise NotJsonError(f"{len(body)} bytes; at most {MAX_JSON_BYTES} are read")
    bare = body.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(bare)
    except (ValueError, RecursionError) as error:
        message = str(error)[:200]
    try:
        return json.loads(_LONE_SURROGATE.sub(r"\\ufffd", bare.decode()), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise NotJsonError(message) from None


def raw_json(value: object) -> bytes:
    """A decoded JSON value encoded again, as the raw form of a reject."""
    try:
        return msgspec.json.encode(value)
    except RecursionError:
        return b""
    except (ValueError, TypeError, OverflowError):  # numbers that only Python can represent
        return repr(value)[:8192].encode("utf-8", "replace")


def mapping(value: object) -> Mapping[str, object]:
    """`value` if it is a JSON object, else an empty one, so that look-ups can be chained."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """`value` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """A string without control characters and outer space, or a number as written; None for blanks and all else."""
    if isinstance(value, str):
        clean = value if value.isprintable() else _CONTROL.sub("", value)  # the check is far cheaper than the search
        return clean.strip() or None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return (str(int(value)) if value.is_integer() else str(value)) if math.isfinite(value) else None
    return None


def line(value: object) -> str | None:
    """`text` on one line: runs of white space, no-break spaces among them, become one space."""
    found = text(value)
    if found is None or (found.isprintable() and "  " not in found):
        return found
    return _SPACE.sub(" ", found).strip() or None


def plain(value: object) -> str | None:
    """One line of plain text from text that may hold entities and tags, such as titles of feeds."""
    found = text(value)
    if found is None:
        return None
    if "&" in found or "<" in found:
        found = html.unescape(_TAG.sub(" ", _CDATA.sub("", html.unescape(found))))
    return line(found)


def visible(value: object) -> str | None:
    """`plain` without characters that are not seen: marks that reverse the direction of text, zero-width ones."""
    found = plain(value)
    if found is None or found.isprintable():
        return found
    return line("".join(one for one in found if unicodedata.category(one) not in ("Cf", "Cc", "Cs", "Co", "Cn")))


def number(value: object) -> float | None:
    """A finite number, also from decimal text with a space, no-break space or comma as thousands separator."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        compact = _SPACE.sub("", value)[:40]
        if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", compact):
            compact = compact.replace(",", "")
        elif re.fullmatch(r"-?\d+,\d{1,2}", compact):
            compact = compact.replace(",", ".")
        if not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?", compact, re.ASCII):
            return None
        value = float(compact)
    if not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def amount(value: object) -> float | None:
    """A pay amount: a number above zero (boards write 0 for unknown), text in any grouping: "$50,000", "50.000 €"."""
    found = _money(value) if isinstance(value, str) else number(value)
    return found if found is not None and LEAST_AMOUNT <= found < 1e15 else None


def _money(written: str) -> float | None:
    """The only number of a text; three digits after a single separator are thousands, as pay has no third decimal."""
    match = _MONEY.fullmatch(unicodedata.normalize("NFKC", written).strip()[:40])
    if match is None:
        return number(written)
    digits, decimals = re.sub(r"\D", "", match["whole"]), match["decimals"] or "0"
    return float(f"{digits}.{decimals}") * (1000 if match["thousands"] else 1)


def pay_columns(lower: object, upper: object, *, currency: object, period: str | None) -> dict[str, object]:
    """The columns of pay with its two bounds; empty if neither is above zero. Text that is no single amount, or that
    alone names the currency, becomes `salary_text`.
    """
    least, most = amount(lower), amount(upper)
    written = [one for one in strings((lower, upper)) or () if re.search("[1-9]", one)]
    is_more = (least is None and most is None) or text(currency) is None
    if is_more and any(re.search(r"[^\d\s.,'+-]|\d\s*-", one) for one in written):
        return {"salary_text": " - ".join(written), "salary_currency": text(currency), "salary_period": period}
    if least is None and most is None:
        return {}
    return {"salary_min": least, "salary_max": most, "salary_currency": text(currency), "salary_period": period}


def pay_period(stated: object) -> str | None:
    """year, month, week, day or hour if a board's own words mean one ("per-year-salary", "1 YEAR"), else its words."""
    words = (line(stated) or "").lower()[:60]
    named = [name for name, known in _PERIODS.items() if known.search(words)]
    return named[0] if len(named) == 1 and not _ODD_PERIOD.search(words) else words or None


def coordinates(latitude: object, longitude: object) -> dict[str, object]:
    """Columns `latitude` and `longitude` in degrees; both are None unless both are in range."""
    lat, lon = number(latitude), number(longitude)
    if lat is None or lon is None or not (-90 <= lat <= 90 and -180 <= lon <= 180):
        lat, lon = None, None
    return {"latitude": lat, "longitude": lon}


def flag(value: object) -> bool | None:
    """A boolean, also as text ("false") or 0/1."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return bool(value) if value in (0, 1) else None
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else None
    return None


def first(read: Callable[[object], T | None], entry: Mapping[str, object], *names: str) -> T | None:
    """The first of the members `names` that `read` can read; None if it can read none."""
    return next((found for name in names if (found := read(entry.get(name)))), None)


def joined(values: Iterable[object] | None) -> str | None:
    """The non-blank texts among `values`, each once, separated by a comma; None when there are none."""
    return ", ".join(strings(values or ()) or ()) or None


def stated(row: Mapping[str, object]) -> dict[str, object]:
    """`row` with null for every text that only says that there is no value: "NaN", "NULL", "N/A"."""
    return {
        name: None if isinstance(value, str) and value.strip() in _MISSING else value for name, value in row.items()
    }


def language_code(value: object) -> str | None:
    """The first two letters of a language tag, in lower case."""
    return (text(value) or "")[:2].lower() or None


def strings(values: Iterable[object]) -> list[str] | None:
    """The non-blank texts among `values`, in order, each once; None when there are none."""
    found = dict.fromkeys(one for one in (line(value) for value in values) if one)
    return list(found) or None


def listed(value: object) -> list[str] | None:
    """A list of texts from a JSON array, or from text separated by line ends, else semicolons, vertical bars or commas.

    Lists as Python and PostgreSQL write them are read too: "['Go', 'SQL']", "{Go,SQL}".
    """
    if isinstance(value, str):
        stripped = value.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            try:
                return strings(items(decode_json(stripped.encode("utf-8", "replace"))))
            except NotJsonError:
                quoted = [one or other for one, other in _QUOTED.findall(stripped)]
                return strings(quoted) if quoted else listed(stripped[1:-1])
        if stripped.startswith("{") and stripped.endswith("}"):
            return strings(part.strip(' "') for part in stripped[1:-1].split(","))
        if "\n" in stripped:
            lines = [_BULLET.sub("", one) for one in stripped.splitlines()]
            return strings(part for one in lines for part in listed(one) or ())
        separator = ";" if ";" in stripped else "|" if "|" in stripped else ","
        return strings(stripped.split(separator))
    return strings(value) if isinstance(value, (list, tuple)) else None


def link(value: object, base: str | None = None) -> str | None:
    """An http(s) URL, resolved against `base` if relative; None for other schemes and malformed URLs."""
    found = text(value)
    if found is None or len(found) > 4000 or _SPACE.search(found):
        return None
    try:
        absolute = urljoin(base, found) if base else found
        parts = urlsplit(absolute)
        return absolute if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def is_short_id(value: str | None) -> bool:
    """Whether a source's id can be used unchanged: 1 to 64 of A-Z a-z 0-9 . _ -"""
    return value is not None and _ID.fullmatch(value) is not None
