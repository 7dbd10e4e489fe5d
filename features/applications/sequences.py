"""Sequences of follow-ups: what begins and ends them, when each step is due, and the texts of the drafts."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from features.applications.states import FINAL_STATES, STATES
from features.errors import JobfeedError

# What a text may name. NAME stays in the drafts as {name}: the app puts it in, and the tables hold no names.
NAME = "name"
VARIABLES = (NAME, "company", "role", "interviewer", "date")
# What else begins a sequence than coming into a state: a message, the end of an interview, an offer with a deadline.
REPLY_IN, REPLY_OUT, INTERVIEW_END, OFFER_DEADLINE = "reply_in", "reply_out", "interview_end", "offer_deadline"
OPEN_STATES = tuple(state for state in STATES if state not in FINAL_STATES)
BEGINNINGS = (*OPEN_STATES, REPLY_IN, REPLY_OUT, INTERVIEW_END, OFFER_DEADLINE)
# What cancels the steps that are left: a message, any change of state, an interview or an offer that is new or changed.
NEWS = (REPLY_IN, REPLY_OUT, "state", "interview", "offer")

Counting = Literal["days", "business_days", "days_before"]


class TemplateTextError(JobfeedError, ValueError):
    """A text of follow_ups.yaml names what it must not."""


@dataclass(frozen=True)
class Step:
    """One step. `days`: after what began the sequence, or before the deadline."""

    template: str
    days: int


@dataclass(frozen=True)
class Sequence:
    """Steps in order. `is_moved`: a due day without work moves to the next working day."""

    name: str
    begins_with: tuple[str, ...]
    cancelled_by: tuple[str, ...]
    counting: Counting
    is_moved: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Draft:
    """Subject and text of a template in one language."""

    subject: str
    text: str


@dataclass(frozen=True)
class Template:
    """How a step is sent, and its draft by language."""

    channel: str
    drafts: Mapping[str, Draft]


@dataclass(frozen=True)
class Plan:
    """All of follow_ups.yaml. `unknown`: by language and variable, the words for what is not known of an application.

    `due_hour`: of the user's day. A step that nobody sent within `expire_after_days` is skipped.
    """

    sequences: tuple[Sequence, ...]
    templates: Mapping[str, Template]
    unknown: Mapping[str, Mapping[str, str]]
    due_hour: int
    expire_after_days: int


def pieces(text: str) -> list[tuple[str, str | None]]:
    """The text as pieces: literal text, and the variable after it or None. Raises TemplateTextError."""
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise TemplateTextError(
            f"{text[:60]!r}: {error}; write a variable as {{company}}, and no other braces"
        ) from error
    found: list[tuple[str, str | None]] = []
    for literal, variable, form, conversion in parsed:
        if "{" in literal or "}" in literal:
            raise TemplateTextError(f"{literal[:60]!r} holds a brace; braces are for variables only")
        if variable is not None and (variable not in VARIABLES or form or conversion):
            written = variable + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise TemplateTextError(f"{{{written}}} is not a variable; allowed: {', '.join(VARIABLES)}")
        found.append((literal, variable))
    return found
