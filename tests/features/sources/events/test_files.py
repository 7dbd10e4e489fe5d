import gzip
import json
import resource
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from features.schemas.bronze import EVENT_TYPES, EVENTS
from features.sources import lines as lines_module
from features.sources.events.files import read_events
from features.sources.parsed import REJECTS, Parsed

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVENT = {
    "event_id": "e1", "user_id": "u1", "event_type": "View", "occurred_at": "2026-11-20T12:00:00+03:00",
    "job_id": "hh:1", "dwell_seconds": 30, "surface": "feed", "position": 2, "session_id": "s",
}  # fmt: skip


def jsonl(*events: object) -> bytes:
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in events)


def read(folder: Path, body: bytes, *, name: str = "a.jsonl") -> Parsed:
    path = folder / name
    path.write_bytes(body)
    blocks = list(read_events(path, as_of=AS_OF))
    rows = pl.concat([EVENTS.empty(), *(block.rows for block in blocks)])
    return Parsed(rows, pl.concat([REJECTS.empty(), *(block.rejects for block in blocks)]))


def only(parsed: Parsed) -> dict[str, object]:
    assert parsed.rows.height == 1, parsed.rejects
    return parsed.rows.row(0, named=True)


def test_an_event_is_read_with_its_type_in_lower_case_and_its_time_in_utc(tmp_path: Path) -> None:
    row = only(read(tmp_path, jsonl(EVENT)))
    assert (row["event_type"], row["occurred_at"]) == ("view", datetime(2026, 11, 20, 9, tzinfo=UTC))
    assert (row["dwell_seconds"], row["position"], row["surface"], row["is_bot"]) == (30.0, 2, "feed", False)


