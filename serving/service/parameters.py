"""Query parameters: one declaration reads, checks and describes each of them."""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

from serving.service.problems import ProblemError, bad_parameter

# What an id or a name may hold: anything but control characters.
PRINTABLE = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_PRINTABLE = re.compile(PRINTABLE.removesuffix("$") + r"\Z")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,11})")
_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,25})?(?:[eE][-+]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MOST_FIELDS = 50


@dataclass(frozen=True, eq=False)
class Parameter:
    """One query parameter. `read` converts its text to the value, or to None if the text is not allowed."""

    name: str
    description: str
    schema: Mapping[str, object]
    read: Callable[[str], object | None]
    allowed: str
    default: object = None
    is_required: bool = False


def integer(name: str, description: str, *, low: int, high: int, default: int) -> Parameter:
    """A whole number within [low, high]."""

    def read(text: str) -> int | None:
        return int(text) if _INTEGER.fullmatch(text) and low <= int(text) <= high else None

    schema = {"type": "integer", "minimum": low, "maximum": high, "default": default}
    return Parameter(name, description, schema, read, f"an integer from {low} to {high}", default)


def number(name: str, description: str, *, low: float, high: float, default: float | None) -> Parameter:
    """A number within [low, high]; required if `default` is None."""

    def read(text: str) -> float | None:
        return float(text) if _NUMBER.fullmatch(text) and low <= float(text) <= high else None

    schema: dict[str, object] = {"type": "number", "minimum": low, "maximum": high}
    if default is not None:
        schema["default"] = default
    allowed = f"a number from {low:g} to {high:g}"
    return Parameter(name, description, schema, read, allowed, default, is_required=default is None)


def flag(name: str, description: str) -> Parameter:
    """True or false; false if absent."""
    schema = {"type": "boolean", "default": False}
    return Parameter(name, description, schema, {"true": True, "false": False}.get, "true or false", False)


def choice(name: str, description: str, options: Iterable[str], *, default: str | None) -> Parameter:
    """One of `options`."""
    allowed = list(options)
    schema: dict[str, object] = {"type": "string", "enum": allowed}
    if default is not None:
        schema["default"] = default
    return Parameter(name, description, schema, {each: each for each in allowed}.get, " or ".join(allowed), default)


def text(name: str, description: str, *, longest: int, default: str) -> Parameter:
    """A short text without control characters."""

    def read(received: str) -> str | None:
        return received if len(received) <= longest and _PRINTABLE.match(received) else None

    schema = {"type": "string", "maxLength": longest, "pattern": PRINTABLE, "default": default}
    return Parameter(name, description, schema, read, f"at most {longest} printable characters", default)


def date(name: str, description: str) -> Parameter:
    """A calendar date."""

    def read(received: str) -> str | None:
        try:
            return dt.date.fromisoformat(received).isoformat() if _DATE.fullmatch(received) else None
        except ValueError:
            return None

    return Parameter(name, description, {"type": "string", "format": "date"}, read, "a date such as 2026-03-01")


@lru_cache(maxsize=4096)
def parse_query(parameters: tuple[Parameter, ...], query: bytes) -> Mapping[str, object]:
    """The value of every parameter. Raises ProblemError 400 if one is wrong, unknown, missing or given twice."""
    given = _given(query)
    known = {parameter.name for parameter in parameters}
    for name in given:
        if name not in known:
            allowed = ", ".join(parameter.name for parameter in parameters) or "no parameter"
            raise bad_parameter(name, given[name], f"this path knows: {allowed}", what="unknown parameter")
    values: dict[str, object] = {}
    for parameter in parameters:
        received = given.get(parameter.name)
        value = parameter.default if received is None else parameter.read(received)
        if value is None and (received is not None or parameter.is_required):
            raise bad_parameter(parameter.name, received, parameter.allowed)
        values[parameter.name] = value
    return values


def decode_identifier(name: str, raw: str, *, longest: int) -> str:
    """The id in a path whose bytes came as characters (PEP 3333). Raises ProblemError 400 if it is not valid."""
    try:
        identifier = raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        identifier = ""
    if not 0 < len(identifier) <= longest or not (identifier.isprintable() or _PRINTABLE.match(identifier)):
        raise bad_parameter(name, identifier or raw, f"1 to {longest} printable characters, percent-encoded as UTF-8")
    return identifier


def _given(query: bytes) -> dict[str, str]:
    given: dict[str, str] = {}
    raw = query.decode("latin-1")
    try:
        if _BAD_ESCAPE.search(raw):
            raise ValueError
        # Unescaped bytes are decoded as UTF-8 too.
        pairs = parse_qsl(query.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise ProblemError(400, f"the query must be percent-encoded UTF-8 of at most {_MOST_FIELDS} fields") from None
    for name, value in pairs:
        if name in given:
            raise bad_parameter(name, value, "once", what="parameter given twice")
        given[name] = value
    return given
