"""What the fields of an event are called in files of others: `Event ID`, `userId` and `timestamp` beside our names."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from features.sources.events.validation import INPUT_COLUMNS

REQUIRED = ("event_id", "user_id", "event_type", "occurred_at")
# Without signs and capitals. One name has one meaning, so nothing is guessed from values.
_OTHER_NAMES = {
    "uuid": "event_id", "uid": "user_id", "vacancyid": "job_id", "postingid": "job_id",
    "timestamp": "occurred_at", "time": "occurred_at", "ts": "occurred_at", "eventtime": "occurred_at",
    "datetime": "occurred_at", "createdat": "occurred_at", "event": "event_type", "type": "event_type",
    "action": "event_type", "eventname": "event_type", "dwelltime": "dwell_seconds", "dwell": "dwell_seconds",
    "rank": "position", "device": "device_type", "lat": "latitude", "lon": "longitude", "lng": "longitude",
}  # fmt: skip
_KNOWN = {name.replace("_", ""): name for name in INPUT_COLUMNS}
_SIGNS = re.compile(r"[^a-z0-9]+")


def own_names(given: Iterable[str]) -> dict[str, str]:
    """Our name by the name in the file, for those that have one.

    Of several names of one field ours counts, else that with the same letters, else the first.
    """
    names = list(dict.fromkeys(given))
    squashed = {name: _SIGNS.sub("", name.lower()) for name in names}
    found: dict[str, str] = {}
    for meaning in (_itself, _KNOWN.get, _OTHER_NAMES.get):
        for name in names:
            ours = meaning(name if meaning is _itself else squashed[name])
            if ours is not None and ours not in found.values() and name not in found:
                found[name] = ours
    return found


def _itself(name: str) -> str | None:
    return name if name in INPUT_COLUMNS else None


def renamed(event: Mapping[str, Any]) -> dict[str, Any]:
    """A decoded event under our names; other fields are left out."""
    return {ours: event[name] for name, ours in _own_names(tuple(event)).items()}


def other_names(given: Iterable[str]) -> set[str]:
    """The names that mean a field of an event in another spelling than ours."""
    squashed = {name: _SIGNS.sub("", name.lower()) for name in given}
    return {
        name
        for name, bare in squashed.items()
        if name not in INPUT_COLUMNS and (bare in _KNOWN or bare in _OTHER_NAMES)
    }


@lru_cache(maxsize=64)  # most lines of a file have the same keys
def _own_names(given: tuple[str, ...]) -> dict[str, str]:
    return own_names(given)
