"""Application events in every format: what is read, and what is refused with which reason."""

import csv
import datetime as dt
import io
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from assets.config.loading import load_config
from features.schemas.bronze import APPLICATION_LOG
from features.sources.applications.files import (
    parse_application_csv,
    parse_application_lines,
    parse_application_parquet,
)
from features.sources.applications.validation import FIELDS, Rules

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
RULES = Rules(load_config().applications.words, AS_OF)
Event = dict[str, object]


def event(**fields: object) -> Event:
    known = {"event_id": "e1", "user_id": "u1", "occurred_at": "2026-02-01T10:00:00+03:00", "job_id": "hh:1"}
    return {**known, "event_type": "status", "to": "applied", **fields}


def interview(**fields: object) -> Event:
    start = "2026-03-05T14:00:00+05:30"
    return event(**{"event_type": "interview", "to": None, "interview_id": "i1", "action": "scheduled",
                    "starts_at": start, **fields})  # fmt: skip


def offer(**fields: object) -> Event:
    return event(**{"event_type": "offer", "to": None, "offer_id": "o1", "action": "received", **fields})


def parse(*events: Event) -> tuple[pl.DataFrame, list[tuple[str, str, str]]]:
    parsed = parse_application_lines(b"\n".join(json.dumps(each).encode() for each in events), rules=RULES)
    return parsed.rows, parsed.rejects.select("entry", "reason", "detail").rows()


def row(given: Event) -> dict[str, object]:
    rows, refused = parse(given)
    assert refused == []
    return rows.row(0, named=True)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (event(event_id=None), "missing_event_id"),
        (event(user_id=" "), "bad_user_id"),
        (event(user_id="x" * 129), "bad_user_id"),
        (event(event_id="a\u200bb"), "bad_event_id"),
        (event(occurred_at=None), "missing_occurred_at"),
        (event(occurred_at="yesterday"), "bad_time"),
        (event(occurred_at="2026-02-01T10:00:00"), "bad_time"),
        (event(occurred_at="2026-03-01T02:06:00Z"), "future"),
        (event(occurred_at="1999-12-31T00:00:00Z"), "too_old"),
        (event(event_type=None), "missing_event_type"),
        (event(event_type="hired"), "unknown_event_type"),
        (event(job_id=None), "missing_application"),
        (event(to=None), "missing_to"),
        (event(to="promoted"), "unknown_state"),
        (interview(interview_id=None), "missing_interview_id"),
        (interview(action=None), "missing_action"),
        (interview(action="moved"), "unknown_action"),
        (interview(starts_at=None), "missing_starts_at"),
        (interview(starts_at="2026-03-05T14:00:00"), "bad_starts_at"),
        *(
            (interview(starts_at=at), "bad_starts_at")
            for at in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2262-04-12T00:00:00Z", "-62135596801")
        ),
        (event(event_type="reminder", to=None, at="9999-12-31T23:59:59Z", text="call"), "bad_at"),
        (offer(offer_id=None), "missing_offer_id"),
        (offer(action="scheduled"), "unknown_action"),
        (event(event_type="note", text=" "), "missing_text"),
        (event(event_type="deadline", date="soon"), "bad_date"),
        (event(event_type="reminder", at="2026-03-05", text="call"), "bad_at"),
        (event(event_type="reminder", at="2026-03-05T10:00Z"), "missing_text"),
        (event(event_type="reply", direction="sideways", text="hi"), "missing_direction"),
        (event(event_type="reply", direction="in", sentiment="great"), "missing_text"),
        (event(event_type="follow_up", sequence="s", step="one", action="sent"), "missing_step"),
        (event(event_type="follow_up", sequence="s", step=1, action="received"), "unknown_action"),
    ],
)
def test_an_event_that_can_not_be_used_is_refused_with_its_reason(given: Event, reason: str) -> None:
    rows, refused = parse(given)
    assert rows.is_empty()
    assert [found for _, found, _ in refused] == [reason]


def test_a_refusal_says_what_was_received_and_what_is_allowed() -> None:
    _, refused = parse(event(to="promoted"), offer(action="scheduled"))
    assert refused[0][2].startswith("promoted is no state; allowed: saved, preparing, applied")
    assert refused[1][2] == "action scheduled; allowed: received, countered, accepted, declined, expired"


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("applied", "applied"),
        ("Hired", "accepted"),
        ("Final interview", "final_interview"),
        ("PHONE-SCREEN", "screening"),
    ],
)
def test_the_words_of_other_systems_are_mapped(word: str, state: str) -> None:
    assert row(event(to=word))["state"] == state


@pytest.mark.parametrize(
    "written",
    ["2026-02-01T07:00:00Z", "2026-02-01 10:00:00+03:00", "2026-02-01T10:00+03:00", 1769929200, 1769929200000,
     "1769929200", "2026-02-01T07:00:00.000Z", "2026-02-01t07:00:00z"],
)  # fmt: skip
def test_times_are_read_in_every_form(written: object) -> None:
    assert row(event(occurred_at=written))["occurred_at"] == dt.datetime(2026, 2, 1, 7, tzinfo=dt.UTC)


