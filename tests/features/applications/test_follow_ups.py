"""Follow-ups, held against a state machine that takes one run and one instant after the other."""

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.config.follow_ups import FollowUps
from assets.config.loading import load_config
from features.applications.follow_ups import follow_ups
from features.applications.sequences import Sequence
from features.applications.states import CODE_OF, FINAL_STATES
from tests.features.applications.test_folding import Row, at, fold, status

SHIPPED = load_config().follow_ups
EXPONENTIAL = {
    "begins_with": ["interview_end", "reply_in", "screening"], "cancelled_by": ["offer", "state"],
    "counting": "exponential", "exponential": {"first_days": 1, "factor": 2.5},
    "steps": [{"template": "thanks"}, {"template": "thanks"}, {"template": "thanks"}],
}  # fmt: skip
BUSINESS = {
    "begins_with": ["applied", "reply_out"], "counting": "business_days",
    "steps": [{"after": 1, "template": "thanks"}, {"after": 4, "template": "thanks"}],
}  # fmt: skip
PLAN = FollowUps.model_validate(
    SHIPPED.model_dump() | {"sequences": SHIPPED.model_dump()["sequences"] | {"slow": EXPONENTIAL, "work": BUSINESS}}
).plan
ZONE, COUNTRY = "Asia/Almaty", "KZ"
AS_OF = at(24 * 27)
ABOUT = {"company": "Acme", "role": "Cook", "language": "en", "country": COUNTRY, "timezone": ZONE}
COLUMNS = ["application_id", "sequence", "ref", "step", "status", "why", "due_at", "expires_at", "updated_at"]


def table(*rows: Row, as_of: dt.datetime = AS_OF, about: Mapping[str, object] = ABOUT) -> pl.DataFrame:
    timelines = fold(*rows, as_of=as_of)
    applications = timelines.select("user_id", "application_id").unique()
    kinds = dict.fromkeys(about, pl.String)
    described = applications.with_columns(pl.lit(about[name], kind).alias(name) for name, kind in kinds.items())
    return follow_ups(timelines, described, PLAN, as_of=as_of)


def told(event_id: str, hours: float, event_type: str, **fields: object) -> Row:
    return status(event_id, hours, "", event_type=event_type, state=None, **fields)


def of(table: pl.DataFrame, sequence: str) -> list[tuple[int, str, str]]:
    return table.filter(sequence=sequence).select("step", "status", "why").rows()


# The state machine.


def slow(rows: list[Row], *, as_of: dt.datetime) -> set[tuple[object, ...]]:
    by_application: dict[str, list[dict[str, object]]] = {}
    for event in fold(*rows, as_of=as_of).iter_rows(named=True):
        by_application.setdefault(event["application_id"], []).append(event)
    return {
        (application, sequence.name, ref, *step)
        for application, events in by_application.items()
        for sequence in PLAN.sequences
        for ref, step in _of_sequence(events, sequence, as_of)
    }


def _of_sequence(events: list[dict], sequence: Sequence, as_of: dt.datetime) -> Iterator[tuple[str, tuple]]:
    begun = sorted(_begun(events, sequence), key=lambda run: (run["opens"], run["ref"]))
    for run in begun:
        waits = "interview" in sequence.cancelled_by and _is_planned_after(events, run["begins"])
        if waits and (run["ends"] is None or run["ends"][0] > run["begins"]):
            run["ends"] = (run["begins"], "interview")
    for run in begun:
        if run["begins"] > as_of + dt.timedelta(days=400):
            continue
        own: dict[int, dict] = {}
        for event in events:
            if event["event_type"] != "follow_up" or event["sequence"] != sequence.name:
                continue
            open_then = [one for one in begun if one["opens"] <= event["occurred_at"] and not one.get("never")]
            if open_then and open_then[-1] is run:
                own[event["step"]] = event
        for step in _lived(run, sequence, own, as_of):
            yield run["ref"], step


