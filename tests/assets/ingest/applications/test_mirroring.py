"""Interactions open applications, and applications hide their jobs."""

import datetime as dt

import polars as pl
import pytest

from assets.catalog.counting import count_days
from assets.catalog.folding import fold_days
from assets.erasing.requests import Erasures
from assets.ingest.applications.mirroring import open_applications, record_applications
from assets.ingest.events.store import EventStore
from assets.lake import Lake
from features.schemas.bronze import APPLICATION_LOG, ERASURES, EVENTS
from features.schemas.catalog import INTERACTIONS
from tests.features.applications.test_folding import AS_OF, Row, at, log_of, status


def store_events(lake: Lake, *rows: Row) -> None:
    store = EventStore(lake, Erasures.load(lake))
    store.add(EVENTS.conform(pl.DataFrame(list(rows), schema_overrides=EVENTS.columns)))
    store.flush()


def store_log(lake: Lake, *rows: Row) -> None:
    lake.append_new("bronze", APPLICATION_LOG, log_of(*rows), within=["event_id"])


def event(event_id: str, kind: str, hours: float = 0, job_id: str | None = "hh:1", **fields: object) -> Row:
    known = {"event_id": event_id, "user_id": "u1", "event_type": kind, "occurred_at": at(hours), "job_id": job_id}
    return {**known, **fields}


def interactions(lake: Lake) -> dict[str, tuple[int, int, bool]]:
    limits = {"as_of": AS_OF, "retention_days": 400, "memory_limit": "1GB"}
    count_days(lake, ERASURES.empty(), **limits)  # type: ignore[arg-type]
    fold_days(lake, ERASURES.empty(), **limits)  # type: ignore[arg-type]
    rows = lake.scan("catalog", INTERACTIONS).select("job_id", "n_applies", "weight", "is_applied").collect().rows()
    return {job: (n, weight, applied) for job, n, weight, applied in rows}


def test_saves_and_applications_open_applications_once(lake: Lake) -> None:
    store_events(
        lake, event("e1", "save"), event("e2", "apply", 5), event("e3", "view"), event("e4", "save", is_bot=True),
        event("e5", "save", job_id="hh:2"),
    )  # fmt: skip
    assert open_applications(lake) == 3
    assert open_applications(lake) == 0
    store_events(lake, event("e6", "save", 7, job_id="hh:3"), event("e1", "save"))
    assert open_applications(lake) == 1
    log = lake.scan("bronze", APPLICATION_LOG).collect().sort("event_id")
    assert log["event_id"].to_list() == [f"interaction:e{n}" for n in (1, 2, 5, 6)]
    assert log["state"].to_list() == ["saved", "applied", "saved", "saved"]


def test_a_run_that_died_after_the_rows_looks_again_and_adds_nothing(lake: Lake) -> None:
    store_events(lake, event("e1", "save"))
    open_applications(lake)
    (lake.root / "bronze/.mirrored-events.json").unlink()
    assert open_applications(lake) == 0


def test_an_application_that_only_the_log_tells_of_hides_its_job(lake: Lake) -> None:
    store_events(lake, event("e1", "view"))
    store_log(
        lake,
        status("s1", 1, "applied"),
        status("s2", 3, "interview"),
        status("s3", 1, "saved", job_id="hh:2"),
        status("s4", 1, "withdrawn", job_id="hh:3"),
        status("s5", 1, "rejected", job_id=None, application_id="mine"),
        status("s6", 2, "", event_type="note", state=None, text="x", job_id="hh:4", application_id="mine"),
    )
    assert record_applications(lake) == 3
    assert record_applications(lake) == 0
    assert interactions(lake) == {"hh:1": (1, 16, True), "hh:4": (1, 10, True)}


def test_an_interview_and_an_offer_teach_more_than_an_application_once_each(lake: Lake) -> None:
    talk = {"event_type": "interview", "state": None, "interview_id": "i", "action": "scheduled", "job_id": "hh:2"}
    off = {**talk, "action": "cancelled", "job_id": "hh:3"}
    got = {"event_type": "offer", "state": None, "offer_id": "o", "action": "received", "job_id": "hh:4"}
    store_log(
        lake,
        *(status(f"a{n}", 1, "applied", job_id=f"hh:{n}") for n in range(1, 5)),
        status("s2", 3, "", **talk),
        status("s3", 30, "", **{**talk, "action": "completed"}),
        status("s4", 3, "", **off),
        status("s5", 40, "", **got),
        status("s6", 50, "accepted", job_id="hh:4"),
        status("s7", 60, "interview", job_id="hh:4"),
    )
    record_applications(lake)
    weights = {job: weight for job, (_, weight, _) in interactions(lake).items()}
    assert weights == {"hh:1": 10, "hh:2": 15, "hh:3": 10, "hh:4": 25}


@pytest.mark.parametrize("answered_after_hours", [1, 60])
def test_an_application_that_both_logs_tell_of_counts_once(lake: Lake, answered_after_hours: float) -> None:
    store_events(lake, event("e1", "apply"))
    store_log(lake, status("s1", answered_after_hours, "acknowledged"))
    open_applications(lake)
    assert record_applications(lake) == 0
    assert interactions(lake) == {"hh:1": (1, 10, True)}


def test_an_application_that_the_app_logs_after_the_answer_of_the_same_day_counts_once(lake: Lake) -> None:
    store_log(lake, status("s1", 3, "applied"))
    assert record_applications(lake) == 1
    store_events(lake, event("e1", "apply", 2))
    open_applications(lake)
    assert record_applications(lake) == 0
    assert interactions(lake) == {"hh:1": (1, 10, True)}


def test_an_application_that_interactions_opened_is_not_told_back(lake: Lake) -> None:
    store_events(lake, event("e1", "apply"))
    open_applications(lake)
    assert record_applications(lake) == 0


def test_an_erased_user_opens_nothing(lake: Lake) -> None:
    store_events(lake, event("e1", "apply"), event("e2", "apply", user_id="u2"))
    requests = pl.DataFrame({"user_id": ["u1"], "requested_at": [AS_OF]})
    lake.replace("bronze", ERASURES, ERASURES.conform(requests))
    assert open_applications(lake) == 1
    assert record_applications(lake) == 0


def test_events_of_a_later_run_are_seen_whatever_was_merged(lake: Lake) -> None:
    for n in range(3):
        store_events(lake, event(f"e{n}", "save", n, job_id=f"hh:{n}"))
        assert open_applications(lake) == 1
    day = next(iter(lake.folder("bronze", EVENTS.name).glob("date=*"))).name
    lake.compact("bronze", EVENTS, more_than=1, partition=day)
    assert open_applications(lake) == 0
    assert dt.date.fromisoformat(day.removeprefix("date=")) == at(0).date()


@pytest.mark.parametrize("body", [None, b"", b"[1, 2", b"{}", b"[{}]", bytes(40)])
def test_parts_are_looked_at_once_more_when_the_note_of_them_is_damaged(lake: Lake, body: bytes | None) -> None:
    store_events(lake, event("e1", "save"), event("e2", "apply", 5))
    store_log(lake, status("s1", 0, "applied", job_id="hh:7"))
    assert (open_applications(lake), record_applications(lake)) == (2, 1)
    before = lake.scan("bronze", APPLICATION_LOG).sort("event_id").collect()
    for note in sorted((lake.root / "bronze").glob(".mirrored-*.json")):
        note.unlink()
        if body is not None:
            note.write_bytes(body)
    assert (open_applications(lake), record_applications(lake)) == (0, 0)
    assert lake.scan("bronze", APPLICATION_LOG).sort("event_id").collect().equals(before)
