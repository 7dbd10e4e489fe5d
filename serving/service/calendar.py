"""A user's calendar (RFC 5545): interviews, deadlines and follow-ups of the applications, with alarms.

Each event keeps its UID for ever. SEQUENCE grows when it is moved, and what is off is CANCELLED, so that a subscribed
calendar follows. Times are in UTC: programs show them in their own zone.
"""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import icalendar

from serving.contract import keys
from serving.service import application_responses as responses
from serving.service.requests import Answer, Request
from serving.service.view import View

CALENDAR_TYPE = "text/calendar; charset=utf-8"
_REFRESH = "PT1H"
_DEFAULT_MINUTES = 60
_INTERVIEW_ALARMS = (dt.timedelta(hours=24), dt.timedelta(hours=1), dt.timedelta(minutes=15))
_DEADLINE_ALARMS = (dt.timedelta(days=3), dt.timedelta(days=1), dt.timedelta(hours=3))
_FOLLOW_UP_ALARMS = (dt.timedelta(hours=24), dt.timedelta(hours=1))
_FOLLOW_UP_LENGTH = dt.timedelta(minutes=15)
_NAME_LINE = "\n{name}"  # of drafts; the app puts the name in, a calendar can't
_OVER = {"rejected", "withdrawn", "declined", "accepted"}  # states after which nothing is due
_OPEN_OFFERS = {"received", "countered"}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "name": "Applications", "interview": "Interview", "deadline": "Deadline", "offer": "Answer to the offer",
        "follow_up": "Write to the employer",
        "phone": "By phone", "video": "By video", "onsite": "On site", "panel": "Panel", "technical": "Technical",
    },
    "ru": {
        "name": "Отклики", "interview": "Собеседование", "deadline": "Крайний срок", "offer": "Ответ на предложение",
        "follow_up": "Написать работодателю",
        "phone": "По телефону", "video": "По видеосвязи", "onsite": "В офисе", "panel": "С группой",
        "technical": "Техническое",
    },
}  # fmt: skip


def calendar(view: View, request: Request) -> Answer:
    """The user's interviews, deadlines and follow-ups as iCalendar, to subscribe to; without events if there are none.

    The same events have the same ETag in every generation.
    """
    reader, words = view.reader(), _WORDS[request.language]
    rows: dict[str, Any] = {
        prefix: decoder.decode(reader.get(prefix, request.identifier) or b"[]")
        for prefix, decoder in responses.ROWS.items()
    }
    about = _About(
        request.identifier,
        words,
        {row.application_id: row for row in rows[keys.APPLICATIONS_PREFIX]},
        Counter(row.application_id for row in rows[keys.APPLICATION_EVENTS_PREFIX]),
    )
    made = icalendar.Calendar()
    made.add("prodid", "-//jobfeed//applications//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", words["name"])
    made.add("refresh-interval", dt.timedelta(hours=1), parameters={"value": "DURATION"})
    made.add("x-published-ttl", _REFRESH)
    for event in (
        *_interviews(rows[keys.INTERVIEWS_PREFIX], about),
        *_deadlines(rows[keys.APPLICATION_EVENTS_PREFIX], about),
        *_offers(rows[keys.OFFERS_PREFIX], about),
        *_follow_ups(rows[keys.FOLLOW_UPS_PREFIX], about),
    ):
        made.add_component(event)
    body = made.to_ical()
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    return Answer(body, CALENDAR_TYPE, {"content-disposition": 'inline; filename="jobfeed.ics"'}, tag)


@dataclass(frozen=True)
class _About:
    """What all events are made with. `n_events`: of each application's timeline, which only ever grows."""

    user_id: str
    words: Mapping[str, str]
    applications: Mapping[str, responses.Application]
    n_events: Counter[str]


def _interviews(rows: Sequence[responses.Interview], about: _About) -> Iterator[icalendar.Event]:
    for row in rows:
        if row.starts_at is None:
            continue
        is_off = row.status == "cancelled"
        event = _event(about.words["interview"], about.applications.get(row.application_id), stamp=row.updated_at)
        event.add("uid", _uid(about.user_id, row.application_id, "interview", row.interview_id))
        event.add("sequence", row.revision)
        event.add("dtstart", _instant(row.starts_at))
        event.add("duration", dt.timedelta(minutes=row.duration_minutes or _DEFAULT_MINUTES))
        event.add("status", "CANCELLED" if is_off else "CONFIRMED")
        if row.kind is not None and row.kind in about.words:
            event.add("location", about.words[row.kind])
        if row.interviewer is not None and (line := _line(row.interviewer)):
            event.add("description", line)
        if row.status == "scheduled":
            _add_alarms(event, _INTERVIEW_ALARMS)
        yield event


