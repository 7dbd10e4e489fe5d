"""What changed in a user's applications, follow-ups and interviews, from their rows in two generations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

Changes = Sequence[Mapping[str, Any]]


class _Application(msgspec.Struct):
    application_id: str
    state: str | None


class _FollowUp(msgspec.Struct):
    application_id: str
    sequence: str
    ref: str
    step: int
    due_at: str
    is_due: bool


class _Interview(msgspec.Struct):
    application_id: str
    interview_id: str
    status: str
    starts_at: str | None
    is_soon: bool | None


_APPLICATIONS = msgspec.json.Decoder(list[_Application])
_FOLLOW_UPS = msgspec.json.Decoder(list[_FollowUp])
_INTERVIEWS = msgspec.json.Decoder(list[_Interview])


def application_changes(before: bytes, after: bytes) -> Changes:
    """The applications that are new or came into another state, with both states."""
    states = {row.application_id: row.state for row in _APPLICATIONS.decode(before)}
    return [
        {"application_id": row.application_id, "state_before": states.get(row.application_id), "state": row.state}
        for row in _APPLICATIONS.decode(after)
        if row.application_id not in states or states[row.application_id] != row.state
    ]


def follow_up_changes(before: bytes, after: bytes) -> Changes:
    """The steps that fell due."""

    def key(row: _FollowUp) -> tuple[str, str, str, int]:
        return row.application_id, row.sequence, row.ref, row.step

    known = {key(row) for row in _FOLLOW_UPS.decode(before) if row.is_due}
    return [
        {name: getattr(row, name) for name in ("application_id", "sequence", "step", "due_at")}
        for row in _FOLLOW_UPS.decode(after)
        if row.is_due and key(row) not in known
    ]


def interview_changes(before: bytes, after: bytes) -> Changes:
    """The interviews that are new, moved, cancelled or completed, or begin within a day: `what` says which."""
    known = {(row.application_id, row.interview_id): row for row in _INTERVIEWS.decode(before)}
    return [
        {
            "application_id": row.application_id,
            "interview_id": row.interview_id,
            "what": what,
            "starts_at": row.starts_at,
        }
        for row in _INTERVIEWS.decode(after)
        if (what := _what(known.get((row.application_id, row.interview_id)), row)) is not None
    ]


def _what(old: _Interview | None, new: _Interview) -> str | None:
    if old is None or old.status != new.status:
        return new.status
    if old.starts_at != new.starts_at:
        return "moved"
    return "soon" if new.is_soon and not old.is_soon else None


# By channel: the changes between the JSON of a user's rows before and after.
DIFFERENCES: Mapping[str, Callable[[bytes, bytes], Changes]] = {
    "applications": application_changes,
    "follow_ups": follow_up_changes,
    "interviews": interview_changes,
}
