"""User profiles and erasure requests as the app writes them: JSON lines to USER_RECORDS and ERASURES.

It fills in no defaults and carries out no erasure.
"""

import hashlib
import re
import zoneinfo
from collections.abc import Mapping
from datetime import datetime
from functools import cache

import orjson
import polars as pl
import pyarrow as pa

from features.schemas.bronze import ERASURES, USER_PROFILE_COLUMNS, USER_RECORDS
from features.sources.parsed import Parsed, Refusal, json_lines, rejects
from features.sources.timestamps import read_timestamp
from features.sources.values import (
    NotJsonError,
    amount,
    coordinates,
    flag,
    items,
    line,
    listed,
    mapping,
    number,
    raw_json,
    text,
)  # fmt: skip

MAX_USER_ID_CHARACTERS = 128
REMOTE_WISHES = ("only", "ok", "no")
DIGEST_FREQUENCIES = ("none", "daily", "weekly")
MAX_LIST_ITEMS = 500
_MAX_SUMMARY_CHARACTERS = 20_000
_NAME_KEYS = ("name", "skill", "language", "title")
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+−-])\s*(\d{1,2})(?::?00)?", re.IGNORECASE)
_MOST_HOURS = {"+": 14, "-": 12}
_ZONE_ABBREVIATIONS = {"msk": "Europe/Moscow", "мск": "Europe/Moscow", "utc": "UTC", "gmt": "UTC", "z": "UTC"}
_CONTACTS = frozenset({"full_name", "email", "phone"})
_TEXTS = ("full_name", "email", "phone", "locale", "timezone", "city", "country", "career_level")
_LISTS = (
    "skill_categories", "desired_roles", "professions", "job_types", "preferred_tags", "blocked_tags",
    "blocked_companies", "strengths", "weaknesses", "languages", "work_authorization",
)  # fmt: skip


def parse_users(body: bytes, *, written_at: datetime | None = None) -> Parsed:
    """One JSON object a line to USER_RECORDS rows; lines without a usable user_id or updated_at are rejects.

    `written_at`: when the file was written, which counts for users who state no updated_at.

    An optional field of a wrong type or out of range becomes null, with a warning, and the user is kept. `content_hash`
    is BLAKE2b-128 of the non-null profile columns by name. Warnings hold no e-mail, phone or name.
    """
    rows: list[dict[str, object]] = []
    refused: list[Refusal] = []
    warnings: list[Refusal] = []
    for entry, raw, user in json_lines(body):
        row = _row(user, written_at)
        if isinstance(row, str) or not isinstance(user, dict):
            refused.append((entry, str(row), "", raw))
            continue
        rows.append(row)
        warnings += [
            (f"{entry} {name}", f"bad_{name}", "", "" if name in _CONTACTS else raw_json(user[name]))
            for name in _dropped_fields(user, row)
        ]
    frame = pl.DataFrame(
        [_column(name, [row.get(name) for row in rows], dtype) for name, dtype in USER_RECORDS.columns.items()]
    )
    return Parsed(frame, rejects(refused), rejects(warnings))


def parse_erasures(body: bytes) -> Parsed:
    """One {user_id, requested_at} a line to ERASURES rows; a line without a usable user or time is a reject,
    which a person has to look at.
    """
    rows: list[tuple[object, object]] = []
    refused: list[Refusal] = []
    for entry, raw, value in json_lines(body):
        request = mapping(value)
        user_id, requested_at = _user_id(request.get("user_id")), read_timestamp(request.get("requested_at"))
        if isinstance(value, NotJsonError):
            refused.append((entry, "bad_json", "", raw))
        elif not is_user_id(user_id):
            refused.append((entry, "missing_user_id" if user_id is None else "bad_user_id", "", raw))
        elif requested_at is None:
            reason = "missing_requested_at" if request.get("requested_at") is None else "bad_time"
            refused.append((entry, reason, "", raw))
        else:
            rows.append((user_id, requested_at))
    return Parsed(pl.DataFrame(rows, schema=dict(ERASURES.columns), orient="row"), rejects(refused))


def is_user_id(value: str | None) -> bool:
    """A printable string of 1 to 128 characters without outer space."""
    return (
        value is not None
        and 0 < len(value) <= MAX_USER_ID_CHARACTERS
        and value.isprintable()
        and value == value.strip()
    )


def _user_id(value: object) -> str | None:
    """As written: an id that had to be tidied could become the id of another user."""
    return (value if value.strip() else None) if isinstance(value, str) else text(value)


def rated_skills(value: object) -> list[dict[str, object]] | None:
    """Skills given as names or as {name, level, years}: each name once; None if there are none."""
    given = listed(value) or [] if isinstance(value, str) else items(value)
    found: dict[str, dict[str, object]] = {}
    for one in given[:MAX_LIST_ITEMS]:
        stated = one if isinstance(one, dict) else {"name": one}
        if name := line(stated.get("name")):
            years = _between(stated.get("years"), 0, 80)
            found.setdefault(name.casefold(), {"name": name, "level": _choice(stated.get("level")), "years": years})
    return list(found.values()) or None


