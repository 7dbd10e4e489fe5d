"""Events: each once, in the folder of its day, however late, often and in whatever file it comes."""

import datetime as dt
import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.ingest.events.ingest import ingest_events, retry_at
from assets.ingest.events.store import compact_days
from assets.ingest.report import RunReport
from assets.lake import Lake
from assets.parts import current_parts
from features.schemas.bronze import ERASURES, EVENTS, QUARANTINE

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def event(number: int, at: dt.datetime = AS_OF - DAY, **fields: Any) -> dict[str, Any]:
    made = {
        "event_id": f"e{number}",
        "user_id": "u1",
        "event_type": "view",
        "job_id": "hh:1",
        "occurred_at": at.isoformat(),
    }
    return {**made, **fields}


def renamed_time(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {name if key == "occurred_at" else key: value for key, value in given.items()}


def put(landing: Path, name: str, events: Sequence[object]) -> Path:
    path = landing / "interactions" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(e if isinstance(e, str) else json.dumps(e) for e in events) + "\n")
    return path


def run(lake: Lake, landing: Path, *, at: dt.datetime = AS_OF, chunk_rows: int = 1000) -> RunReport:
    report = ingest_events(lake, landing, as_of=at, chunk_rows=chunk_rows)
    report.metadata()
    return report


def ids(lake: Lake) -> list[str]:
    return lake.scan("bronze", EVENTS).collect()["event_id"].sort().to_list()


def counts(report: RunReport) -> tuple[int, int, int, int]:
    found = report.of("interactions")
    return found.n_read, found.n_new, found.n_unchanged, found.n_quarantined


_CSV = "event_id,user_id,event_type,job_id,occurred_at,dwell_seconds\n"


@pytest.mark.parametrize(
    ("name", "head", "line", "cut"),
    [
        ("a.csv", _CSV, "e0,u1,view,hh:12,2026-02-28T02:00:00Z,30", 1),  # 3 of 30 seconds
        ("a.csv", _CSV, "e0,u1,view,hh:12,2026-02-28T02:00:00Z,30", 20),
        ("a.jsonl", "", json.dumps(event(0)), 0),
        ("a.jsonl", "", json.dumps(event(0)), 30),
    ],
)
@pytest.mark.parametrize("seconds", [-20, 0, 590])
def test_a_line_that_is_still_being_written_waits_for_its_end(
    lake: Lake, landing: Path, name: str, head: str, line: str, cut: int, seconds: int
) -> None:
    first, second = line.replace("e0", "e1"), line.replace("e0", "e2")
    path = landing / "interactions" / name
    path.parent.mkdir(parents=True)

    def write(body: str, *, age: dt.timedelta, at: dt.datetime) -> None:
        path.write_text(body)
        changed = (at - age).timestamp()
        os.utime(path, (changed, changed))

    begun = second[: len(second) - cut]
    write(head + first + "\n" + begun, age=dt.timedelta(seconds=seconds), at=AS_OF)
    assert counts(run(lake, landing)) == (1, 1, 0, 0)
    write(head + first + "\n" + second + "\n", age=dt.timedelta(), at=AS_OF + HOUR)
    run(lake, landing, at=AS_OF + HOUR)
    found = lake.scan("bronze", EVENTS).sort("event_id").collect()
    assert found["event_id"].to_list() == ["e1", "e2"] and found["dwell_seconds"].n_unique() == 1
    assert lake.scan("bronze", QUARANTINE).collect().is_empty()


def test_a_last_line_that_never_gets_an_end_is_read_when_the_file_has_not_changed_for_a_while(
    lake: Lake, landing: Path
) -> None:
    path = put(landing, "a.jsonl", [event(1), event(2)])
    path.write_text(path.read_text().rstrip("\n"))
    os.utime(path, (AS_OF.timestamp(), AS_OF.timestamp()))
    run(lake, landing)
    assert ids(lake) == ["e1"]
    assert run(lake, landing, at=AS_OF + dt.timedelta(minutes=5)).n_files_read == 0
    run(lake, landing, at=AS_OF + dt.timedelta(minutes=10))
    assert ids(lake) == ["e1", "e2"]
    assert run(lake, landing, at=AS_OF + HOUR).n_files_read == 0


