"""Segment `track` calls under the names of our events. Whether an event is valid is decided in validation."""

import re
from collections.abc import Mapping

from features.schemas.bronze import EVENT_TYPES
from features.sources.events.validation import INPUT_COLUMNS
from features.sources.values import items, mapping, text

_WORD = re.compile(r"[a-z]+")
# "Job Application Submitted" is an application, "Job Application Started" is not one of our events.
_SUBJECTS = frozenset(
    {"job", "vacancy", "posting", "listing", "card", "details", "the", "to", "for", "on", "submitted", "sent", "given"}
)
_PARTICIPLES = {
    "viewed": "view", "opened": "view", "clicked": "click", "saved": "save", "bookmarked": "save", "unsaved": "unsave",
    "shared": "share", "applied": "apply", "application": "apply", "dismissed": "dismiss", "hidden": "dismiss",
    "rejected": "reject", "ignored": "ignore", "impressed": "impression", "shown": "impression", "rated": "feedback",
}  # fmt: skip
# Our field -> Segment's property, where it is more than the same name in camel case.
_PROPERTY_NAMES = {
    "job_id": ("job_id", "jobId", "jobID"),
    "dwell_seconds": ("dwell_seconds", "dwellSeconds", "dwell_time_seconds"),
    "position": ("position", "rank"),
}
_OWN_KEYS = ("event_id", "user_id", "event_type", "occurred_at")


def is_segment(value: Mapping[str, object]) -> bool:
    """Whether a JSON object is a call of Segment's spec rather than one of our own events."""
    return "messageId" in value and "event_id" not in value


def is_batch(value: Mapping[str, object]) -> bool:
    """Whether a JSON object is a body of Segment's batch endpoint, which holds many calls."""
    return isinstance(value.get("batch"), list) and "event_id" not in value


def track_calls(batch: Mapping[str, object]) -> list[object]:
    """The calls of a batch; a call without `context` gets that of the batch."""
    shared = batch.get("context")
    return [
        {**call, "context": shared} if isinstance(call, dict) and "context" not in call and shared is not None else call
        for call in items(batch.get("batch"))
    ]


def from_segment(call: Mapping[str, object]) -> dict[str, object] | str:
    """A `track` call under our names, or the reason to refuse it.

    The time is `timestamp`, which Segment has corrected by the client's clock skew. `anonymousId` is not used: no feed
    can be made for a call without `userId`.
    """
    if (text(call.get("type")) or "track").lower() != "track":
        return "not_a_track_call"
    properties, context = mapping(call.get("properties")), mapping(call.get("context"))
    device = mapping(context.get("device"))
    event: dict[str, object] = {
        name: next((properties[key] for key in _keys(name) if key in properties), None)
        for name in INPUT_COLUMNS
        if name not in _OWN_KEYS
    }
    return {
        **event,
        "user_agent": event["user_agent"] if event["user_agent"] is not None else context.get("userAgent"),
        "device_type": event["device_type"] if event["device_type"] is not None else device.get("type"),
        "event_id": call.get("messageId"),
        "user_id": call.get("userId"),
        "event_type": _event_type(text(call.get("event"))),
        "occurred_at": call.get("timestamp") or call.get("originalTimestamp"),
    }


def _keys(name: str) -> tuple[str, ...]:
    first, *more = name.split("_")
    return _PROPERTY_NAMES.get(name, (name, first + "".join(word.capitalize() for word in more)))


def _event_type(name: str | None) -> str | None:
    """Our type for "Job Viewed", "job_apply", "View"; a name that means none of our types stays as it is."""
    if name is None:
        return None
    words = [word for word in _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()) if word not in _SUBJECTS]
    known = [_PARTICIPLES.get(word, word) for word in words]
    types = [word for word in known if word in EVENT_TYPES]
    return types[0] if len(set(types)) == 1 and len(known) == len(types) else name