def read_timezone(written: str) -> str | None:
    """The IANA name of a time zone, in its own spelling; a whole offset such as "UTC+5" is Etc/GMT-5, whose sign is
    inverted.
    """
    word = written.strip().lower().replace(" ", "_")
    if known := _ZONE_ABBREVIATIONS.get(word) or _zone_names().get(word):
        return known
    match = _OFFSET.fullmatch(written.strip())
    if match is None:
        return None
    sign, hours = match[1].replace("−", "-"), int(match[2])
    if hours > _MOST_HOURS[sign]:
        return None
    return "UTC" if hours == 0 else f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"


@cache
def _zone_names() -> dict[str, str]:
    return {name.lower(): name for name in zoneinfo.available_timezones()}


def _column(name: str, values: list[object], dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    if isinstance(dtype, pl.List):  # Polars builds lists one row at a time, Arrow does not
        kind = pl.Series(dtype=dtype).to_arrow(compat_level=pl.CompatLevel.oldest()).type
        return pl.Series(name, pa.array(values, type=kind))
    return pl.Series(name, values, dtype=dtype)


def _row(user: object, written_at: datetime | None) -> dict[str, object] | str:
    """The USER_RECORDS row of a decoded line, or the reason to refuse it."""
    if not isinstance(user, dict):
        return "bad_json" if isinstance(user, NotJsonError) else "not_an_object"
    user_id = _user_id(user.get("user_id"))
    if user_id is None:
        return "missing_user_id"
    if not is_user_id(user_id):
        return "bad_user_id"
    stated = user.get("updated_at")
    if stated is None and written_at is None:
        return "missing_updated_at"
    updated_at = read_timestamp(stated) if stated is not None else written_at
    if updated_at is None:
        return "bad_time"
    profile = {name: value for name, value in _profile(user).items() if value is not None}
    encoded = orjson.dumps(profile, option=orjson.OPT_SORT_KEYS)
    return {
        **profile,
        "user_id": user_id,
        "updated_at": updated_at,
        "content_hash": hashlib.blake2b(encoded, digest_size=16).hexdigest(),
    }


def _dropped_fields(user: Mapping[str, object], row: Mapping[str, object]) -> list[str]:
    """The fields that the user states and the row lacks; `digest` if neither of its parts could be read."""
    stated = [name for name, value in user.items() if value not in (None, "", [], {})]
    columns = [name for name in stated if name in USER_PROFILE_COLUMNS and name not in row]
    has_digest = "digest_frequency" in row or "digest_hour" in row
    return [*columns, *(["digest"] if "digest" in stated and not has_digest else [])]


def _profile(user: Mapping[str, object]) -> dict[str, object]:
    digest = mapping(user.get("digest"))
    currency = line(user.get("salary_currency"))
    return {
        **{name: line(user.get(name)) for name in _TEXTS},
        "timezone": _timezone(user.get("timezone")),
        **{name: _names(user.get(name)) for name in _LISTS},
        **coordinates(user.get("latitude"), user.get("longitude")),
        "max_distance_km": _between(user.get("max_distance_km"), 0, 20_040),
        "remote": _remote(user.get("remote")),
        "skills": rated_skills(user.get("skills")),
        "years_of_experience": _between(user.get("years_of_experience"), 0, 80),
        "salary_min": amount(user.get("salary_min")),
        "salary_max": amount(user.get("salary_max")),
        "salary_currency": currency.upper() if currency else None,
        "salary_period": _choice(user.get("salary_period")),
        "education": _education(user.get("education")),
        "summary": (text(user.get("summary")) or "")[:_MAX_SUMMARY_CHARACTERS] or None,
        "digest_frequency": _choice(digest.get("frequency", user.get("digest_frequency")), DIGEST_FREQUENCIES),
        "digest_hour": _hour(digest.get("hour", user.get("digest_hour"))),
        "personalization_enabled": flag(user.get("personalization_enabled")),
    }


def _names(value: object) -> list[str] | None:
    """A list of names; an object in it gives its `name`, `skill`, `language` or `title`."""
    if isinstance(value, list):
        named = [
            next((one[key] for key in _NAME_KEYS if one.get(key)), None) if isinstance(one, dict) else one
            for one in value[:MAX_LIST_ITEMS]
        ]
        return listed(named)
    if isinstance(value, dict):  # results of an assessment by skill
        return listed(list(value)[:MAX_LIST_ITEMS])
    return listed(value)


def _timezone(value: object) -> str | None:
    found = line(value)
    return read_timezone(found) if found else None


def _education(value: object) -> list[str] | None:
    """Education as texts; an object becomes one line of its degree, field and institution."""
    given = value if isinstance(value, list) else [value]
    found: list[object] = []
    for one in given[:MAX_LIST_ITEMS]:
        stated = mapping(one)
        parts = [line(stated.get(name)) for name in ("degree", "level", "field", "institution")]
        found.append(", ".join(part for part in parts if part) if stated else one)
    return listed(found)


def _between(value: object, lower: float, upper: float) -> float | None:
    found = number(value)
    return found if found is not None and lower <= found <= upper else None


def _choice(value: object, allowed: tuple[str, ...] | None = None) -> str | None:
    found = line(value)
    word = found.lower() if found else None
    return word if allowed is None or word in allowed else None


def _remote(value: object) -> str | None:
    """only, ok or no; true means ok, false no."""
    if isinstance(value, bool):
        return "ok" if value else "no"
    return _choice(value, REMOTE_WISHES)


def _hour(value: object) -> int | None:
    found = number(value)
    return int(found) if found is not None and found.is_integer() and 0 <= found <= 23 else None
