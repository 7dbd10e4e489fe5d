"""A user's calendar (RFC 5545): interviews and deadlines of the applications, with alarms.

Each event keeps its UID for ever. SEQUENCE grows when an interview is moved, and what is off is CANCELLED, so that a
subscribed calendar follows. Times are in UTC: programs show them in their own zone.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
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
_OVER = {"rejected", "withdrawn", "declined", "accepted"}  # states after which nothing is due
_OPEN_OFFERS = {"received", "countered"}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "name": "Applications", "interview": "Interview", "deadline": "Deadline", "offer": "Answer to the offer",
        "phone": "By phone", "video": "By video", "onsite": "On site", "panel": "Panel", "technical": "Technical",
    },
    "ru": {
        "name": "Отклики", "interview": "Собеседование", "deadline": "Крайний срок", "offer": "Ответ на предложение",
        "phone": "По телефону", "video": "По видеосвязи", "onsite": "В офисе", "panel": "С группой",
        "technical": "Техническое",
    },
}  # fmt: skip


def calendar(view: View, request: Request) -> Answer:
    """The user's interviews and deadlines as iCalendar, to subscribe to; without events if there are none."""
    reader, words = view.reader(), _WORDS[request.language]
    rows: dict[str, Any] = {
        prefix: decoder.decode(reader.get(prefix, request.identifier) or b"[]")
        for prefix, decoder in responses.ROWS.items()
    }
    applications = {row.application_id: row for row in rows[keys.APPLICATIONS_PREFIX]}
    made = icalendar.Calendar()
    made.add("prodid", "-//jobfeed//applications//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", words["name"])
    made.add("refresh-interval", dt.timedelta(hours=1), parameters={"value": "DURATION"})
    made.add("x-published-ttl", _REFRESH)
    for event in (
        *_interviews(rows[keys.INTERVIEWS_PREFIX], applications, words, request.identifier),
        *_deadlines(rows[keys.APPLICATION_EVENTS_PREFIX], applications, words, request.identifier),
        *_offers(rows[keys.OFFERS_PREFIX], applications, words, request.identifier),
    ):
        made.add_component(event)
    return Answer(made.to_ical(), CALENDAR_TYPE, {"content-disposition": 'inline; filename="jobfeed.ics"'})


_Applications = Mapping[str, responses.Application]


def _interviews(
    rows: Sequence[responses.Interview], applications: _Applications, words: Mapping[str, str], user_id: str
) -> Iterator[icalendar.Event]:
    for row in rows:
        if row.starts_at is None:
            continue
        is_off = row.status == "cancelled"
        event = _event(words["interview"], applications.get(row.application_id), stamp=row.updated_at)
        event.add("uid", _uid(user_id, row.application_id, "interview", row.interview_id))
        event.add("sequence", row.revision)
        event.add("dtstart", _instant(row.starts_at))
        event.add("duration", dt.timedelta(minutes=row.duration_minutes or _DEFAULT_MINUTES))
        event.add("status", "CANCELLED" if is_off else "CONFIRMED")
        if row.kind is not None and row.kind in words:
            event.add("location", words[row.kind])
        if row.status == "scheduled":
            _add_alarms(event, _INTERVIEW_ALARMS)
        yield event


def _deadlines(
    rows: Sequence[responses.ApplicationEvent], applications: _Applications, words: Mapping[str, str], user_id: str
) -> Iterator[icalendar.Event]:
    for row in rows:
        if row.event_type == "deadline" and row.due_date is not None:
            uid = _uid(user_id, row.application_id, "deadline", row.event_id)
            application = applications.get(row.application_id)
            is_off = application is not None and application.state in _OVER
            stamp = application.last_event_at if application is not None and is_off else row.occurred_at
            yield _day(words["deadline"], application, uid, day=row.due_date, stamp=stamp, is_off=is_off)


def _offers(
    rows: Sequence[responses.Offer], applications: _Applications, words: Mapping[str, str], user_id: str
) -> Iterator[icalendar.Event]:
    for row in rows:
        if row.deadline is not None:
            uid = _uid(user_id, row.application_id, "offer", row.offer_id)
            is_off = row.status not in _OPEN_OFFERS
            application = applications.get(row.application_id)
            yield _day(words["offer"], application, uid, day=row.deadline, stamp=row.updated_at, is_off=is_off)


def _day(
    what: str, application: responses.Application | None, uid: str, *, day: str, stamp: str, is_off: bool
) -> icalendar.Event:
    """An event of a whole day. Its sequence is the second of its last change: days have no count of changes."""
    first = dt.date.fromisoformat(day)
    event = _event(what, application, stamp=stamp)
    event.add("uid", uid)
    event.add("sequence", max(0, int(_instant(stamp).timestamp()) - _EPOCH_SECONDS))
    event.add("dtstart", first)
    event.add("dtend", first + dt.timedelta(days=1))
    event.add("transp", "TRANSPARENT")
    event.add("status", "CANCELLED" if is_off else "CONFIRMED")
    if not is_off:
        _add_alarms(event, _DEADLINE_ALARMS)
    return event


_EPOCH_SECONDS = int(dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp())


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