def _begun(events: list[dict], sequence: Sequence) -> Iterator[dict]:
    for place, event in enumerate(events):
        when, state = event["occurred_at"], event["state"]
        word = None
        if event["event_type"] == "reply" and f"reply_{event['direction']}" in sequence.begins_with:
            word = f"reply_{event['direction']}"
        if state and state != event["state_before"] and state in sequence.begins_with:
            word = state if event["event_type"] != "interview" else word
        if word and state not in FINAL_STATES:
            yield {"ref": event["event_id"], "word": word, "begins": when, "opens": when, "told": when,
                   "ends": _news(events[place + 1 :], sequence), "day": None}  # fmt: skip
    if "interview_end" in sequence.begins_with:
        yield from _interviews(events, sequence)
    if "offer_deadline" in sequence.begins_with:
        yield from _offers(events, sequence)


def _interviews(events: list[dict], sequence: Sequence) -> Iterator[dict]:
    for ref in {event["interview_id"] for event in events if event["interview_id"]}:
        own = [event for event in events if event["interview_id"] == ref]
        starts = [event["starts_at"] for event in own if event["starts_at"]]
        if not starts:
            continue
        ends_at = starts[-1] + dt.timedelta(minutes=60)
        off = own[-1]["occurred_at"] if own[-1]["action"] == "cancelled" else None
        ends = [(off, "interview_cancelled")] if off else []
        before = [event for event in events if event["occurred_at"] <= ends_at]
        if before and before[-1]["state"] in FINAL_STATES:
            final = next(e for e in events if e["state"] in FINAL_STATES and e["state"] == before[-1]["state"])
            ends.append((final["occurred_at"], f"state_{final['state']}"))
        ends += [_news(events[len(before) :], sequence)]
        known = [one for one in ends if one is not None]
        first = min(known, key=lambda one: (one[0], one[1] != "interview_cancelled"), default=None)
        yield {"ref": f"interview:{ref}", "word": "interview_end", "begins": ends_at, "opens": starts[-1],
               "never": bool(off), "told": own[-1]["occurred_at"], "ends": first, "day": None}  # fmt: skip


def _is_planned_after(events: list[dict], begins: dt.datetime) -> bool:
    for ref in {event["interview_id"] for event in events if event["interview_id"]}:
        own = [event for event in events if event["interview_id"] == ref]
        starts = [event["starts_at"] for event in own if event["starts_at"]]
        if own[-1]["action"] != "cancelled" and starts and own[0]["occurred_at"] <= begins < starts[-1]:
            return True
    return False


def _offers(events: list[dict], sequence: Sequence) -> Iterator[dict]:
    for ref in {event["offer_id"] for event in events if event["offer_id"]}:
        own = [event for event in events if event["offer_id"] == ref]
        dated = [event for event in own if event["due_date"]]
        if not dated:
            continue
        begins = dated[-1]["occurred_at"]
        ends = [_news([event for event in events if event["position"] > dated[-1]["position"]], sequence)]
        if dated[-1]["state"] in FINAL_STATES:
            final = next(e for e in events if e["state"] == dated[-1]["state"])
            ends.append((final["occurred_at"], f"state_{final['state']}"))
        if own[-1]["action"] in ("accepted", "declined", "expired"):
            ends.append((own[-1]["occurred_at"], f"offer_{own[-1]['action']}"))
        known = [one for one in ends if one is not None]
        first = min(known, key=lambda one: (one[0], not one[1].startswith("offer_")), default=None)
        yield {"ref": ref, "word": "offer_deadline", "begins": begins, "opens": begins, "told": begins,
               "ends": first, "day": dated[-1]["due_date"]}  # fmt: skip


def _news(events: list[dict], sequence: Sequence) -> tuple[dt.datetime, str] | None:
    for event in events:
        words = {}
        if event["event_type"] == "interview" and event["action"] in ("scheduled", "rescheduled"):
            words["interview"] = "interview"
        if event["event_type"] == "offer" and event["action"] in ("received", "countered"):
            words["offer"] = "offer"
        if event["event_type"] == "reply":
            words[f"reply_{event['direction']}"] = "reply_out" if event["direction"] == "out" else "reply"
        if event["state"] and event["state"] != event["state_before"]:
            words["state"] = f"state_{event['state']}"
        if set(words) & set(sequence.cancelled_by):
            return event["occurred_at"], words.get("state") or next(iter(words.values()))
    return None