@pytest.mark.parametrize(
    "written",
    ["2026-11-20T12:00:00+03:00", "2026-11-20T12:00:00+0300", "2026-11-20 09:00:00Z", "2026-11-20t09:00:00.000z",
     1795165200, 1795165200.0, 1795165200000, "1795165200", "1795165200000"],
)  # fmt: skip
def test_times_are_rfc_3339_or_epoch_seconds_or_milliseconds(tmp_path: Path, written: object) -> None:
    assert only(read(tmp_path, jsonl({**EVENT, "occurred_at": written})))["occurred_at"] == datetime(
        2026, 11, 20, 9, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_id": None}, "missing_event_id"),
        ({"event_id": " "}, "missing_event_id"),
        ({"user_id": []}, "missing_user_id"),
        ({"job_id": None}, "missing_job_id"),
        ({"event_type": None}, "missing_event_type"),
        ({"event_type": "purchase"}, "unknown_event_type"),
        ({"occurred_at": None}, "missing_occurred_at"),
        ({"occurred_at": True}, "missing_occurred_at"),
        ({"occurred_at": "yesterday"}, "bad_time"),
        ({"occurred_at": "2026-11-20T09:00:00"}, "bad_time"),
        ({"occurred_at": "2026-02-30T09:00:00Z"}, "bad_time"),
        ({"occurred_at": 1e18}, "bad_time"),
        ({"occurred_at": "2026-11-20T12:05:01Z"}, "future"),
        ({"occurred_at": 946684799}, "too_old"),
        ({"user_id": "u" * 129}, "bad_user_id"),
        ({"user_id": "a\u0007b\u200b"}, "bad_user_id"),
    ],
)
def test_an_event_that_can_not_be_used_says_why(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    parsed = read(tmp_path, jsonl(EVENT, {**EVENT, **change}))
    assert parsed.rows.height == 1
    assert parsed.rejects.select("entry", "reason").rows() == [("line 2", reason)]


def test_five_minutes_of_future_are_tolerated(tmp_path: Path) -> None:
    assert read(tmp_path, jsonl({**EVENT, "occurred_at": "2026-11-20T12:05:00Z"})).rejects.is_empty()


def test_a_user_id_of_128_letters_of_two_bytes_is_allowed(tmp_path: Path) -> None:
    assert only(read(tmp_path, jsonl({**EVENT, "user_id": "я" * 128})))["user_id"] == "я" * 128


def test_numbers_out_of_range_become_null_and_dwell_is_capped(tmp_path: Path) -> None:
    odd = {**EVENT, "latitude": 91, "longitude": 5, "position": -1, "rating": 6, "surface": "moon", "value": "x"}
    rows = read(tmp_path, jsonl({**odd, "dwell_seconds": 5000}, {**odd, "dwell_seconds": -3})).rows
    assert rows["dwell_seconds"].to_list() == [600.0, None]
    assert rows.select("latitude", "longitude", "position", "rating", "surface", "value").row(0) == (None,) * 6


def test_feedback_is_read_from_other_types_too(tmp_path: Path) -> None:
    feedback = {**EVENT, "event_type": "feedback", "is_relevant": "true", "rating": "4", "salary_feedback": "LOW"}
    row = only(read(tmp_path, jsonl(feedback)))
    assert (row["is_relevant"], row["rating"], row["salary_feedback"]) == (True, 4, "low")


def test_a_bad_line_takes_no_good_one_with_it(tmp_path: Path) -> None:
    body = jsonl(EVENT, b'{"event_id": "', b"", b"\xff\xfe", b"[]", b"[" * 50_000, {**EVENT, "event_id": "e2"})
    parsed = read(tmp_path, b"\xef\xbb\xbf" + body + json.dumps({**EVENT, "event_id": "e3"}).encode())
    assert parsed.rows["event_id"].to_list() == ["e1", "e2", "e3"]
    assert dict(parsed.rejects.select("entry", "reason").rows()) == {
        "line 2": "bad_json", "line 4": "bad_json", "line 5": "not_an_object", "line 6": "bad_json",
    }  # fmt: skip


@pytest.mark.parametrize("written", ["Job Viewed", "job_view", "JobViewed", "view"])
def test_segment_track_calls_are_accepted(tmp_path: Path, written: str) -> None:
    call = {
        "type": "track", "messageId": "m1", "userId": "u1", "event": written, "timestamp": "2026-11-20T09:00:00.5Z",
        "properties": {"jobId": "hh:1", "dwellSeconds": 3}, "context": {"device": {"type": "ios"}},
    }  # fmt: skip
    row = only(read(tmp_path, jsonl(call)))
    assert (row["event_id"], row["user_id"], row["event_type"], row["job_id"]) == ("m1", "u1", "view", "hh:1")
    assert (row["dwell_seconds"], row["device_type"]) == (3.0, "ios")


def test_other_segment_calls_and_anonymous_ones_are_refused(tmp_path: Path) -> None:
    page = {"type": "page", "messageId": "m1", "userId": "u1", "timestamp": "2026-11-20T09:00:00Z"}
    anonymous = {
        "messageId": "m2",
        "anonymousId": "x",
        "event": "view",
        "timestamp": 1,
        "properties": {"job_id": "a:1"},
    }
    assert read(tmp_path, jsonl(page, anonymous)).rejects["reason"].to_list() == ["not_a_track_call", "missing_user_id"]


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    events = [
        {**EVENT, "event_id": f"e{n}", "event_type": kind, "is_relevant": n % 2 == 0}
        for n, kind in enumerate(EVENT_TYPES)
    ]
    expected = read(tmp_path, jsonl(*events)).rows
    assert expected.height == len(EVENT_TYPES)
    frame = pl.DataFrame(events)
    frame.write_parquet(tmp_path / "made.parquet")
    instants = pl.col("occurred_at").str.to_datetime("%+", time_unit="us")
    frame.with_columns(instants).write_parquet(tmp_path / "instants.parquet")
    made = {
        "a.jsonl.gz": gzip.compress(jsonl(*events)),
        "a.jsonl.zst": zstandard.compress(jsonl(*events[:5])) + zstandard.compress(jsonl(*events[5:])),
        "a.csv": frame.write_csv().encode(),
        "a.parquet": (tmp_path / "made.parquet").read_bytes(),
        "b.parquet": (tmp_path / "instants.parquet").read_bytes(),
    }
    for name, body in made.items():
        assert read(tmp_path, body, name=name).rows.equals(expected), name


def test_an_open_quote_in_csv_swallows_only_its_line(tmp_path: Path) -> None:
    head = "event_id,user_id,event_type,occurred_at,job_id\n"
    body = head + 'e1,"u1,view,1795165200,a:1\ne2,u1,view,1795165200,a:1\ne3,u1\n'
    parsed = read(tmp_path, body.encode(), name="a.csv")
    assert parsed.rows["event_id"].to_list() == ["e2"]
    assert parsed.rejects["entry"].to_list() == ["line 2", "line 4"]


def test_a_damaged_gzip_keeps_what_came_before_the_damage(tmp_path: Path) -> None:
    events = [{**EVENT, "event_id": f"e{n}", "session_id": f"{n * 7919:x}"} for n in range(5000)]
    whole = gzip.compress(jsonl(*events))
    parsed = read(tmp_path, whole[: len(whole) // 2], name="a.jsonl.gz")
    assert 0 < parsed.rows.height < 5000
    assert parsed.rejects["reason"].to_list() == ["unreadable"]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_that_is_not_of_its_format_is_one_reject(tmp_path: Path, name: str) -> None:
    parsed = read(tmp_path, b"not of that format at all", name=name)
    assert parsed.rows.is_empty() and parsed.rejects["reason"].to_list() == ["unreadable"]


def test_blocks_are_bounded_and_line_numbers_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 3000)
    long = json.dumps({**EVENT, "session_id": "x" * 20_000}).encode()
    events = [{**EVENT, "event_id": f"e{n}"} for n in range(40)]
    body = jsonl(*events[:20], long, *events[20:30], b"bad", *events[30:])
    (tmp_path / "a.jsonl").write_bytes(body)
    blocks = list(read_events(tmp_path / "a.jsonl", as_of=AS_OF))
    assert len(blocks) > 5
    assert pl.concat([block.rows for block in blocks])["event_id"].to_list() == [f"e{n}" for n in range(40)]
    assert [row for block in blocks for row in block.rejects.select("entry", "reason").rows()] == [
        ("line 21", "too_long"),
        ("line 32", "bad_json"),
    ]


def test_many_short_lines_are_read_in_several_blocks_whose_numbers_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "MAX_BLOCK_LINES", 10)
    body = b"x\n" * 25 + b"\n" * 20 + jsonl(EVENT) + b"y"
    (tmp_path / "a.jsonl").write_bytes(body)
    blocks = list(read_events(tmp_path / "a.jsonl", as_of=AS_OF))
    assert max(block.rejects.height for block in blocks) == 10
    entries = [entry for block in blocks for entry in block.rejects["entry"]]
    assert entries == [f"line {n}" for n in (*range(1, 26), 47)]
    assert sum(block.rows.height for block in blocks) == 1


@pytest.mark.parametrize(
    ("name", "compress"), [("a.jsonl.gz", gzip.compress), ("a.jsonl.zst", zstandard.ZstdCompressor().compress)]
)
@pytest.mark.parametrize("filling", [b" ", b"\n", b"x\n"])
def test_a_small_file_that_expands_without_measure_ends_with_one_reject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, compress: Callable[[bytes], bytes], filling: bytes
) -> None:
    monkeypatch.setattr(lines_module, "EXPANDS_FREELY_BYTES", 200_000)
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", 50_000)
    fair = read(tmp_path, compress(jsonl(*({**EVENT, "event_id": f"e{n}"} for n in range(800)))), name=name)
    assert fair.rows.height == 800 and fair.rejects.is_empty()
    parsed = read(tmp_path, compress(jsonl(EVENT) + filling * (1_000_000 // len(filling))), name=name)
    assert parsed.rows["event_id"].to_list() == ["e1"]
    found = parsed.rejects.filter(pl.col("reason") == "unreadable")
    assert found["detail"].to_list() == ["ExpandsTooMuchError"] and parsed.rejects["reason"][-1] == "unreadable"


def _parquet_bomb(kind: str) -> pa.Table:
    rows = 300_000
    columns: dict[str, Any] = {name: pa.array([value] * rows) for name, value in EVENT.items() if name != "event_id"}
    columns["event_id"] = pa.array([f"e{n}" for n in range(rows)])
    if kind == "long text":
        nothing = pa.array([0] * rows, pa.int32())
        columns["session_id"] = pa.DictionaryArray.from_arrays(nothing, pa.array(["x" * 1_000_000]))
    elif kind == "packed text":
        columns["session_id"] = pa.array(["x" * 2_000] * rows)
    else:
        columns = {"event_id": pa.nulls(20_000_000, pa.string())}
    return pa.table(columns)


@pytest.mark.parametrize("kind", ["long text", "packed text", "rows"])
def test_a_small_parquet_file_that_expands_without_measure_ends_with_rejects(tmp_path: Path, kind: str) -> None:
    made = tmp_path / "made.parquet"
    use_dictionary: list[str] | bool = kind != "packed text"
    pq.write_table(_parquet_bomb(kind), made, compression="zstd", use_dictionary=use_dictionary, row_group_size=300_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    parsed = read(tmp_path, made.read_bytes(), name="a.parquet")
    assert parsed.rejects["reason"].unique().to_list() == ["unreadable"]
    assert parsed.rejects["detail"].unique().to_list() == ["ExpandsTooMuchError"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000


def test_dictionaries_of_parquet_files_are_read_like_plain_columns(tmp_path: Path) -> None:
    rows = [{**EVENT, "event_id": f"e{n}", "user_id": f"user{n % 700}" * 3} for n in range(5_000)]
    found = []
    for use_dictionary in (True, False):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "made.parquet", use_dictionary=use_dictionary)
        found.append(read(tmp_path, (tmp_path / "made.parquet").read_bytes(), name="a.parquet").rows)
    assert found[0].height == 5_000 and found[0].equals(found[1])


def test_parquet_columns_of_odd_types_never_stop_the_file(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"event_id": [1, 2], "user_id": [["a"], ["b"]], "event_type": ["view", "view"], "occurred_at": [None, None]}
    )
    frame.write_parquet(tmp_path / "made.parquet")
    parsed = read(tmp_path, (tmp_path / "made.parquet").read_bytes(), name="a.parquet")
    assert parsed.rejects.select("entry", "reason").rows() == [
        ("row 1", "missing_user_id"),
        ("row 2", "missing_user_id"),
    ]


values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6)
)


@given(
    changes=st.dictionaries(st.sampled_from([*EVENTS.columns, "messageId", "properties"]), values | st.lists(values))
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_of_any_type_are_a_row_or_a_reject(tmp_path: Path, changes: dict[str, object]) -> None:
    parsed = read(tmp_path, jsonl(EVENT, {**EVENT, **changes}))
    assert parsed.rows.height + parsed.rejects.height == 2


@given(body=st.binary(max_size=200), suffix=st.sampled_from([".jsonl", ".csv", ".parquet", ".jsonl.gz", ".jsonl.zst"]))
@example(body=b"event_id\n\x00\n\r", suffix=".csv")
@example(body=b"\n\n", suffix=".csv")
@example(body=b"event_id,event_id\n1,2\n", suffix=".csv")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_any_format_never_raise(tmp_path: Path, body: bytes, suffix: str) -> None:
    read(tmp_path, body, name=f"a{suffix}")
