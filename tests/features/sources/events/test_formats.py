"""What real writers make of the formats: encodings, delimiters, column types, damage."""

import datetime as dt
import gzip
import json
import math
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from features.schemas.bronze import EVENTS
from features.sources.events.files import read_events
from features.sources.parsed import REJECTS, Parsed

AS_OF = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
EVENT = {
    "event_id": "e1", "user_id": "u1", "event_type": "view", "occurred_at": "2026-11-20T09:00:00Z", "job_id": "hh:1",
    "dwell_seconds": 30.0,
}  # fmt: skip
HEAD = "event_id,user_id,event_type,occurred_at,job_id,note\n"
SEGMENT = {
    "type": "track", "messageId": "m1", "userId": "u1", "event": "Job Viewed", "timestamp": "2026-11-20T09:00:00Z",
    "properties": {"job_id": "hh:1"},
}  # fmt: skip


def read(folder: Path, body: bytes | None, *, name: str = "a.jsonl") -> Parsed:
    path = folder / name
    if body is not None:
        path.write_bytes(body)
    blocks = list(read_events(path, as_of=AS_OF))
    rows = pl.concat([EVENTS.empty(), *(block.rows for block in blocks)])
    return Parsed(rows, pl.concat([REJECTS.empty(), *(block.rejects for block in blocks)]))


def read_table(folder: Path, **changes: Any) -> Parsed:
    """Two events in Parquet, with columns replaced."""
    columns = {name: [value, value] for name, value in EVENT.items()} | {"event_id": ["e1", "e2"]} | changes
    pq.write_table(pa.table(columns), folder / "a.parquet")
    return read(folder, None, name="a.parquet")


def reasons(parsed: Parsed) -> list[tuple[str, str]]:
    return parsed.rejects.select("entry", "reason").rows()


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({**EVENT, "value": math.nan}),
        json.dumps({**EVENT, "value": -math.inf, "title": "cut \ud83d"}),
        json.dumps({**EVENT, "session_id": "\ud83d"}),
        json.dumps(EVENT).replace("30.0", "1e400"),
        json.dumps(EVENT).replace("30.0", "9" * 400),
        json.dumps({**EVENT, "position": 10**30}),
        json.dumps({**EVENT, "properties": {"deep": [[[[{}]]]]}}),
    ],
)
def test_a_field_that_json_should_not_have_costs_no_event(tmp_path: Path, line: str) -> None:
    assert read(tmp_path, line.encode()).rows["event_id"].to_list() == ["e1"]