def _local(day: dt.date, hour: int) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(0), ZoneInfo(ZONE)).astimezone(dt.UTC) + dt.timedelta(hours=hour)


def _due(run: dict, sequence: Sequence) -> list[dt.datetime]:
    calendar, day, found = holidays.country_holidays(COUNTRY), run["begins"].astimezone(ZoneInfo(ZONE)).date(), []
    for step in sequence.steps:
        if sequence.counting == "days_before":
            found.append(max(_local(run["day"] - dt.timedelta(days=step.days), PLAN.due_hour), run["begins"]))
            continue
        due = day
        if sequence.counting == "business_days":
            for _ in range(step.days):
                due += dt.timedelta(days=1)
                while not calendar.is_working_day(due):
                    due += dt.timedelta(days=1)
        else:
            due += dt.timedelta(days=step.days)
            while sequence.is_moved and not calendar.is_working_day(due):
                due += dt.timedelta(days=1)
        found.append(_local(due, PLAN.due_hour))
    return found


def _lived(run: dict, sequence: Sequence, own: dict[int, dict], as_of: dt.datetime) -> Iterator[tuple]:
    """Each step, after all that happened to the run in order: due times, news and the user's own doing."""
    due = _due(run, sequence)
    numbers = range(1, len(due) + 1)
    expiry = {n: (due[n - 1] + dt.timedelta(days=PLAN.expire_after_days), "expired") for n in numbers}
    if run["day"]:
        expiry = {n: min(one, (_local(run["day"], 24), "expired")) for n, one in expiry.items()}
    for n, (_, following) in enumerate(pairwise(due), start=1):
        expiry[n] = min((following, "a"), (expiry[n][0], "b"))
        expiry[n] = (expiry[n][0], "next_step" if expiry[n][1] == "a" else "expired")
    happened = [(when, 0, "expires", n, why) for n, (when, why) in expiry.items() if when <= as_of]
    if run["ends"]:
        happened.append((run["ends"][0], 1, "news", 0, run["ends"][1]))
    happened += [(e["occurred_at"], 2, "stop", n, "user") for n, e in own.items() if e["action"] == "cancelled"]
    now = dict.fromkeys(numbers, ("due", run["word"], run["told"]))
    for when, _, what, n, why in sorted(happened):
        for each in numbers:
            if now[each][0] == "due" and (what == "news" or each == n or (what == "stop" and each > n)):
                now[each] = ("skipped" if what == "expires" else "cancelled", why, when)
    for n in numbers:
        if n in own:
            now[n] = (own[n]["action"], "user", own[n]["occurred_at"])
        yield n, now[n][0], now[n][1], due[n - 1], expiry[n][0], now[n][2]


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    hours = st.one_of(st.integers(0, 24 * 27), st.integers(0, 27).map(lambda day: 24 * day + 5))
    kinds = ["status", "status", "reply", "interview", "offer", "follow_up", "follow_up", "note"]
    for number in range(draw(st.integers(0, 16))):
        kind, hour = draw(st.sampled_from(kinds)), draw(hours)
        job = draw(st.sampled_from(["hh:1", "hh:1", "hh:2"]))
        name = f"e{number:02}"
        if kind == "status":
            rows.append(status(name, hour, draw(st.sampled_from([*CODE_OF, "applied", "screening"])), job_id=job))
            continue
        fields: dict[str, object] = {"job_id": job}
        if kind == "reply":
            fields["direction"] = draw(st.sampled_from(["in", "out"]))
        elif kind == "interview":
            fields["action"] = draw(st.sampled_from(["scheduled", "rescheduled", "completed", "cancelled"]))
            fields["interview_id"] = draw(st.sampled_from(["i1", "i2"]))
            if fields["action"] in ("scheduled", "rescheduled"):
                fields["starts_at"] = at(hour + draw(st.integers(-30, 200)))
        elif kind == "offer":
            fields["action"] = draw(st.sampled_from(["received", "countered", "accepted", "declined", "expired"]))
            fields["offer_id"] = draw(st.sampled_from(["o1", "o2"]))
            later = draw(st.none() | st.integers(0, 300))
            fields["due_date"] = at(hour + later).date() if later is not None else None
        elif kind == "follow_up":
            fields["sequence"] = draw(st.sampled_from([one.name for one in PLAN.sequences]))
            fields["step"] = draw(st.integers(1, 4))
            fields["action"] = draw(st.sampled_from(["sent", "skipped", "cancelled"]))
        rows.append(told(name, hour, kind, **fields))
    return rows


