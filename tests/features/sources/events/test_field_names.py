"""Names of fields in files of others, and what is taken for granted of events that leave something out."""

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from features.sources.events.field_names import own_names
from features.sources.events.files import read_events
from features.sources.events.validation import INPUT_COLUMNS, NO_RULES, EventRules
from features.sources.parsed import Parsed

AS_OF = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
AT = "2026-03-01T10:00:00Z"
OURS = {"event_id": "e1", "user_id": "u1", "event_type": "view", "occurred_at": AT, "job_id": "j1", "position": 3}
SPELLINGS = [
    ("event_id", "user_id", "event_type", "occurred_at", "job_id", "position"),
    ("Event ID", "User ID", "Event Type", "Occurred At", "Job ID", "Position"),
    ("eventId", "userId", "eventType", "occurredAt", "jobId", "position"),
    ("EVENT-ID", "USER-ID", "EVENT-TYPE", "OCCURRED-AT", "JOB-ID", "RANK"),
    ("uuid", "uid", "event", "timestamp", "vacancy_id", "rank"),
    ("event.id", "user.id", "action", "ts", "posting id", "Position"),
]


def written(path: Path, events: list[dict[str, object]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
    elif path.suffix == ".csv":
        names = list(events[0])
        lines = [",".join(str(event[name]) for name in names) for event in events]
        path.write_text("\n".join([",".join(names), *lines]) + "\n")
    else:
        pl.DataFrame(events).write_parquet(path)
    return path


def read(path: Path, rules: EventRules = NO_RULES) -> Parsed:
    pieces = list(read_events(path, as_of=AS_OF, rules=rules))
    return Parsed(pl.concat([piece.rows for piece in pieces]), pl.concat([piece.rejects for piece in pieces]))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_fields_are_known_in_every_usual_spelling(tmp_path: Path, spelling: tuple[str, ...], suffix: str) -> None:
    event: dict[str, object] = dict(zip(spelling, OURS.values(), strict=True))
    more: list[dict[str, object]] = [{**event, spelling[0]: f"e{n}"} for n in range(100)]
    found = read(written(tmp_path / f"a{suffix}", more))
    assert found.rejects.rows() == []
    assert found.rows.height == 100
    row = found.rows.row(0, named=True)
    assert {name: row[name] for name in ("user_id", "event_type", "job_id", "position")} == {
        "user_id": "u1", "event_type": "view", "job_id": "j1", "position": 3,
    }  # fmt: skip


@pytest.mark.parametrize("others", [0, 1, 9])
@pytest.mark.parametrize(("ours", "theirs"), [pair for one in SPELLINGS[1:] for pair in zip(OURS, one, strict=True)])
def test_one_name_in_another_spelling_is_known_among_ours(tmp_path: Path, ours: str, theirs: str, others: int) -> None:
    mixed: dict[str, object] = {theirs if name == ours else name: value for name, value in OURS.items()}
    all_ours: list[dict[str, object]] = [{**OURS, "event_id": f"e{n + 2}"} for n in range(others)]
    found = read(written(tmp_path / "a.jsonl", [mixed, *all_ours, {**mixed, "more": {"colour": 1}}]))
    assert found.rejects.rows() == []
    kept = found.rows.select("user_id", "event_type", "job_id", "position", pl.col("occurred_at").dt.date())
    assert set(kept.rows()) == {("u1", "view", "j1", 3, dt.date(2026, 3, 1))}
    assert kept.height == others + 2


def test_ids_are_as_written_among_unknown_fields(tmp_path: Path) -> None:
    untidy: dict[str, object] = {**OURS, "user_id": "u\u00071", "more": 1}
    found = read(written(tmp_path / "a.jsonl", [untidy, {**untidy, "uid": "u1"}]))
    assert found.rejects["reason"].to_list() == ["bad_user_id", "bad_user_id"]


def test_our_own_name_counts_before_another_of_the_same_field() -> None:
    assert own_names(["time", "timestamp", "occurred_at", "Occurred At"]) == {"occurred_at": "occurred_at"}
    assert own_names(["ts", "occurredAt"]) == {"occurredAt": "occurred_at"}
    assert own_names(["ts", "time"]) == {"ts": "occurred_at"}
    assert own_names(["colour", ""]) == {}


def test_every_column_is_known_by_itself() -> None:
    assert own_names(INPUT_COLUMNS) == {name: name for name in INPUT_COLUMNS}


@pytest.mark.parametrize(
    ("written_as", "timezone", "expected"),
    [
        ("2026-03-01T10:00:00", "Europe/Moscow", "2026-03-01T07:00:00"),
        ("2026-03-01 10:00:00.25", "Asia/Almaty", "2026-03-01T05:00:00.250000"),
        ("2026-03-01T10:00:00Z", "Europe/Moscow", "2026-03-01T10:00:00"),
        ("2026-03-01T10:00:00+05:00", "Europe/Moscow", "2026-03-01T05:00:00"),
        ("2025-10-26T02:30:00", "Europe/Berlin", "2025-10-26T00:30:00"),  # twice that night: the first
        ("2025-03-30T02:30:00", "Europe/Berlin", None),  # no such time that night
        ("2026-03-01T10:00:00", None, None),
        ("2026-03-01T10:00:00 or so", "Europe/Moscow", None),
    ],
)
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_times_without_a_zone_are_in_the_configured_one(
    tmp_path: Path, written_as: str, timezone: str | None, expected: str | None, suffix: str
) -> None:
    path = written(tmp_path / f"a{suffix}", [{**OURS, "occurred_at": written_as}])
    found = read(path, EventRules(timezone=timezone))
    at = [row.replace(tzinfo=None).isoformat() for row in found.rows["occurred_at"]]
    assert at == ([expected] if expected is not None else [])
    assert found.rejects["reason"].to_list() == ([] if expected is not None else ["bad_time"])


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_events_without_an_id_get_one_of_what_they_say_if_that_is_asked_for(tmp_path: Path, suffix: str) -> None:
    nameless = {name: value for name, value in OURS.items() if name != "event_id"}
    events = [nameless, {**nameless, "user_id": "u2"}, nameless]
    path = written(tmp_path / f"a{suffix}", events)
    assert read(path).rejects["reason"].to_list() == ["missing_event_id"] * 3
    first, other, again = read(path, EventRules(derives_ids=True)).rows["event_id"].to_list()
    assert first == again != other
    assert first.startswith("derived-")
    assert read(path, EventRules(derives_ids=True)).rows["event_id"].to_list() == [first, other, again]


def test_a_stated_id_stays_where_ids_are_derived(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [OURS, {**OURS, "event_id": None}])
    found = read(path, EventRules(derives_ids=True)).rows["event_id"].to_list()
    assert found[0] == "e1"
    assert found[1].startswith("derived-")