def test_an_epoch_beyond_any_float_is_a_bad_time(tmp_path: Path) -> None:
    assert reasons(read(tmp_path, json.dumps({**EVENT, "occurred_at": 10**400}).encode())) == [("line 1", "bad_time")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_marks_and_line_ends_of_other_systems_are_read(tmp_path: Path, encoding: str, end: str) -> None:
    text = json.dumps(EVENT) + end + json.dumps({**EVENT, "event_id": "я"}, ensure_ascii=False) + end
    body = ("\ufeff" if encoding == "utf-16-be" else "") + text
    assert read(tmp_path, body.encode(encoding)).rows["event_id"].to_list() == ["e1", "я"]


def many(n: int) -> bytes:
    made = ({**EVENT, "event_id": f"e{i}", "session_id": f"{i * 7919:x}"} for i in range(n))
    return b"".join(json.dumps(one).encode() + b"\n" for one in made)


@pytest.mark.parametrize(("name", "compress"), [("a.jsonl.gz", gzip.compress), ("a.jsonl.zst", zstandard.compress)])
def test_a_compressed_file_that_was_cut_off_says_so_after_its_good_events(
    tmp_path: Path, name: str, compress: Any
) -> None:
    whole = compress(many(20_000))
    parsed = read(tmp_path, whole[: len(whole) // 2], name=name)
    assert 5_000 < parsed.rows.height < 20_000
    assert parsed.rejects["reason"].to_list() == ["unreadable"]
    followed = read(tmp_path, whole + b"something else", name=name)
    assert (followed.rows.height, followed.rejects["reason"].to_list()) == (20_000, ["unreadable"])


def test_a_quoted_field_of_csv_may_hold_line_breaks_quotes_and_delimiters(tmp_path: Path) -> None:
    body = HEAD + 'e1,u1,view,1795165200,a,"one\ntwo, ""three""\n\nfour"\r\ne2,u1,view,1795165200,a,\n'
    parsed = read(tmp_path, body.encode(), name="a.csv")
    assert (parsed.rows["event_id"].to_list(), reasons(parsed)) == (["e1", "e2"], [])


def test_a_quote_that_never_closes_takes_no_whole_record_with_it(tmp_path: Path) -> None:
    body = HEAD + 'e1,u1,view,1795165200,a,"open\nmore\ne2,u1,view,1795165200,a,"b"\ne3,u1,view,1795165200,"a'
    parsed = read(tmp_path, body.encode(), name="a.csv")
    assert parsed.rows["event_id"].to_list() == ["e2"]
    assert [entry for entry, _ in reasons(parsed)] == ["line 2", "line 3", "line 5"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_header_decides_the_delimiter_of_csv(tmp_path: Path, delimiter: str) -> None:
    body = (HEAD + "e1,u1,view,1795165200,a,b\n").replace(",", delimiter)
    assert read(tmp_path, body.encode("utf-16"), name="a.csv").rows["event_id"].to_list() == ["e1"]


def test_a_csv_file_without_our_columns_gives_a_reject_a_line(tmp_path: Path) -> None:
    assert reasons(read(tmp_path, b"x;y\n1;2\n", name="a.csv")) == [("line 2", "missing_event_id")]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1795165200, 1795165200]),
        pa.array([1795165200000, 1795165200000], pa.timestamp("ms")),
        pa.array([1795165200000000000] * 2, pa.timestamp("ns", "Europe/Moscow")),
        pa.array(["1795165200000"] * 2).dictionary_encode(),
        pa.array([b"2026-11-20T12:00:00+03:00"] * 2),
        pa.array([Decimal("1795165200.000")] * 2),
    ],
)
def test_times_in_parquet_are_read_in_whatever_type(tmp_path: Path, column: Any) -> None:
    found = read_table(tmp_path, occurred_at=column).rows["occurred_at"].unique().to_list()
    assert found == [dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([math.nan, math.inf]), [None, 600.0]),
        (pa.array([None, None], pa.null()), [None, None]),
        (pa.array([dt.timedelta(seconds=5)] * 2), [5.0, 5.0]),
        (pa.array([Decimal("1.5"), Decimal("9e20")], pa.decimal128(38, 3)), [1.5, 600.0]),
        (pa.array([{"seconds": 5}] * 2), [None, None]),
    ],
)
def test_numbers_in_parquet_are_read_in_whatever_type(tmp_path: Path, column: Any, expected: list[object]) -> None:
    assert read_table(tmp_path, dwell_seconds=column).rows["dwell_seconds"].to_list() == expected


def test_binary_ids_in_parquet_are_text_or_hexadecimal(tmp_path: Path) -> None:
    given = pa.array([b"e1", b"\xff\x00"])
    assert read_table(tmp_path, event_id=given).rows["event_id"].to_list() == ["e1", "ff00"]
    broken = pa.Array.from_buffers(pa.string(), 2, given.buffers())
    assert read_table(tmp_path, event_id=broken).rows["event_id"].to_list() == ["e1", "ff00"]
    ids = [uuid.UUID(int=1), uuid.UUID(int=2)]
    fixed = pa.array([one.bytes for one in ids], pa.binary(16))
    assert read_table(tmp_path, event_id=fixed).rows["event_id"].to_list() == [str(one) for one in ids]