def test_an_interview_keeps_the_zone_of_its_start() -> None:
    found = row(interview(kind="video", duration_minutes="45", outcome="passed", feedback="Went well."))
    assert found["starts_at"] == dt.datetime(2026, 3, 5, 8, 30, tzinfo=dt.UTC)
    assert (found["utc_offset_minutes"], found["duration_minutes"]) == (330, 45)
    assert (found["kind"], found["outcome"], found["text"]) == ("video", "passed", "Went well.")
    other = row(interview(kind="dance", duration_minutes=-5, outcome="maybe", starts_at="2026-03-05T14:00:00-03:00"))
    assert (other["kind"], other["duration_minutes"], other["outcome"]) == (None, 60, None)
    assert other["utc_offset_minutes"] == -180


def test_an_offer_has_pay_and_deadline() -> None:
    found = row(offer(salary="3 500,000", currency="kzt", period="monthly", deadline="2026-03-10T23:59:00+05:00"))
    assert (found["salary"], found["currency"], found["period"]) == (3_500_000.0, "KZT", "month")
    assert found["due_date"] == dt.date(2026, 3, 10)
    assert row(offer(salary=-1, currency="dollars", period="eon"))["salary"] is None


def test_fields_of_other_types_are_left_out() -> None:
    found = row(event(interview_id="i1", starts_at="2026-03-05T14:00:00Z", salary=5, direction="in", step=1))
    for name in ("interview_id", "starts_at", "salary", "direction", "step", "duration_minutes", "utc_offset_minutes"):
        assert found[name] is None


def test_lines_that_are_no_objects_are_refused() -> None:
    parsed = parse_application_lines(b'{"event_id"\n[1]\n\n"x"\n', rules=RULES)
    assert parsed.rejects.select("entry", "reason").rows() == [
        ("line 1", "bad_json"), ("line 2", "not_an_object"), ("line 4", "not_an_object"),
    ]  # fmt: skip


def test_every_format_gives_the_same_rows() -> None:
    events = [
        event(), interview(event_id="e2", kind="phone"),
        offer(event_id="e3", salary=100, currency="USD", period="hour"),
        event(event_id="e4", event_type="note", to=None, text="a, b\n\"c\"", channel="phone"),
        event(event_id="e5", to="nowhere"),
    ]  # fmt: skip
    full = [{name: each.get(name) for name in FIELDS} for each in events]
    by_lines = parse_application_lines(b"\n".join(json.dumps(each).encode() for each in full), rules=RULES)
    table = io.StringIO()
    writer = csv.DictWriter(table, FIELDS)
    writer.writeheader()
    writer.writerows(full)
    parquet = io.BytesIO()
    frame = pl.DataFrame(full, schema_overrides={"salary": pl.Float64}, infer_schema_length=None)
    frame.with_columns(pl.col("occurred_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%z")).write_parquet(parquet)
    for parsed in (
        parse_application_csv(table.getvalue().encode(), rules=RULES),
        parse_application_parquet(parquet.getvalue(), rules=RULES),
    ):
        assert_frame_equal(parsed.rows, by_lines.rows)
        assert parsed.rejects["reason"].to_list() == ["unknown_state"]


@pytest.mark.parametrize("huge", [2**127, -(2**127) - 1, 10**400])
@pytest.mark.parametrize("field", FIELDS)
def test_an_integer_of_any_size_stops_no_other_event(field: str, huge: int) -> None:
    rows, refused = parse(event(event_id="e0"), interview(**{"event_id": "e1", field: huge}))
    assert rows["event_id"][0] == "e0"
    assert rows.height + len(refused) == 2


def test_damaged_parquet_is_one_reject() -> None:
    parsed = parse_application_parquet(b"PAR1 nothing", rules=RULES)
    assert (parsed.rows.height, parsed.rejects["reason"].to_list()) == (0, ["unreadable"])


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(FIELDS),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.none())
            | st.sampled_from(["status", "interview", "offer", "applied", "scheduled", "in", "2026-02-01T10:00:00Z"]),
        ),
        max_size=5,
    )
)  # fmt: skip
def test_any_objects_become_rows_or_rejects(events: list[Event]) -> None:
    rows, refused = parse(*events)
    assert rows.height + len(refused) == len(events)
    APPLICATION_LOG.validate(rows)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([*FIELDS, "other"]),
            st.none() | st.text(max_size=4) | st.integers() | st.floats(allow_nan=False) | st.booleans(),
            max_size=6,
        ),
        max_size=5,
    )
)
def test_lines_read_at_once_are_read_as_one_by_one(changes: list[Event]):
    lines = [json.dumps({**interview(), **change}).encode() for change in changes]
    at_once = parse_application_lines(b"\r\n".join([*lines, b""]), rules=RULES)
    # A line that is no object makes all be read by themselves.
    one_by_one = parse_application_lines(b"\r\n".join([*lines, b"[]"]), rules=RULES)
    assert_frame_equal(at_once.rows, one_by_one.rows)
    assert_frame_equal(at_once.rejects, one_by_one.rejects.filter(pl.col("reason") != "not_an_object"))
