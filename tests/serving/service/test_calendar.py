"""The calendar of a user: valid by another library, stable ids, alarms, and a token that opens nothing else."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import icalendar
import ics
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.service.app import Application
from serving.service.auth import CALENDAR_AUDIENCE, Authoriser, sign_user_token
from serving.service.calendar import calendar
from serving.service.requests import Request
from tests.factories import AS_OF
from tests.serving.client import call
from tests.serving.world import open_store, publish_full, serve

KEY = b"k" * 32
FOREVER = 2**40
PATH = "/v1/users/anna/calendar.ics"
AT = "2026-03-01T02:00:00Z"


class Rows:
    """Stands for a view: the rows of one user."""

    def __init__(self, **rows: list[dict[str, object]]) -> None:
        self._rows = {prefix.replace("_", "-"): msgspec.json.encode(each) for prefix, each in rows.items()}

    def reader(self) -> "Rows":
        return self

    def get(self, prefix: str, _user: str) -> bytes | None:
        return self._rows.get(prefix)


def application(**changes: object) -> dict[str, object]:
    columns = (
        "application_id", "job_id", "title", "company", "company_id", "url", "state", "state_since", "applied_at",
        "last_event_at", "is_silent", "next_action", "next_action_at", "match_percent",
    )  # fmt: skip
    own = {"application_id": "a1", "title": "Cook", "company": "Acme", "state": "interview", "last_event_at": AT}
    return dict.fromkeys(columns) | {"is_silent": False} | own | changes


def interview(**changes: object) -> dict[str, object]:
    own: dict[str, object] = {
        "application_id": "a1", "interview_id": "i1", "status": "scheduled", "kind": "video",
        "starts_at": "2026-03-05T09:00:00Z", "utc_offset_minutes": 300, "duration_minutes": 45, "outcome": None,
        "interviewer": None, "feedback": None, "revision": 0, "is_soon": False, "updated_at": AT,
    }  # fmt: skip
    return own | changes


def events(language: str = "en", **rows: list[dict[str, object]]) -> list[icalendar.Event]:
    body = calendar(Rows(**rows), Request("anna", {}, language)).body  # type: ignore[arg-type]
    # Another library reads the same, and would raise.
    assert len(ics.Calendar(body.decode()).events) == body.split(b"\r\n").count(b"BEGIN:VEVENT")
    return list(icalendar.Calendar.from_ical(body).walk("VEVENT"))


def test_an_interview_has_its_time_and_three_alarms() -> None:
    (event,) = events(applications=[application()], interviews=[interview()])
    assert event["summary"] == "Interview: Cook, Acme"
    assert event.decoded("dtstart") == dt.datetime(2026, 3, 5, 9, tzinfo=dt.UTC)
    assert event.decoded("duration") == dt.timedelta(minutes=45)
    alarms = [alarm.decoded("trigger") for alarm in event.walk("VALARM")]
    assert alarms == [-dt.timedelta(hours=24), -dt.timedelta(hours=1), -dt.timedelta(minutes=15)]


def test_an_interview_that_moves_keeps_its_uid_and_its_sequence_grows() -> None:
    (before,) = events(applications=[application()], interviews=[interview()])
    moved = interview(starts_at="2026-03-06T09:00:00Z", revision=1)
    (after,) = events(applications=[application()], interviews=[moved])
    assert after["uid"] == before["uid"]
    assert after["sequence"] > before["sequence"]
    assert after.decoded("dtstart").day == 6


@pytest.mark.parametrize(("status", "shown", "n_alarms"), [
    ("scheduled", "CONFIRMED", 3), ("completed", "CONFIRMED", 0), ("cancelled", "CANCELLED", 0),
])  # fmt: skip
def test_what_is_off_is_cancelled_and_rings_no_more(status: str, shown: str, n_alarms: int) -> None:
    (event,) = events(applications=[application()], interviews=[interview(status=status)])
    assert event["status"] == shown
    assert len(event.walk("VALARM")) == n_alarms


def timeline(event_type: str, position: int, **changes: object) -> dict[str, object]:
    columns = (
        "job_id", "title", "company", "url", "state_before", "state", "asked_state", "interview_id", "offer_id",
        "action", "kind", "starts_at", "utc_offset_minutes", "duration_minutes", "outcome", "interviewer", "salary",
        "currency", "period", "due_date", "remind_at", "text", "channel", "direction", "sentiment", "sentiment_by",
        "sequence", "step",
    )  # fmt: skip
    own = {"application_id": "a1", "position": position, "event_id": f"e{position}", "occurred_at": AT}
    return dict.fromkeys(columns) | own | {"event_type": event_type, "is_refused": False} | changes


def test_a_deadline_that_is_told_anew_moves_and_one_of_another_kind_stands_beside_it() -> None:
    first = timeline("deadline", 1, due_date="2026-03-10")
    test = timeline("deadline", 2, due_date="2026-03-12", kind="test")
    moved = timeline("deadline", 3, due_date="2026-03-11")
    before = events(applications=[application()], application_events=[first, test])
    after = events(applications=[application()], application_events=[first, test, moved])
    assert [str(one["summary"]) for one in after] == ["Deadline: Cook, Acme", "Deadline: test: Cook, Acme"]
    assert [one["uid"] for one in before] == [one["uid"] for one in after]
    assert [one.decoded("dtstart").day for one in after] == [11, 12]
    assert after[0]["sequence"] > before[0]["sequence"]


def follow_up(**changes: object) -> dict[str, object]:
    own: dict[str, object] = {
        "application_id": "a1", "sequence": "after_application", "ref": "e1", "step": 1, "template": "first",
        "begins_at": AT, "due_at": "2026-03-04T05:00:00Z", "is_due": False, "expires_at": "2026-03-08T05:00:00Z",
        "channel": "email", "language": "en", "subject": "My application", "text": "Hello,\n\nKind regards,\n{name}",
        "status": "due", "why": "applied", "revision": 2, "updated_at": AT,
    }  # fmt: skip
    return own | changes


def test_a_follow_up_brings_its_draft_and_rings_until_it_is_off() -> None:
    (event,) = events(applications=[application()], follow_ups=[follow_up()])
    assert event["summary"] == "Write to the employer: Cook, Acme"
    assert event["description"] == "My application\n\nHello,\n\nKind regards,"
    assert event.decoded("dtstart") == dt.datetime(2026, 3, 4, 5, tzinfo=dt.UTC)
    assert [alarm.decoded("trigger").total_seconds() for alarm in event.walk("VALARM")] == [-86_400, -3_600]
    off = follow_up(status="cancelled", why="reply_positive", revision=4, subject=None, text=None)
    (after,) = events(applications=[application()], follow_ups=[off])
    assert (after["uid"], after["status"], after.walk("VALARM")) == (event["uid"], "CANCELLED", [])
    assert after["sequence"] > event["sequence"]


def kept_by_khal(folder: Path, *, body: bytes | None = None) -> list[str]:
    """What a calendar program of Almaty shows, after it has taken in `body`."""
    config, file = folder / "config", folder / "calendar.ics"
    if body is not None:
        file.write_bytes(body)
    forms = {"timeformat": "%H:%M", "dateformat": "%Y-%m-%d", "datetimeformat": "%Y-%m-%d %H:%M"}
    local = [f"{name} = {form}\nlong{name} = {form}" for name, form in forms.items() if name != "timeformat"]
    config.write_text("\n".join((
        "[calendars]", "[[jobs]]", f"path = {folder / 'events'}", "[sqlite]", f"path = {folder / 'khal.db'}",
        "[locale]", "local_timezone = Asia/Almaty", "default_timezone = Asia/Almaty", "timeformat = %H:%M", *local,
    )))  # fmt: skip
    (folder / "events").mkdir(exist_ok=True)
    khal = [sys.executable, "-W", "ignore", "-m", "khal", "-c", str(config)]
    if body is not None:
        subprocess.run([*khal, "import", "--batch", "-a", "jobs", str(file)], check=True, capture_output=True)
    form = "{start-long}|{title}|{status}"
    shown = subprocess.run(
        [*khal, "list", "2026-03-01", "30d", "--day-format", "", "--format", form],
        check=True, capture_output=True, text=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    return [line.strip() for line in shown.stdout.splitlines() if line.strip()]


def test_a_calendar_program_follows_an_interview_that_moves_and_is_cancelled(tmp_path: Path) -> None:
    def calendar_of(**changes: object) -> bytes:
        rows = Rows(applications=[application()], interviews=[interview(**changes)], follow_ups=[follow_up()])
        return calendar(rows, Request("anna", {}, "en")).body  # type: ignore[arg-type]

    writing = "2026-03-04 10:00|Write to the employer: Cook, Acme|CONFIRMED"
    first = kept_by_khal(tmp_path, body=calendar_of())
    assert first == [writing, "2026-03-05 14:00|Interview: Cook, Acme|CONFIRMED"]
    moved = calendar_of(starts_at="2026-03-06T09:30:00Z", revision=1)
    assert kept_by_khal(tmp_path, body=moved) == [writing, "2026-03-06 14:30|Interview: Cook, Acme|CONFIRMED"]
    off = calendar_of(starts_at="2026-03-06T09:30:00Z", revision=2, status="cancelled")
    assert kept_by_khal(tmp_path, body=off) == [writing, "2026-03-06 14:30|Interview: Cook, Acme|CANCELLED"]


def offer(**changes: object) -> dict[str, object]:
    own: dict[str, object] = {
        "application_id": "a1", "offer_id": "o1", "status": "received", "salary": None, "currency": None,
        "period": None, "monthly_usd": None, "deadline": "2026-03-09", "market_percentile": None, "n_compared": 0,
        "updated_at": AT,
    }  # fmt: skip
    return own | changes


def test_the_deadline_of_an_offer_is_a_whole_day_until_it_is_answered() -> None:
    (event,) = events("ru", applications=[application()], offers=[offer()])
    assert event["summary"].startswith("Ответ на предложение")
    assert event.decoded("dtstart") == dt.date(2026, 3, 9)
    assert [alarm.decoded("trigger").total_seconds() for alarm in event.walk("VALARM")] == [-259200, -86400, -10800]
    answered = offer(status="accepted", updated_at="2026-03-02T02:00:00Z")
    told = [timeline("status", 1)]
    (over,) = events("ru", applications=[application()], offers=[answered], application_events=told)
    assert (over["uid"], over["status"]) == (event["uid"], "CANCELLED")
    assert over["sequence"] > event["sequence"]


@given(st.text(max_size=40), st.text(max_size=40))
def test_text_of_others_adds_nothing_to_the_calendar(title: str, company: str) -> None:
    row = application(title=f"{title}\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n", company=company)
    (event,) = events(applications=[row], interviews=[interview()])
    assert event["uid"].endswith("@jobfeed")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    return serve(open_store(folder), Authoriser(keys=(KEY,)))


def token(user: str, *, audience: str = CALENDAR_AUDIENCE, until: int = FOREVER) -> str:
    return sign_user_token(KEY, user, application="shop", expires_at=until, audience=audience)


def test_a_token_in_the_address_opens_the_calendar_and_the_answer_can_be_cached(app: Application) -> None:
    reply = call(app, PATH, f"token={token('anna')}")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/calendar; charset=utf-8"
    assert icalendar.Calendar.from_ical(reply.body).walk("VEVENT")
    again = call(app, PATH, f"token={token('anna')}", headers={"If-None-Match": reply.headers["etag"]})
    assert again.status == 304
    assert again.body == b""


def test_a_calendar_that_did_not_change_is_unchanged_in_the_next_generation(tmp_path: Path) -> None:
    tags = []
    for minutes in (0, 15):
        publish_full(tmp_path, as_of=AS_OF + dt.timedelta(minutes=minutes))
        service = serve(open_store(tmp_path))
        known = {"If-None-Match": tags[-1]} if tags else {}
        reply = call(service, PATH, headers=known)
        tags.append(reply.headers["etag"])
    assert reply.status == 304
    assert tags[0] == tags[1]


def test_a_header_opens_it_too(app: Application) -> None:
    assert call(app, PATH, headers={"Authorization": f"Bearer {token('anna', audience='jobfeed')}"}).status == 200


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        (PATH, "", 401),
        (PATH, f"token={token('anna', until=1)}", 401),
        (PATH, f"token={token('anna', audience='jobfeed')}", 401),
        (PATH, "token=wrong", 401),
        (PATH, f"token={token('борис')}", 403),
        ("/v1/users/anna/feed", f"token={token('anna')}", 401),
        ("/v1/jobs/x/calendar.ics", f"token={token('anna')}", 403),
    ],
)
def test_a_token_opens_its_own_calendar_and_nothing_else(app: Application, path: str, query: str, status: int) -> None:
    assert call(app, path, query).status == status


def test_a_token_of_a_calendar_in_a_header_opens_nothing(app: Application) -> None:
    assert call(app, PATH, headers={"Authorization": f"Bearer {token('anna')}"}).status == 401