def _deadlines(rows: Sequence[responses.ApplicationEvent], about: _About) -> Iterator[icalendar.Event]:
    """The deadlines of applications, one of each kind: a newer one moves it."""
    told = [row for row in rows if row.event_type == "deadline" and row.due_date is not None]
    newest = {(row.application_id, row.kind or ""): row for row in told}
    for (application_id, kind), row in newest.items():
        application = about.applications.get(application_id)
        is_off = application is not None and application.state in _OVER
        stamp = application.last_event_at if application is not None and is_off else row.occurred_at
        uid = _uid(about.user_id, application_id, "deadline", kind)
        what = ": ".join([about.words["deadline"], _line(kind)]) if kind else about.words["deadline"]
        event = _day(what, about, application_id, day=str(row.due_date), stamp=stamp, is_off=is_off)
        event.add("uid", uid)
        yield event


def _offers(rows: Sequence[responses.Offer], about: _About) -> Iterator[icalendar.Event]:
    for row in rows:
        if row.deadline is not None:
            is_off, application_id = row.status not in _OPEN_OFFERS, row.application_id
            what, stamp = about.words["offer"], row.updated_at
            event = _day(what, about, application_id, day=row.deadline, stamp=stamp, is_off=is_off)
            event.add("uid", _uid(about.user_id, application_id, "offer", row.offer_id))
            yield event


def _follow_ups(rows: Sequence[responses.FollowUp], about: _About) -> Iterator[icalendar.Event]:
    """What to write to employers; what was sent, skipped or cancelled is off."""
    for row in rows:
        event = _event(about.words["follow_up"], about.applications.get(row.application_id), stamp=row.updated_at)
        event.add("uid", _uid(about.user_id, row.application_id, row.sequence, row.ref, str(row.step)))
        event.add("sequence", row.revision)
        event.add("dtstart", _instant(row.due_at))
        event.add("duration", _FOLLOW_UP_LENGTH)
        event.add("transp", "TRANSPARENT")
        event.add("status", "CONFIRMED" if row.status == "due" else "CANCELLED")
        if row.status == "due":
            draft = [text for text in (row.subject, row.text) if text]
            event.add("description", "\n\n".join(draft).removesuffix(_NAME_LINE))
            _add_alarms(event, _FOLLOW_UP_ALARMS)
        yield event


def _day(what: str, about: _About, application_id: str, *, day: str, stamp: str, is_off: bool) -> icalendar.Event:
    """An event of a whole day. Days have no count of changes: the application's timeline grows with each of them."""
    first = dt.date.fromisoformat(day)
    event = _event(what, about.applications.get(application_id), stamp=stamp)
    event.add("sequence", about.n_events[application_id])
    event.add("dtstart", first)
    event.add("dtend", first + dt.timedelta(days=1))
    event.add("transp", "TRANSPARENT")
    event.add("status", "CANCELLED" if is_off else "CONFIRMED")
    if not is_off:
        _add_alarms(event, _DEADLINE_ALARMS)
    return event


def _event(what: str, application: responses.Application | None, *, stamp: str) -> icalendar.Event:
    event = icalendar.Event()
    texts = (application.title, application.company) if application is not None else ()
    about = [line for text in texts if text and (line := _line(text))]
    event.add("summary", ": ".join([what, ", ".join(about)]) if about else what)
    event.add("dtstamp", _instant(stamp))
    event.add("last-modified", _instant(stamp))
    if application is not None and application.url:
        event.add("url", application.url)
    return event


def _line(text: str) -> str:
    """Text of others as one line of what can be seen."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _add_alarms(event: icalendar.Event, before: Sequence[dt.timedelta]) -> None:
    for time in before:
        alarm = icalendar.Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", event["summary"])
        alarm.add("trigger", -time)
        event.add_component(alarm)


def _uid(*parts: str) -> str:
    """The same for the same thing in every generation; it tells nothing of the user."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest() + "@jobfeed"


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
