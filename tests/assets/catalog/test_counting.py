"""Events become counters a day and sums a user and job, and only what changed is counted again."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assets.catalog import folding
from assets.catalog.counting import count_days
from assets.catalog.folding import fold_days
from assets.increments import PARTIAL, WHOLE, LayeredTable, Upkeep
from assets.lake import Lake
from features.interactions import EVENT_WEIGHTS
from features.schemas.bronze import ERASURES, EVENT_TYPES, EVENTS
from features.schemas.catalog import DAILY_INTERACTIONS, DAILY_JOB_COUNTS, INTERACTIONS

DAY = dt.datetime(2026, 2, 27, tzinfo=dt.UTC)
AS_OF = DAY + dt.timedelta(days=2, hours=2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def _event(event_id: str, event_type: str, hours: float = 1, **other: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "user_id": "u",
        "job_id": "hh:1",
        "event_type": event_type,
        "occurred_at": DAY + dt.timedelta(hours=hours),
        **other,
    }


def _write(lake: Lake, *events: dict[str, Any]) -> None:
    frame = pl.DataFrame(list(events), schema_overrides=dict(EVENTS.columns), infer_schema_length=None)
    for (date,), part in EVENTS.conform(frame).group_by(pl.col("occurred_at").dt.date()):
        lake.append("bronze", EVENTS, part, partition=f"date={date}")


def _count(lake: Lake, as_of: dt.datetime = AS_OF, erasures: pl.DataFrame | None = None) -> int:
    requested = ERASURES.empty() if erasures is None else erasures
    return count_days(lake, requested, as_of=as_of, retention_days=400, memory_limit="200MB").n_recounted


def _fold(
    lake: Lake, as_of: dt.datetime = AS_OF, erasures: pl.DataFrame | None = None, upkeep: Upkeep = WHOLE
) -> pl.DataFrame:
    requested = ERASURES.empty() if erasures is None else erasures
    fold_days(lake, requested, as_of=as_of, retention_days=400, memory_limit="200MB", upkeep=upkeep)
    folded = lake.scan("catalog", INTERACTIONS).collect()
    INTERACTIONS.validate(folded)
    return folded


def _one(lake: Lake, *events: dict[str, Any]) -> dict[str, Any]:
    _write(lake, *events)
    _count(lake)
    return _fold(lake).row(0, named=True)


def test_every_event_type_has_a_weight() -> None:
    assert set(EVENT_WEIGHTS) == set(EVENT_TYPES)


def test_counters_and_weights_add_up(lake: Lake) -> None:
    types = ["impression", "view", "click", "save", "share", "apply", "dismiss", "reject", "ignore"]
    row = _one(lake, *(_event(f"e{i}", name) for i, name in enumerate(types)))
    assert row["weight"] == 0 + 1 + 2 + 5 + 3 + 10 - 15
    assert (row["n_impressions"], row["n_applies"], row["n_dismissals"]) == (1, 1, 3)
    assert (row["is_seen"], row["is_saved"], row["is_applied"], row["is_dismissed"]) == (True, True, True, True)


def test_bots_and_events_of_no_job_do_not_count(lake: Lake) -> None:
    row = _one(lake, _event("e1", "view"), _event("e2", "apply", is_bot=True), _event("e3", "click", job_id=None))
    assert row["weight"] == 1


@pytest.mark.parametrize(("n_opened", "n_views"), [(60, 60), (61, 0)])
def test_what_a_script_opens_in_a_minute_does_not_count_but_its_decisions_do(
    lake: Lake, n_opened: int, n_views: int
) -> None:
    opened = [_event(f"e{i}", "view", hours=i / 3600) for i in range(n_opened - 1)]
    row = _one(lake, *opened, _event("last", "view", hours=0.001), _event("a", "apply"), _event("b", "apply", hours=0))
    assert (row["n_views"], row["n_applies"]) == (n_views, 2)


def test_an_erasure_splits_its_day(lake: Lake) -> None:
    _write(lake, _event("e1", "view"), _event("e2", "click", hours=3), _event("e3", "view", hours=25))
    assert _count(lake) == 2
    erasures = pl.DataFrame(
        {"user_id": ["u"], "requested_at": [DAY + dt.timedelta(hours=2)]}, schema=dict(ERASURES.columns)
    )
    assert (_count(lake, erasures=erasures), _count(lake, erasures=erasures)) == (1, 0)
    assert _fold(lake, erasures=erasures).select("n_views", "n_clicks").rows() == [(1, 1)]


def test_feedback_counts_by_flag_or_rating(lake: Lake) -> None:
    row = _one(
        lake,
        _event("e1", "feedback", is_relevant=True),
        _event("e2", "feedback", rating=5),
        _event("e3", "feedback", rating=3),
        _event("e4", "feedback", is_relevant=False, rating=5),
        _event("e5", "feedback", rating=1),
    )
    assert (row["n_relevant"], row["n_not_relevant"], row["weight"]) == (2, 2, 3 + 3 - 5 - 5)
    assert row["is_dismissed"]


def test_reading_time_is_capped_per_event(lake: Lake) -> None:
    row = _one(
        lake,
        _event("e1", "view", dwell_seconds=9_000.0),
        _event("e2", "view", dwell_seconds=0.25),
        _event("e3", "view", dwell_seconds=-4.0),
    )
    assert row["dwell_seconds"] == 600.25


@pytest.mark.parametrize(
    ("order", "is_saved", "weight"),
    [
        (["save"], True, 5),
        (["save", "unsave"], False, 0),
        (["save", "unsave", "save"], True, 5),
        (["unsave"], False, 0),
    ],
)
def test_an_unsave_cancels_the_save_and_no_more(lake: Lake, order: list[str], is_saved: bool, weight: int) -> None:
    row = _one(lake, *(_event(f"e{i}", name, hours=20 + 3 * i) for i, name in enumerate(order)))
    assert (row["is_saved"], row["weight"]) == (is_saved, weight)


def test_only_a_changed_day_is_counted_again(lake: Lake) -> None:
    _write(lake, _event("e1", "view"), _event("e2", "view", hours=25))
    assert _count(lake) == 2
    assert _count(lake) == 0
    assert _count(lake, AS_OF + dt.timedelta(hours=1)) == 0
    _write(lake, _event("e3", "view", hours=26))
    assert _count(lake) == 1
    assert _fold(lake)["n_views"].to_list() == [3]


def test_a_replay_knows_nothing_later_than_five_minutes(lake: Lake) -> None:
    _write(lake, _event("e1", "view", hours=1), _event("e2", "view", hours=2), _event("e3", "view", hours=30))
    past = DAY + dt.timedelta(hours=1, minutes=56)
    _count(lake)
    assert (_count(lake, past), _fold(lake, past)["n_views"].to_list()) == (0, [2])
    past -= dt.timedelta(minutes=2)
    assert (_count(lake, past), _fold(lake, past)["n_views"].to_list()) == (1, [1])
    assert _count(lake, past) == 0
    assert (_count(lake), _fold(lake)["n_views"].to_list()) == (1, [3])


def test_the_same_run_again_writes_the_same_bytes(lake: Lake) -> None:
    _write(lake, *(_event(f"e{i}", "view", user_id=f"u{i % 7}", dwell_seconds=i / 3) for i in range(200)))
    _count(lake)
    _fold(lake)
    before = lake.file("catalog", "interactions").read_bytes()
    _fold(lake)
    assert lake.file("catalog", "interactions").read_bytes() == before


def test_days_out_of_retention_and_days_without_events_are_removed(lake: Lake) -> None:
    _write(lake, _event("e1", "view"), _event("e2", "view", hours=-24 * 500), _event("e3", "view", hours=25))
    _count(lake)
    assert _fold(lake)["n_views"].to_list() == [2]
    for path in lake.folder("bronze", "events").glob("date=2026-02-28/*"):
        path.unlink()
    _count(lake)
    assert lake.scan("catalog", DAILY_INTERACTIONS).collect()["date"].to_list() == [DAY.date()]


def test_what_an_erased_user_did_before_is_left_out(lake: Lake) -> None:
    _write(lake, _event("e1", "view"), _event("e2", "view", hours=30), _event("e3", "view", user_id="v"))
    _count(lake)
    erasures = pl.DataFrame(
        {"user_id": ["u"], "requested_at": [DAY + dt.timedelta(hours=20)]}, schema=dict(ERASURES.columns)
    )
    assert _fold(lake, erasures=erasures).select("user_id", "n_views").rows() == [("u", 1), ("v", 1)]


def test_a_request_that_came_between_counting_and_summing_is_heeded_by_the_next_run(lake: Lake) -> None:
    _write(lake, _event("v", "view", user_id="v"))
    _count(lake)
    _fold(lake)
    _write(lake, _event("before", "apply", 9), _event("after", "view", 12))
    _count(lake)
    erasures = pl.DataFrame(
        {"user_id": ["u"], "requested_at": [DAY + dt.timedelta(hours=10)]}, schema=dict(ERASURES.columns)
    )
    _fold(lake, erasures=erasures, upkeep=PARTIAL)
    _count(lake, erasures=erasures)
    found = _fold(lake, erasures=erasures, upkeep=PARTIAL).filter(user_id="u")
    assert found.select("n_applies", "n_views").rows() == [(0, 1)]


def test_what_a_killed_run_spilled_goes_with_the_next_run_though_that_spills_nothing(lake: Lake) -> None:
    _write(lake, _event("1", "view"))
    spilled = [lake.root / ".duckdb" / name for name in ("of-a-run/duckdb_temp_1.tmp", "duckdb_temp_2.tmp")]
    spilled[0].parent.mkdir(parents=True)
    for path in spilled:
        path.write_text("u")
    _count(lake)
    assert [path for path in spilled if path.exists()] == []


def test_no_events_are_no_interactions(lake: Lake) -> None:
    assert _count(lake) == 0
    assert _fold(lake).is_empty()


def test_the_fold_is_the_same_in_however_many_ranges_of_users(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    users = ["", "a", "b", "u", "u1", "u10", "u2", "z", "é", "я", "\U0010fffd"]
    kinds = ("view", "save", "unsave", "apply", "feedback")
    _write(
        lake,
        *(
            _event(
                f"{user}-{n}",
                kinds[n % 5],
                5.0 * n,
                user_id=user,
                job_id=f"hh:{n % 3}",
                rating=n % 6,
                dwell_seconds=0.1,
            )
            for n in range(9)
            for user in users
        ),
    )
    _count(lake)
    whole = _fold(lake)
    assert whole.height == 3 * len(users)
    assert whole.equals(whole.sort("user_id", "job_id"))
    for n_rows in (1, 4, 10):
        monkeypatch.setattr(folding, "_ROWS_OF_A_RANGE", n_rows)
        assert_frame_equal(_fold(lake), whole, check_exact=True)


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_users_who_acted_are_summed_in_blocks(lake: Lake, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    _write(lake, *(_event(f"{user}{n}", "view", 20.0 * n, user_id=user) for n in range(3) for user in "abcde"))
    _count(lake)
    _fold(lake)
    _write(lake, *(_event(f"{user}-new", "save", 41, user_id=user, job_id="hh:2") for user in "acf"))
    _count(lake)
    monkeypatch.setattr(folding, "MOST_USERS", at_once)
    by_blocks = _fold(lake, upkeep=PARTIAL).sort("user_id", "job_id")
    assert LayeredTable(lake, "catalog", INTERACTIONS, INTERACTIONS.key).sequence == 1
    monkeypatch.setattr(folding, "_FEW_USERS", -1)
    _write(lake, _event("another", "view", 41, user_id="b"))
    _count(lake)
    whole = _fold(lake, upkeep=PARTIAL)
    assert LayeredTable(lake, "catalog", INTERACTIONS, INTERACTIONS.key).newest() is None
    others = pl.col("user_id") != "b"
    assert_frame_equal(by_blocks.filter(others), whole.filter(others), check_exact=True)


def test_job_counts_are_the_days_summed_over_users(lake: Lake) -> None:
    kinds = ("impression", "view", "apply", "dismiss")
    events = [
        _event(f"{user}{job}{n}", kinds[n], 7.0 * n, user_id=user, job_id=job)
        for user in "abc"
        for job in ("x", "y")
        for n in range(4)
    ]
    _write(lake, *events)
    _count(lake)
    _write(lake, _event("late", "apply", 8, user_id="d", job_id="x"))
    _count(lake)
    counters = ["n_impressions", "n_applies", "n_dismissals", "weight"]
    daily = lake.scan("catalog", DAILY_INTERACTIONS)
    summed = daily.group_by("date", "job_id").agg(pl.col(counters).cast(pl.Int64).sum(), pl.col("last_at").max())
    counted = lake.scan("catalog", DAILY_JOB_COUNTS).collect()
    assert_frame_equal(counted, summed.select(counted.columns).collect(), check_row_order=False)
    assert counted.filter(job_id="x")["n_applies"].sum() == 4
