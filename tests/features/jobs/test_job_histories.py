"""Whether a job is open after any history of sightings, ends and versions, against a slow obvious reading of it."""

import datetime as dt
from dataclasses import dataclass

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.jobs.versions import fold_jobs
from features.schemas.bronze import SIGHTINGS
from features.schemas.catalog import JOB_VERSIONS, JOBS

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
STALE = pl.DataFrame({"source": ["board"], "days": [30]})
STALE_DAYS = {"board": 30, "other": 60}


def _day(number: int) -> dt.datetime:
    return START + dt.timedelta(days=number)


@dataclass(frozen=True)
class Event:
    """What one run learned of the job: `seen` unchanged, `gone`, or a new `version` with these properties."""

    day: int
    kind: str
    is_archived: bool = False
    is_complete: bool = True
    closed_day: int | None = None
    expires_day: int | None = None


_DAYS = st.integers(0, 100)
_VERSION = st.builds(
    Event,
    day=_DAYS,
    kind=st.just("version"),
    is_archived=st.sampled_from([False, False, False, True]),
    is_complete=st.booleans(),
    closed_day=st.sampled_from([None, None, None, 10, 50, 90]),
    expires_day=st.one_of(st.none(), st.integers(0, 140)),
)
_SIGHT = st.builds(Event, day=_DAYS, kind=st.sampled_from(["seen", "seen", "seen", "gone"]))


@st.composite
def _histories(draw: st.DrawFn) -> list[Event]:
    """Runs on different days, the first of which saw the job for the first time."""
    first = draw(_VERSION)
    others = draw(st.lists(st.one_of(_VERSION, _SIGHT, _SIGHT), max_size=8, unique_by=lambda event: event.day))
    later = [event for event in others if event.day > first.day]
    return [first, *sorted(later, key=lambda event: event.day)]


def _fold(history: list[Event], *, source: str, as_of: dt.datetime) -> pl.DataFrame:
    versions = [
        {
            "job_id": f"{source}:1",
            "source": source,
            "source_id": "1",
            "content_hash": f"version of day {event.day}",
            "seen_at": _day(event.day),
            "is_complete": event.is_complete,
            "is_archived": event.is_archived,
            "closed_at": None if event.closed_day is None else _day(event.closed_day),
            "expires_at": None if event.expires_day is None else _day(event.expires_day),
            "title": "Welder",
        }
        for event in history
        if event.kind == "version"
    ]
    sightings = [
        {"job_id": f"{source}:1", "source": source, "seen_at": _day(event.day), "is_gone": event.kind == "gone"}
        for event in history
    ]
    frame = pl.DataFrame(versions, schema_overrides=dict(JOB_VERSIONS.columns), infer_schema_length=None)
    jobs = fold_jobs(
        JOB_VERSIONS.conform(frame).lazy(),
        pl.DataFrame(sightings, schema=dict(SIGHTINGS.columns)).lazy(),
        as_of=as_of,
        stale_after_days=STALE,
        default_days=60,
    )
    JOBS.validate(jobs)
    return jobs


def _obvious_status(history: list[Event], *, source: str, as_of: dt.datetime) -> str:
    """The rules one after the other."""
    known = [event for event in history if _day(event.day) <= as_of]
    last = known[-1]
    current = [event for event in known if event.kind == "version"][-1]
    whole = [event for event in known if event.kind == "version" and event.is_complete]
    expires_day = current.expires_day
    if expires_day is None and not current.is_complete and whole:
        expires_day = whole[-1].expires_day  # a search page does not repeat it
    last_seen = [event for event in known if event.kind != "gone"][-1]
    if last.kind == "gone" or current.is_archived:
        return "closed"
    if current.closed_day is not None and _day(current.closed_day) <= as_of:
        return "closed"
    if expires_day is not None and _day(expires_day) <= as_of:
        return "expired"
    if _day(last_seen.day) + dt.timedelta(days=STALE_DAYS[source]) <= as_of:
        return "expired"
    return "open"


@settings(max_examples=150, deadline=None)
@given(_histories(), st.sampled_from(["board", "other"]), st.integers(0, 200))
def test_a_job_is_open_just_when_the_rules_say_so(history: list[Event], source: str, day: int) -> None:
    as_of = _day(max(day, history[0].day))
    job = _fold(history, source=source, as_of=as_of).row(0, named=True)
    assert job["status"] == _obvious_status(history, source=source, as_of=as_of)
    assert (job["closed_at"] is None) == (job["status"] == "open")
    assert job["closed_at"] is None or job["closed_at"] <= as_of
    assert job["first_seen_at"] == _day(history[0].day)
    assert job["first_seen_at"] <= job["last_seen_at"] <= as_of


@settings(max_examples=60, deadline=None)
@given(_histories(), st.integers(1, 20))
def test_a_run_that_sees_the_job_again_opens_it(history: list[Event], later: int) -> None:
    day = history[-1].day + later
    again = Event(day, "version", expires_day=day + 30)
    assert _fold([*history, again], source="board", as_of=_day(day))["status"].to_list() == ["open"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=8, unique=True), st.integers(0, 29))
def test_absence_alone_closes_nothing_before_the_job_is_stale(days: list[int], absent: int) -> None:
    """Runs that failed, or did not list the job, leave no trace: however many, it stays open until it is stale."""
    first, *others = sorted(days)
    history = [Event(first, "version"), *(Event(day, "seen") for day in others)]
    last = max(days)
    assert _fold(history, source="board", as_of=_day(last + absent))["status"].to_list() == ["open"]
    assert _fold(history, source="board", as_of=_day(last + 30))["status"].to_list() == ["expired"]
    assert _fold(history, source="other", as_of=_day(last + 30))["status"].to_list() == ["open"]
