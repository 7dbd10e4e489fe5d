"""What the switch from one generation to another changed, as events: names and numbers, which the client looks up."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from serving.contract.keys import (
    APPLICATIONS_PREFIX,
    DIGEST_PREFIX,
    FEED_PREFIX,
    FOLLOW_UPS_PREFIX,
    INTERVIEWS_PREFIX,
    KEY_SEPARATOR,
    is_hashed,
)
from serving.service.store import Generation
from serving.stream.application_changes import DIFFERENCES

CHANNELS = ("feed", "digest", "applications", "follow_ups", "interviews", "system")
# The value of a user's key that makes an event of the channel when it changes. Feeds are compared as they are stored.
_PREFIXES: Mapping[str, str] = {
    "feed": FEED_PREFIX, "digest": DIGEST_PREFIX, "applications": APPLICATIONS_PREFIX, "follow_ups": FOLLOW_UPS_PREFIX,
    "interviews": INTERVIEWS_PREFIX,
}  # fmt: skip
_MOST_USERS = 1_000  # of one event
_ENCODE = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Event:
    """One message: its channel, and its data as JSON. `generation`: what it tells of is in that one."""

    channel: str
    generation: str
    data: bytes


def event(channel: str, generation: str, **data: Any) -> Event:
    """An event of these members."""
    return Event(channel, generation, _ENCODE({"generation": generation, **data}))


def system_event(new: Generation, what: str = "generation") -> Event:
    """What everybody is told: which generation is served now, and as of when."""
    return event("system", new.name, event=what, as_of=str(new.manifest.as_of))


def user_events(old: Generation, new: Generation, user_id: str, channels: Collection[str]) -> Iterator[Event]:
    """What the switch changed for one user; of applications, follow-ups and interviews, which ones and how."""
    for channel, prefix in _PREFIXES.items():
        if channel not in channels or not _differs(old, new, prefix, user_id):
            continue
        if channel not in DIFFERENCES:
            yield event(channel, new.name, user_id=user_id)
        elif changes := _changes(old, new, channel, user_id):
            yield event(channel, new.name, user_id=user_id, changes=changes)


def all_users_events(old: Generation, new: Generation, channels: Collection[str]) -> Iterator[Event]:
    """What the switch changed for an application: the ids of all users with changes, a thousand an event.

    After a full generation, which computes everybody anew, one event says so instead.
    """
    for channel, prefix in _PREFIXES.items():
        if channel not in channels:
            continue
        changed = changed_users(old, new, prefix)
        if changed is None:
            yield event(channel, new.name, all_users=True)
            continue
        if channel in DIFFERENCES:
            changed = [user_id for user_id in changed if _changes(old, new, channel, user_id)]
        for first in range(0, len(changed), _MOST_USERS):
            part = changed[first : first + _MOST_USERS]
            yield event(channel, new.name, user_ids=part, n_changed=len(changed))


def changed_users(old: Generation, new: Generation, prefix: str) -> Sequence[str] | None:
    """The users whose value differs, in order; None if the generations have no base in common.

    Users whose ids are too long for a key are left out.
    """
    # Those of the old generation too: a roll-back takes files away, and the next delta puts another in their place.
    files = new.readers.differing_files(old.readers, prefix)
    if files is None:
        return None
    start = f"{prefix}:".encode()
    ids = {key.removeprefix(start).decode("utf-8", "surrogatepass") for file in files for key in file.keys(start)}
    # A digest lies under the user's id, and under the id and its date.
    users = sorted(one for one in ids if KEY_SEPARATOR not in one and not is_hashed(one))
    return [one for one in users if _differs(old, new, prefix, one)]


def _differs(old: Generation, new: Generation, prefix: str, user_id: str) -> bool:
    is_same = _stored(old, prefix, user_id) == _stored(new, prefix, user_id)
    if is_same or prefix == FEED_PREFIX:
        return not is_same
    # The same JSON is stored as other bytes by a file with another compression dictionary.
    return old.reader().get(prefix, user_id) != new.reader().get(prefix, user_id)


def _changes(old: Generation, new: Generation, channel: str, user_id: str) -> Sequence[Mapping[str, Any]]:
    before, after = (one.reader().get(_PREFIXES[channel], user_id) for one in (old, new))
    return DIFFERENCES[channel](before or b"[]", after or b"[]")


def _stored(generation: Generation, prefix: str, user_id: str) -> bytes | None:
    value = generation.reader().get_packed(prefix, user_id)
    return bytes(value) if value is not None else None
