"""Segment `track` calls as interaction events. Only the translation of names; validity is event_rows' matter."""

import re
from collections.abc import Mapping

from features.schemas.bronze import EVENT_TYPES
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
_PROPERTY_NAMES = {
    "job_id": ("job_id", "jobId", "jobID"),
    "dwell_seconds": ("dwell_seconds", "dwellSeconds", "dwell_time_seconds"),
    "surface": ("surface",),
    "position": ("position", "rank"),
    "generation": ("generation",),
    "session_id": ("session_id", "sessionId"),
    "device_type": ("device_type", "deviceType"),
    "latitude": ("latitude",),
    "longitude": ("longitude",),
    "value": ("value",),
    "is_relevant": ("is_relevant", "isRelevant"),
    "rating": ("rating",),
    "skill_match_feedback": ("skill_match_feedback", "skillMatchFeedback"),
    "location_feedback": ("location_feedback", "locationFeedback"),
    "salary_feedback": ("salary_feedback", "salaryFeedback"),
    "is_bot": ("is_bot", "isBot"),
    "is_prefetch": ("is_prefetch", "isPrefetch"),
    "sec_purpose": ("sec_purpose", "secPurpose"),
    "user_agent": ("user_agent", "userAgent"),
}


def is_segment(value: Mapping[str, object]) -> bool:
    """Whether a JSON object is a call of Segment's spec rather than one of our own events."""
    return "messageId" in value and "event_id" not in value


def is_batch(value: Mapping[str, object]) -> bool:
    """Whether a JSON object is a body of Segment's batch endpoint: many calls in one."""
    return isinstance(value.get("batch"), list) and "event_id" not in value


def track_calls(batch: Mapping[str, object]) -> list[object]:
    """The calls of a batch, each with the batch's `context` where it has none of its own."""
    shared = batch.get("context")
    return [
        {**call, "context": shared} if isinstance(call, dict) and "context" not in call and shared is not None else call
        for call in items(batch.get("batch"))
    ]


def from_segment(call: Mapping[str, object]) -> dict[str, object] | str:
    """A `track` call under our names, or the reason why it can't be one.

    `timestamp` is used: Segment has corrected it by the client's clock skew. A call without `userId` has no user that
    a feed could be made for; its `anonymousId` is not one.
    """
    if (text(call.get("type")) or "track").lower() != "track":
        return "not_a_track_call"
    properties, context = mapping(call.get("properties")), mapping(call.get("context"))
    device = mapping(context.get("device"))
    event: dict[str, object] = {
        name: next((properties[key] for key in keys if key in properties), None)
        for name, keys in _PROPERTY_NAMES.items()
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


def _event_type(name: str | None) -> str | None:
    """Our type for "Job Viewed", "job_apply", "View"; the name as it is where it means none of ours."""
    if name is None:
        return None
    words = [word for word in _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()) if word not in _SUBJECTS]
    known = [_PARTICIPLES.get(word, word) for word in words]
    types = [word for word in known if word in EVENT_TYPES]
    return types[0] if len(set(types)) == 1 and len(known) == len(types) else name