@settings(max_examples=100)
@given(histories())
def test_follow_ups_are_those_of_the_state_machine(rows: list[Row]) -> None:
    assert set(table(*rows).select(COLUMNS).rows()) == slow(rows, as_of=AS_OF)


# Cases on paper. 1 February 2026 is a Sunday; Almaty is five hours ahead of UTC.


def test_after_an_application_the_user_writes_on_working_days_until_the_employer_answers() -> None:
    found = table(status("e1", 24, "applied"), as_of=at(24 * 4 + 4)).filter(sequence="after_application")
    # Monday 2 February: 3 days later Thursday, 7 days later Monday, 14 days later Monday.
    days = [due.astimezone(ZoneInfo(ZONE)).strftime("%d %H:%M") for due in found["due_at"]]
    assert days == ["05 10:00", "09 10:00", "16 10:00"]
    assert found["is_due"].to_list() == [False, False, False]
    later = table(status("e1", 24, "applied"), as_of=at(24 * 4 + 5)).filter(sequence="after_application")
    assert later["is_due"].to_list() == [True, False, False]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (told("e2", 30, "reply", direction="in", sentiment="positive"), "reply_positive"),
        (told("e2", 30, "reply", direction="out"), "reply_out"),
        (status("e2", 30, "rejected"), "state_rejected"),
        (status("e2", 30, "screening"), "state_screening"),
        (status("e2", 30, "withdrawn"), "state_withdrawn"),
        (told("e2", 30, "interview", action="scheduled", interview_id="i", starts_at=at(90)), "state_interview"),
        (told("e2", 24, "interview", action="scheduled", interview_id="i", starts_at=at(90)), "state_interview"),
    ],
)
def test_an_answer_or_a_later_state_cancels_the_rest(event: Row, why: str) -> None:
    assert of(table(status("e1", 24, "applied"), event), "after_application") == [
        (step, "cancelled", why) for step in (1, 2, 3)
    ]


def test_what_the_user_did_stays_and_a_step_that_was_passed_over_is_skipped() -> None:
    sent = told("e2", 24 * 5, "follow_up", sequence="after_application", step=1, action="sent")
    found = of(table(status("e1", 24, "applied"), sent, as_of=at(24 * 16)), "after_application")
    assert found == [(1, "sent", "user"), (2, "skipped", "next_step"), (3, "due", "applied")]


def test_an_interview_that_moves_moves_the_thanks_and_a_cancelled_one_ends_them() -> None:
    first = told("e2", 30, "interview", action="scheduled", interview_id="i", starts_at=at(24 * 4))
    moved = told("e3", 40, "interview", action="rescheduled", interview_id="i", starts_at=at(24 * 5))
    off = told("e4", 50, "interview", action="cancelled", interview_id="i")
    applied = status("e1", 24, "applied")
    before, after, ended = (
        table(applied, *rows, as_of=at(60)).filter(sequence="thank_you").row(0, named=True)
        for rows in ((first,), (first, moved), (first, moved, off))
    )
    assert (before["ref"], before["status"], before["due_at"]) == ("interview:i", "due", at(24 * 5 + 5))
    assert after["due_at"] - before["due_at"] == dt.timedelta(days=3)  # a weekend lies between
    assert (ended["status"], ended["why"]) == ("cancelled", "interview_cancelled")
    assert before["revision"] < after["revision"] < ended["revision"]