def test_events_lie_in_the_folder_of_their_utc_day(lake: Lake, landing: Path) -> None:
    at = "2026-02-28T23:30:00-02:00"  # already March in UTC
    put(landing, "a.jsonl", [event(1), event(2, occurred_at=at)])
    run(lake, landing)
    folders = sorted(path.parent.name for path in lake.folder("bronze", "events").rglob("*.parquet"))
    assert folders == ["date=2026-02-28", "date=2026-03-01"]


def test_a_second_run_and_a_file_with_the_same_events_add_nothing(lake: Lake, landing: Path) -> None:
    put(landing, "a.jsonl", [event(1), event(2), event(1)])
    assert counts(run(lake, landing)) == (3, 2, 1, 0)
    assert counts(run(lake, landing)) == (0, 0, 0, 0)
    put(landing, "b.jsonl", [event(2), event(3)])
    before = set(lake.root.rglob("part-*.parquet"))
    assert counts(run(lake, landing, at=AS_OF + HOUR)) == (2, 1, 1, 0)
    assert before < set(lake.root.rglob("part-*.parquet"))
    assert ids(lake) == ["e1", "e2", "e3"]


def test_late_events_add_a_part_to_their_own_day_only(lake: Lake, landing: Path) -> None:
    put(landing, "a.jsonl", [event(1), event(2, AS_OF - 5 * DAY)])
    run(lake, landing)
    before = set(lake.root.rglob("part-*.parquet"))
    put(landing, "b.jsonl", [event(3, AS_OF - 5 * DAY)])
    run(lake, landing, at=AS_OF + HOUR)
    added = set(lake.root.rglob("part-*.parquet")) - before
    assert [path.parent.name for path in added] == ["date=2026-02-24"]


def test_events_of_the_future_wait_until_their_time_has_come(lake: Lake, landing: Path) -> None:
    put(landing, "a.jsonl", [event(1), event(2, AS_OF + 3 * DAY), event(3, AS_OF + dt.timedelta(minutes=5))])
    assert counts(run(lake, landing)) == (3, 2, 0, 1)
    assert counts(run(lake, landing, at=AS_OF + HOUR)) == (0, 0, 0, 0)
    assert counts(run(lake, landing, at=AS_OF + 3 * DAY)) == (3, 1, 2, 0)
    assert counts(run(lake, landing, at=AS_OF + 4 * DAY)) == (0, 0, 0, 0)
    assert ids(lake) == ["e1", "e2", "e3"]
    assert lake.scan("bronze", QUARANTINE).collect()["reason"].to_list() == ["future"]


LATER = AS_OF + 8 * DAY


@pytest.mark.parametrize(
    "future",
    [
        event(2, LATER.astimezone(dt.timezone(5 * HOUR))),
        event(2, occurred_at=LATER.timestamp()),
        event(2, occurred_at=int(LATER.timestamp())),
        event(2, occurred_at=str(int(LATER.timestamp() * 1000))),
        renamed_time(event(2, LATER), "ts"),
        renamed_time(event(2, LATER), "Event Time"),
        {"user_agent": "x" * 5000, **event(2, LATER)},
        {"timestamp": "2001-01-01", **event(2, LATER)},
        {"note": {"occurred_at": "9999-12-31"}, **event(2, LATER)},
        {"type": "track", "messageId": "e2", "userId": "u1", "event": "view", "properties": {"job_id": "hh:1"},
         "timestamp": LATER.isoformat()},
    ],
)  # fmt: skip
def test_a_file_is_read_again_when_its_next_event_has_come_however_the_time_is_written(
    lake: Lake, landing: Path, future: dict[str, Any]
) -> None:
    put(landing, "a.jsonl", [event(1), future])
    assert counts(run(lake, landing)) == (2, 1, 0, 1)
    assert counts(run(lake, landing, at=AS_OF + HOUR)) == (0, 0, 0, 0)
    assert counts(run(lake, landing, at=LATER - HOUR)) == (0, 0, 0, 0)
    assert counts(run(lake, landing, at=LATER)) == (2, 1, 1, 0)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_of_events_wait_for_their_next_event_too(lake: Lake, landing: Path, suffix: str) -> None:
    path = put(landing, f"a.{suffix}", [])
    table = pl.DataFrame([event(1), event(2, LATER)])
    if suffix == "csv":
        table.rename({"occurred_at": "ts"}).write_csv(path)
    else:
        table.with_columns(pl.col("occurred_at").str.to_datetime(time_zone="UTC")).write_parquet(path)
    assert counts(run(lake, landing)) == (2, 1, 0, 1)
    assert counts(run(lake, landing, at=LATER - HOUR)) == (0, 0, 0, 0)
    assert counts(run(lake, landing, at=LATER)) == (2, 1, 1, 0)


