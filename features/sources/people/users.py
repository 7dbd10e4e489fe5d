"""User profiles as the app states them, JSON lines to USER_RECORDS. What a user wants is kept; nothing is filled in."""

import hashlib
from collections.abc import Mapping

import orjson
import polars as pl
import pyarrow as pa

from features.schemas.bronze import USER_PROFILE_COLUMNS, USER_RECORDS
from features.sources.lines import split_lines
from features.sources.parsed import Parsed, Refusal, rejects
from features.sources.people.timezones import read_timezone
from features.sources.timestamps import read_timestamp
from features.sources.values import (
    NotJsonError,
    amount,
    coordinates,
    decode_json,
    flag,
    items,
    line,
    listed,
    mapping,
    number,
    raw_json,
    text,
)

MAX_USER_ID_CHARACTERS = 128
REMOTE_WISHES = ("only", "ok", "no")
DIGEST_FREQUENCIES = ("none", "daily", "weekly")
MAX_LIST_ITEMS = 500
_MAX_SUMMARY_CHARACTERS = 20_000
_SKILLS = pa.list_(pa.struct({"name": pa.string(), "level": pa.string(), "years": pa.float64()}))
_NAME_KEYS = ("name", "skill", "language", "title")
_CONTACTS = frozenset({"full_name", "email", "phone"})
_TEXTS = ("full_name", "email", "phone", "locale", "timezone", "city", "country", "career_level")
_LISTS = (
    "skill_categories", "desired_roles", "professions", "job_types", "preferred_tags", "blocked_tags",
    "blocked_companies", "strengths", "weaknesses", "languages", "work_authorization",
)  # fmt: skip


def parse_users(body: bytes) -> Parsed:
    """One JSON object a line to USER_RECORDS rows; lines without a usable user_id or updated_at are rejects.

    An optional field of a wrong type or out of range becomes null, with a warning, and the user is kept. Warnings hold
    no e-mail, phone or name. `content_hash` is BLAKE2b-128 of the non-null profile columns by name.
    """
    rows: list[dict[str, object]] = []
    refused: list[Refusal] = []
    warnings: list[Refusal] = []
    for line_number, raw in split_lines(body):
        user = _read_line(raw)
        if isinstance(user, str):
            refused.append((f"line {line_number}", user, "", raw))
            continue
        row = _row(user)
        if isinstance(row, str):
            refused.append((f"line {line_number}", row, "", raw))
            continue
        rows.append(row)
        warnings += [
            (f"line {line_number} {name}", f"bad_{name}", "", "" if name in _CONTACTS else raw_json(user[name]))
            for name in _left_out(user, row)
        ]
    frame = pl.DataFrame(
        [_column(name, [row.get(name) for row in rows], dtype) for name, dtype in USER_RECORDS.columns.items()]
    )
    return Parsed(frame, rejects(refused), rejects(warnings))


def is_user_id(value: str | None) -> bool:
    """A printable string of 1 to 128 characters."""
    return value is not None and 0 < len(value) <= MAX_USER_ID_CHARACTERS and value.isprintable()


def rated_skills(value: object) -> list[dict[str, object]] | None:
    """Skills given as names or as {name, level, years}; repeated names once, None where there is none."""
    given = listed(value) or [] if isinstance(value, str) else items(value)
    found: dict[str, dict[str, object]] = {}
    for one in given[:MAX_LIST_ITEMS]:
        stated = one if isinstance(one, dict) else {"name": one}
        name, years = line(stated.get("name")), number(stated.get("years"))
        if name is not None:
            level = line(stated.get("level"))
            found.setdefault(
                name.casefold(),
                {
                    "name": name,
                    "level": level.lower() if level else None,
                    "years": years if years is not None and 0 <= years <= 80 else None,
                },
            )
    return list(found.values()) or None


def _column(name: str, values: list[object], dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    if name == "skills":  # Polars builds lists of structs one row at a time, Arrow does not
        return pl.Series(name, pa.array(values, type=_SKILLS)).cast(dtype)
    return pl.Series(name, values, dtype=dtype)


def _read_line(raw: bytes) -> Mapping[str, object] | str:
    try:
        user = decode_json(raw)
    except NotJsonError:
        return "bad_json"
    return user if isinstance(user, dict) else "not_an_object"


def _row(user: Mapping[str, object]) -> dict[str, object] | str:
    user_id = text(user.get("user_id"))
    if user_id is None:
        return "missing_user_id"
    if not is_user_id(user_id):
        return "bad_user_id"
    if user.get("updated_at") is None:
        return "missing_updated_at"
    updated_at = read_timestamp(user["updated_at"])
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


def _left_out(user: Mapping[str, object], row: Mapping[str, object]) -> list[str]:
    """The fields that the user has and the row has not; `digest` where neither of its parts could be read."""
    stated = [name for name, value in user.items() if value not in (None, "", [], {})]
    columns = [name for name in stated if name in USER_PROFILE_COLUMNS and name not in row]
    has_digest = "digest_frequency" in row or "digest_hour" in row
    return [*columns, *(["digest"] if "digest" in stated and not has_digest else [])]


def _profile(user: Mapping[str, object]) -> dict[str, object]:
    latitude, longitude = coordinates(user.get("latitude"), user.get("longitude"))
    digest = mapping(user.get("digest"))
    currency = line(user.get("salary_currency"))
    return {
        **{name: line(user.get(name)) for name in _TEXTS},
        "timezone": _timezone(user.get("timezone")),
        **{name: _names(user.get(name)) for name in _LISTS},
        "latitude": latitude,
        "longitude": longitude,
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
    """A list of names; objects in it give their `name`, `skill` or `language`."""
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
    """Education as texts: of an object its degree, field and institution on one line."""
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
    """only, ok or no; a boolean says ok or no."""
    if isinstance(value, bool):
        return "ok" if value else "no"
    return _choice(value, REMOTE_WISHES)


def _hour(value: object) -> int | None:
    found = number(value)
    return int(found) if found is not None and found.is_integer() and 0 <= found <= 23 else None
