"""Timelines of applications, held against a state machine that takes one event after the other."""

import datetime as dt
from collections import defaultdict

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from assets.config.loading import load_config
from features.applications.folding import fold_timelines
from features.applications.states import CODE_OF, NEW, STATES
from features.schemas.bronze import APPLICATION_LOG
from features.schemas.catalog import APPLICATION_EVENTS

SETTINGS = load_config().applications
ALLOWED = {state: set(following) for state, following in SETTINGS.transitions.items()}
START = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
AS_OF = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
Row = dict[str, object]


def at(hours: float) -> dt.datetime:
    return START + dt.timedelta(hours=hours)


def status(event_id: str, hours: float, to: str, **fields: object) -> Row:
    stated = {"event_id": event_id, "user_id": "u1", "occurred_at": at(hours), "event_type": "status", "state": to}
    return {**stated, "job_id": "hh:1", **fields}


def log_of(*rows: Row) -> pl.DataFrame:
    return APPLICATION_LOG.conform(pl.DataFrame(list(rows), schema_overrides=APPLICATION_LOG.columns))


def fold(*rows: Row, as_of: dt.datetime = AS_OF) -> pl.DataFrame:
    return fold_timelines(log_of(*rows), transitions=SETTINGS.table, implied=SETTINGS.implied, as_of=as_of)


def path(*rows: Row) -> list[tuple[str, str | None, bool]]:
    return fold(*rows).select("event_id", "state", "is_refused").rows()


def slow(rows: list[Row]) -> list[tuple[str, str, str | None, str | None, bool]]:
    """(application, event, state before, state after, refused) by one dictionary per application."""
    named: dict[tuple[object, object], tuple[object, object]] = {}
    for row in rows:
        if row.get("application_id") and row.get("job_id"):
            key, found = (row["user_id"], row["job_id"]), (row["occurred_at"], row["application_id"])
            named[key] = min(named.get(key, found), found)  # type: ignore[type-var]
    by_application: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        own = row.get("application_id") or named.get((row["user_id"], row["job_id"]), (0, f"hash {row['job_id']}"))[1]
        by_application[str(row["user_id"]), str(own)].append(row)
    told = []
    for (_, application), events in by_application.items():
        state: str | None = None

        def asked(event: Row) -> str | None:
            if event["event_type"] == "status":
                return str(event["state"])
            return SETTINGS.implied.get(f"{event['event_type']}_{event['action']}")  # type: ignore[call-overload, no-any-return]

        for event in sorted(events, key=lambda e: (e["occurred_at"], CODE_OF.get(asked(e) or "", 99), e["event_id"])):  # type: ignore[return-value]
            before, wanted = state, asked(event)
            is_allowed = wanted is None or wanted == before or wanted in ALLOWED[before or NEW]
            if wanted is not None and is_allowed:
                state = wanted
            is_refused = event["event_type"] == "status" and not is_allowed
            told.append((application, str(event["event_id"]), before, state, is_refused))
    return sorted(told)


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    for number in range(draw(st.integers(0, 25))):
        kind = draw(st.sampled_from(["status", "status", "status", "interview", "offer", "note"]))
        actions = {"interview": ["scheduled", "completed", "cancelled"], "offer": ["received", "countered", "accepted"]}
        rows.append({
            "event_id": f"e{number}", "user_id": draw(st.sampled_from(["u1", "u2"])),
            "occurred_at": at(draw(st.integers(0, 12))), "event_type": kind,
            "state": draw(st.sampled_from(STATES)) if kind == "status" else None,
            "action": draw(st.sampled_from(actions[kind])) if kind in actions else None,
            "job_id": draw(st.sampled_from(["hh:1", "hh:2"])),
            "application_id": draw(st.sampled_from([None, None, "a1", "a2"])),
            "interview_id": "i1" if kind == "interview" else None, "offer_id": "o1" if kind == "offer" else None,
        })  # fmt: skip
    return rows