def test_only_instants_of_the_future_decide_when_to_read_again() -> None:
    details = ["2026-03-09T01:02:03Z", "9999-12-31T23:59:59Z", "+10000-01-01T00:00:00Z", "2026-03-02T00:00:00Z"]
    rejects = pl.DataFrame({"reason": ["future", "future", "future", "bad_time"], "detail": details})
    assert retry_at(rejects, as_of=AS_OF) == dt.datetime(2026, 3, 9, 1, 2, 3, tzinfo=dt.UTC)
    assert retry_at(rejects[1:], as_of=AS_OF) == dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    assert retry_at(rejects[2:], as_of=AS_OF) is None


def test_bad_lines_go_to_quarantine_with_their_reasons_and_stop_nothing(lake: Lake, landing: Path) -> None:
    bad = ['{"event_id"', "[]", event(8, event_type="sneeze"), event(9, user_id=None), event(10, occurred_at="soon")]
    put(landing, "a.jsonl", [event(1), *bad, event(2)])
    put(landing, "b.txt", [event(3)])
    (landing / "interactions" / "c.jsonl.gz").write_bytes(gzip.compress(json.dumps(event(4)).encode() * 1000)[:-20])
    report = run(lake, landing)
    found = lake.scan("bronze", QUARANTINE).sort("file", "entry").select("file", "entry", "reason").collect().rows()
    assert found[:5] == [
        ("interactions/a.jsonl", "line 2", "bad_json"),
        ("interactions/a.jsonl", "line 3", "not_an_object"),
        ("interactions/a.jsonl", "line 4", "unknown_event_type"),
        ("interactions/a.jsonl", "line 5", "missing_user_id"),
        ("interactions/a.jsonl", "line 6", "bad_time"),
    ]
    assert found[5] == ("interactions/b.txt", "file", "unsupported_format")
    assert {"e1", "e2"} <= set(ids(lake))
    assert report.reasons["unknown_event_type"] == 1


def test_events_of_an_erased_user_do_not_come_back_from_landed_files(lake: Lake, landing: Path) -> None:
    erased = pl.DataFrame({"user_id": ["u1"], "requested_at": [AS_OF - DAY]}, schema=dict(ERASURES.columns))
    lake.replace("bronze", ERASURES, erased)
    old, new, other = event(1, AS_OF - 2 * DAY), event(2, AS_OF - HOUR), event(3, AS_OF - 2 * DAY, user_id="u2")
    put(landing, "a.jsonl", [old, new, other])
    assert counts(run(lake, landing)) == (3, 2, 1, 0)
    assert ids(lake) == ["e2", "e3"]