def test_times_beyond_the_calendar_in_parquet_are_bad_and_not_read_as_milliseconds(tmp_path: Path) -> None:
    parsed = read_table(tmp_path, occurred_at=pa.array([10**12, 1795165200], pa.timestamp("s")))
    assert (parsed.rows["event_id"].to_list(), reasons(parsed)) == (["e2"], [("row 1", "bad_time")])


def test_columns_are_known_in_capitals_and_odd_flags_are_null(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({name.upper(): [value] for name, value in EVENT.items()} | {"IS_BOT": [2.5]}), tmp_path / "a.parquet"
    )
    assert read(tmp_path, None, name="a.parquet").rows.select("event_id", "is_bot").row(0) == ("e1", False)


def test_damage_in_one_row_group_takes_no_other_with_it(tmp_path: Path) -> None:
    n = 30_000
    columns = {name: [value] * n for name, value in EVENT.items()} | {"event_id": [f"{i * 7919:x}" for i in range(n)]}
    pq.write_table(pa.table(columns), tmp_path / "whole.parquet", row_group_size=n // 3)
    body = bytearray((tmp_path / "whole.parquet").read_bytes())
    middle = len(body) // 2
    body[middle : middle + 1000] = b"\xff" * 1000
    parsed = read(tmp_path, bytes(body), name="a.parquet")
    assert (parsed.rows.height, reasons(parsed)) == (n // 3 * 2, [("rows 10001 to 20000", "unreadable")])


def test_a_segment_batch_gives_its_calls_one_by_one(tmp_path: Path) -> None:
    crawler = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    person = {"userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"}
    calls = [
        SEGMENT,
        {**SEGMENT, "messageId": "m2", "context": person},
        {"type": "page"},
        5,
        {**SEGMENT, "userId": None},
    ]
    parsed = read(tmp_path, json.dumps({"batch": calls, "context": crawler}).encode())
    assert parsed.rows.select("event_id", "is_bot").rows() == [("m1", True), ("m2", False)]
    assert reasons(parsed) == [
        ("line 1 event 3", "missing_event_id"),
        ("line 1 event 4", "not_an_object"),
        ("line 1 event 5", "missing_user_id"),
    ]
    assert "Job Viewed" in parsed.rejects["raw"][2] and "m2" not in parsed.rejects["raw"][2]


@pytest.mark.parametrize(
    ("name", "event_type"),
    [
        ("Job Application Submitted", "apply"), ("Vacancy Applied", "apply"), ("Job Card Clicked", "click"),
        ("Job Feedback Given", "feedback"), ("Job Application Started", None), ("Apply Button Clicked", None),
        ("Job Search Clicked", None), ("Removed Saved Job", None),
    ],
)  # fmt: skip
def test_segment_names_are_mapped_only_if_they_mean_one_of_our_events(
    tmp_path: Path, name: str, event_type: str | None
) -> None:
    found = read(tmp_path, json.dumps({**SEGMENT, "event": name}).encode()).rows["event_type"].to_list()
    assert found == ([event_type] if event_type else [])


@pytest.mark.parametrize(
    ("said", "is_bot"),
    [
        ({"is_bot": True}, True),
        ({"is_prefetch": "true"}, True),
        ({"sec_purpose": "prefetch;prerender"}, True),
        ({"user_agent": "curl/8.5.0"}, True),
        (
            {"user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0.0.0 Safari/537.36"},
            True,
        ),
        (
            {"user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) Safari/604.1", "sec_purpose": ""},
            False,
        ),
        ({"user_agent": 5, "is_prefetch": False}, False),
        ({}, False),
    ],
)
def test_bots_and_prefetches_are_kept_and_marked(tmp_path: Path, said: dict[str, object], is_bot: bool) -> None:
    assert read(tmp_path, json.dumps({**EVENT, **said}).encode()).rows["is_bot"].to_list() == [is_bot]