@given(histories())
def test_timelines_equal_those_of_a_slow_state_machine(rows: list[Row]) -> None:
    found = fold(*rows) if rows else fold_timelines(
        APPLICATION_LOG.empty(), transitions=SETTINGS.table, implied=SETTINGS.implied, as_of=AS_OF
    )  # fmt: skip
    hashed = {
        (user, application): f"hash {job}"
        for user, application, job in found.select("user_id", "application_id", "job_id").rows()
        if str(application).startswith("app-")
    }
    told = [
        (hashed.get((user, application), application), *rest)
        for user, application, *rest in found.select(
            "user_id", "application_id", "event_id", "state_before", "state", "is_refused"
        ).rows()
    ]
    assert sorted(told, key=str) == sorted(slow(rows), key=str)
    APPLICATION_EVENTS.validate(found)


@given(histories(), st.randoms())
def test_the_order_in_which_events_are_told_does_not_matter(rows: list[Row], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    if rows:
        assert_frame_equal(fold(*rows), fold(*shuffled))


@given(histories())
def test_a_gap_that_is_filled_later_gives_the_timeline_without_a_gap(rows: list[Row]) -> None:
    if rows:
        early = fold(*rows, as_of=at(6))
        assert early.height == sum(row["occurred_at"] <= at(6) + dt.timedelta(minutes=5) for row in rows)  # type: ignore[operator]


def test_a_late_event_is_put_in_its_place_and_the_states_after_it_are_told_anew() -> None:
    rows = [status("e1", 0, "applied"), status("e3", 9, "negotiation")]
    assert path(*rows) == [("e1", "applied", False), ("e3", "applied", True)]
    late = status("e2", 5, "offer")
    assert path(*rows, late) == [("e1", "applied", False), ("e2", "offer", False), ("e3", "negotiation", False)]


def test_a_state_that_is_told_again_is_no_refusal() -> None:
    assert path(status("e1", 0, "applied"), status("e2", 1, "applied")) == [
        ("e1", "applied", False), ("e2", "applied", False),
    ]  # fmt: skip


def test_contradictions_of_one_instant_are_taken_in_the_order_of_the_states() -> None:
    assert path(status("e2", 0, "interview"), status("e1", 0, "screening"), status("e0", 0, "applied")) == [
        ("e0", "applied", False), ("e1", "screening", False), ("e2", "interview", False),
    ]  # fmt: skip


def test_nothing_follows_a_final_state() -> None:
    for final in ("declined", "rejected", "withdrawn"):
        assert path(status("e1", 0, final), status("e2", 1, "interview"))[1] == ("e2", final, True)


def test_an_interview_moves_its_application_where_it_may() -> None:
    talk = {"event_type": "interview", "state": None, "action": "scheduled", "interview_id": "i1"}
    assert path(status("e1", 0, "applied"), status("e2", 1, "", **talk)) == [
        ("e1", "applied", False), ("e2", "interview", False),
    ]  # fmt: skip
    assert path(status("e1", 0, "rejected"), status("e2", 1, "", **talk))[1] == ("e2", "rejected", False)


def test_events_without_an_id_join_the_application_that_the_app_named() -> None:
    rows = [status("e1", 5, "interview", application_id="mine"), status("e2", 0, "applied")]
    assert fold(*rows)["application_id"].to_list() == ["mine", "mine"]
    other = fold(status("e1", 0, "applied"), status("e2", 0, "applied", user_id="u2"))
    assert other["application_id"].n_unique() == 2


def test_jobs_from_elsewhere_are_told_apart_by_what_is_said_of_them() -> None:
    told = [
        status(f"e{n}", n, "applied", job_id=None, title=title, company=company)
        for n, (title, company) in enumerate([("Cook", "A"), ("Cook", "B"), ("Cook", "A"), ("Cook", None)])
    ]
    ids = dict(fold(*told).select("event_id", "application_id").rows())
    assert ids["e0"] == ids["e2"]
    assert len(set(ids.values())) == 3


@pytest.mark.parametrize("n", [1, 2, 3, 1_000])
def test_one_long_timeline_is_folded_like_a_short_one(n: int) -> None:
    rows = [status(f"e{k:05}", k / 100, "interview" if k % 2 else "assessment") for k in range(n)]
    assert [state for _, state, _ in path(*rows)] == ["interview" if k % 2 else "assessment" for k in range(n)]