def test_nobody_is_asked_for_news_while_another_interview_is_planned() -> None:
    talks = [
        told(f"e{n}", 30 + n, "interview", action="scheduled", interview_id=f"i{n}", starts_at=at(24 * n))
        for n in (4, 6)
    ]
    found = table(*talks, as_of=at(24 * 5)).filter(sequence="no_response").select("ref", "status", "why").unique()
    assert sorted(found.rows()) == [
        ("interview:i4", "cancelled", "interview"), ("interview:i6", "due", "interview_end"),
    ]  # fmt: skip
    off = told("e9", 24 * 5, "interview", action="cancelled", interview_id="i6")
    after = table(*talks, off, as_of=at(24 * 5)).filter(sequence="no_response", ref="interview:i4")
    assert after["status"].to_list() == ["due", "due"]


def test_an_offer_is_asked_about_before_its_deadline_and_never_after() -> None:
    offer = told("e2", 24, "offer", action="received", offer_id="o", due_date=at(24 * 9).date())
    found = table(status("e1", 1, "applied"), offer, as_of=at(24 * 9)).filter(sequence="offer_answer")
    assert [due.day for due in found["due_at"]] == [7, 9]
    assert found["status"].to_list() == ["skipped", "due"]
    late = table(status("e1", 1, "applied"), offer, as_of=at(24 * 10)).filter(sequence="offer_answer")
    assert late["status"].to_list() == ["skipped", "skipped"]


@pytest.mark.parametrize("event_id", ["42", "interview:42"])
def test_events_and_interviews_of_the_same_id_make_no_row_twice(event_id: str) -> None:
    talk = told("e3", 30, "interview", action="scheduled", interview_id="42", starts_at=at(48))
    rows = table(status("e1", 0, "applied"), told(event_id, 24, "reply", direction="out"), talk)
    assert rows.filter(sequence="no_response")["ref"].unique().sort().to_list() == sorted({event_id, "interview:42"})
    assert rows.select("application_id", "sequence", "ref", "step").is_unique().all()


def test_steps_that_are_no_longer_open_keep_their_channel_and_lose_their_text() -> None:
    rows = table(status("e1", 0, "applied"), status("e2", 24, "rejected")).filter(sequence="after_application")
    assert rows.select("status", "channel", "text").unique().rows() == [("cancelled", "email", None)]


def test_drafts_name_the_job_and_leave_the_name_to_the_app() -> None:
    about = ABOUT | {"company": "{name}\nCo", "role": None, "language": "ru"}
    rows = table(status("e1", 24, "applied"), about=about, as_of=at(26)).filter(sequence="after_application")
    text = rows["text"][0]
    assert "2 февраля" in text and "в name Co" in text and "«открытая позиция»" in text
    assert text.count("{name}") == 1 and text.endswith("{name}")
    assert rows["channel"].to_list() == ["email"] * 3


def test_a_draft_names_the_interviewer_if_the_app_told_who_it_was() -> None:
    talk = told("e2", 30, "interview", action="scheduled", interview_id="i", starts_at=at(48), interviewer="Ada Byron")
    (text,) = table(status("e1", 24, "applied"), talk, as_of=at(50)).filter(sequence="thank_you")["text"]
    assert text.startswith("Dear Ada Byron,")


def test_a_country_or_zone_that_is_not_known_means_weekends_and_utc() -> None:
    about = ABOUT | {"country": "XX", "timezone": None}
    talk = told("e2", 30, "interview", action="scheduled", interview_id="i", starts_at=at(24 * 5 + 9))
    (due,) = table(talk, as_of=at(50), about=about).filter(sequence="thank_you")["due_at"]
    assert due == dt.datetime(2026, 2, 9, 10, tzinfo=dt.UTC)  # Friday the 6th, then Monday


def test_holidays_of_the_country_are_no_working_days() -> None:
    talk = told("e2", 0, "interview", action="scheduled", interview_id="i", starts_at=at(24 * 19 + 9))
    days = {}
    for country in ("RU", "KZ"):
        table_of = table(talk, as_of=at(24 * 20), about=ABOUT | {"country": country}).filter(sequence="thank_you")
        days[country] = table_of["due_at"][0].day
    # Friday 20 February; Monday the 23rd is a holiday in Russia.
    assert days == {"RU": 24, "KZ": 23}


def test_no_history_gives_no_follow_ups() -> None:
    assert table().is_empty()