def test_an_event_that_comes_again_with_another_time_is_known_whatever_its_day(lake: Lake, landing: Path) -> None:
    put(landing, "a.jsonl", [event(1), event(2), event(1, AS_OF - 3 * DAY)])
    assert counts(run(lake, landing)) == (3, 2, 1, 0)
    put(landing, "b.jsonl", [event(2, AS_OF - 9 * DAY), event(1, AS_OF - HOUR), event(3, AS_OF - 9 * DAY)])
    assert counts(run(lake, landing, at=AS_OF + HOUR)) == (3, 1, 2, 0)
    kept = lake.scan("bronze", EVENTS).sort("event_id").select("event_id", "occurred_at").collect().rows()
    assert kept == [("e1", AS_OF - DAY), ("e2", AS_OF - DAY), ("e3", AS_OF - 9 * DAY)]


def test_many_parts_of_a_past_day_become_one_of_the_same_events(lake: Lake, landing: Path) -> None:
    for n in range(5):
        put(landing, f"{n}.jsonl", [event(n, AS_OF - 3 * DAY), event(10 + n, AS_OF - DAY)])
        run(lake, landing, at=AS_OF + n * HOUR)
    assert compact_days(lake, before=(AS_OF - 2 * DAY).date(), more_than=3) == 1
    n_parts = [len(current_parts(folder)) for folder in sorted(lake.folder("bronze", "events").iterdir())]
    assert n_parts == [1, 5]
    assert ids(lake) == sorted(f"e{n}" for n in (*range(5), *range(10, 15)))
    put(landing, "again.jsonl", [event(n, AS_OF - 3 * DAY) for n in range(5)])
    assert counts(run(lake, landing, at=AS_OF + 9 * HOUR)) == (5, 0, 5, 0)
    assert compact_days(lake, before=(AS_OF - 2 * DAY).date(), more_than=3) == 0


def test_ids_are_compared_if_their_hashes_are_equal(lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.ingest.events.store.xxhash.xxh3_64_intdigest", lambda _: 7)
    put(landing, "a.jsonl", [event(n) for n in range(5)])
    run(lake, landing)
    put(landing, "b.jsonl", [event(n, AS_OF - 2 * DAY) for n in range(3, 8)])
    assert counts(run(lake, landing, at=AS_OF + HOUR)) == (5, 3, 2, 0)
    assert ids(lake) == [f"e{n}" for n in range(8)]


def test_a_file_of_bad_lines_only_is_held_in_pieces(lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.sources.lines.BLOCK_BYTES", 200)
    monkeypatch.setattr("assets.ingest.quarantine._FLUSH_REJECTS", 10)
    put(landing, "a.jsonl", ["{bad"] * 200)
    run(lake, landing)
    assert lake.scan("bronze", QUARANTINE).collect().height == 200
    assert len(lake.files("bronze", "quarantine")) > 3


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=12), min_size=1, max_size=4),
    chunk_rows=st.sampled_from([1, 5, 1000]),
)
def test_each_event_is_kept_once_per_day_however_files_are_cut(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[tuple[int, int]]], chunk_rows: int
) -> None:
    root = tmp_path_factory.mktemp("events")
    lake, landing = Lake(root / "lake"), root / "landing"
    for number, events in enumerate(files):
        # The same event always says the same time, as it does when it is sent twice.
        put(landing, f"{number}.jsonl", [event(n, AS_OF - (n % 4) * DAY - HOUR) for n, _ in events])
        run(lake, landing, at=AS_OF + number * HOUR, chunk_rows=chunk_rows)
    assert ids(lake) == sorted({f"e{n}" for events in files for n, _ in events})
    assert not list(lake.root.glob(".tmp-*"))


def test_the_order_of_files_and_blocks_does_not_change_what_is_stored(tmp_path: Path) -> None:
    stored = []
    for chunk_rows in (3, 1000):
        lake, landing = Lake(tmp_path / f"lake{chunk_rows}"), tmp_path / "landing"
        put(landing, "a.jsonl", [event(n, AS_OF - (n % 3) * DAY) for n in range(20)])
        run(lake, landing, chunk_rows=chunk_rows)
        stored.append(
            sorted(
                path.relative_to(lake.root).as_posix() for path in lake.folder("bronze", "events").rglob("*.parquet")
            )
        )
    assert stored[0] == stored[1]
