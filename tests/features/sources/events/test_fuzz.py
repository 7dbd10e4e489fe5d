"""Event files mutated: rows or rejects, and never a good event lost with a bad one."""

import datetime as dt
import gzip
import io
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from hypothesis import example, given, reject
from hypothesis import strategies as st

from features.schemas.bronze import EVENTS
from features.sources.events.files import read_events
from features.sources.events.validation import INPUT_COLUMNS
from features.sources.parsed import REJECTS, Parsed
from tests.features.sources.fuzzing import FUZZ, check, dumped, json_bodies, mutated_bytes, nasty_values

AS_OF = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
EVENT = {
    "event_id": "e1", "user_id": "u1", "event_type": "feedback", "occurred_at": "2026-11-20T12:00:00+03:00",
    "job_id": "hh:1", "dwell_seconds": 30, "surface": "feed", "position": 2, "generation": "g", "session_id": "s",
    "device_type": "ios", "latitude": 55.7, "longitude": 37.6, "value": 1.5, "is_relevant": True, "rating": 4,
    "skill_match_feedback": "good", "location_feedback": "bad", "salary_feedback": "low", "user_agent": "curl/8",
    "is_bot": False, "is_prefetch": False, "sec_purpose": "prefetch",
}  # fmt: skip
TRACK = {
    "type": "track", "messageId": "m1", "userId": "u1", "event": "Job Viewed", "timestamp": "2026-11-20T09:00:00.5Z",
    "properties": {"jobId": "hh:1", "dwellSeconds": 3, "rank": 4},
    "context": {"device": {"type": "ios"}, "userAgent": "Mozilla/5.0"},
}  # fmt: skip
BATCH = {"batch": [TRACK, {**TRACK, "messageId": "m2"}, {"type": "identify"}], "sentAt": "2026-11-20T09:00:00Z"}
HEAD = ",".join(EVENT).encode() + b"\n"
CSV_LINE = b",".join(b'"' + str(value).encode() + b'"' for value in EVENT.values())


def read(path: Path, body: bytes) -> Parsed:
    path.write_bytes(body)
    blocks = list(read_events(path, as_of=AS_OF))
    rows = pl.concat([EVENTS.empty(), *(block.rows for block in blocks)])
    return Parsed(rows, pl.concat([REJECTS.empty(), *(block.rejects for block in blocks)]))


def good(name: str) -> bytes:
    return dumped({**EVENT, "event_id": name})


@given(json_bodies(EVENT, TRACK, BATCH), st.sampled_from(["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"]))
@example(body=b'{"batch": []}', name="a.jsonl")
@example(body=b'{"batch": 5, "messageId": {}}', name="a.jsonl")
@FUZZ
def test_lines_of_any_json_lose_no_good_event(tmp_path: Path, body: bytes, name: str) -> None:
    whole = good("good-1") + b"\n" + body + b"\n" + good("good-2")
    compressed = (
        gzip.compress(whole) if name.endswith("gz") else zstandard.compress(whole) if name[-3:] == "zst" else whole
    )
    parsed = check(lambda given: read(tmp_path / name, given), compressed, EVENTS)
    assert {"good-1", "good-2"} <= set(parsed.rows["event_id"])


@given(mutated_bytes((CSV_LINE, CSV_LINE + b"\n" + CSV_LINE, b'e,"a\nb",c')))
@example(b'"')
@example(b'e1,"u1\n"x')
@FUZZ
def test_csv_of_any_lines_loses_no_good_event(tmp_path: Path, body: bytes) -> None:
    first, last = (CSV_LINE.replace(b'"e1"', b'"' + name + b'"') for name in (b"good-1", b"good-2"))
    parsed = check(lambda given: read(tmp_path / "a.csv", given), HEAD + first + b"\n" + body + b"\n" + last, EVENTS)
    assert {"good-1", "good-2"} <= set(parsed.rows["event_id"])


def parquet(columns: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


SAMPLES = {
    "a.jsonl": good("e1") + b"\n" + dumped(TRACK) + b"\n" + dumped(BATCH),
    "a.csv": HEAD + CSV_LINE + b"\n" + CSV_LINE,
    "a.jsonl.gz": gzip.compress(good("e1") * 3),
    "a.jsonl.zst": zstandard.compress(good("e1") + b"\n") + zstandard.compress(good("e2")),
    "a.parquet": parquet({name: [value, value] for name, value in EVENT.items()}),
}


@given(st.sampled_from(sorted(SAMPLES)).flatmap(lambda name: st.tuples(st.just(name), mutated_bytes((SAMPLES[name],)))))
@FUZZ
def test_files_of_any_bytes_are_rows_or_rejects(tmp_path: Path, given_: tuple[str, bytes]) -> None:
    name, body = given_
    check(lambda given: read(tmp_path / name, given), body, EVENTS)


_TYPES = (
    pa.int8(),
    pa.uint64(),
    pa.float32(),
    pa.float64(),
    pa.bool_(),
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.binary(16),
    pa.date32(),
    pa.date64(),
    pa.timestamp("s"),
    pa.timestamp("ms"),
    pa.timestamp("us", "UTC"),
    pa.timestamp("ns"),
    pa.duration("ms"),
    pa.time64("us"),
    pa.decimal128(38, 2),
    pa.null(),
    pa.list_(pa.string()),
    pa.struct({"a": pa.int64()}),
    pa.dictionary(pa.int8(), pa.string()),
    pa.map_(pa.string(), pa.int8()),
)


@st.composite
def odd_columns(draw: st.DrawFn) -> dict[str, Any]:
    """Columns of a table of two events, some of them of another type."""
    columns: dict[str, Any] = {name: [value, value] for name, value in EVENT.items()}
    for name in draw(st.lists(st.sampled_from(INPUT_COLUMNS), max_size=4, unique=True)):
        kind = draw(st.sampled_from(_TYPES))
        number = draw(st.sampled_from([0, 1, -1, 127, 2**31, 2**62, -(2**62)]))
        for values in ([number] * 2, [str(number)] * 2, [b"\xff" * 16, b"a" * 16], [[str(number)], None], [None, None]):
            try:
                columns[name] = pa.array(values).cast(kind, safe=False) if kind != pa.null() else pa.nulls(2)
                break
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
                continue
    return columns


@given(odd_columns())
@FUZZ
def test_parquet_columns_of_any_type_are_rows_or_rejects(tmp_path: Path, columns: dict[str, Any]) -> None:
    try:
        body = parquet(columns)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # what can't be written is no file to read
        reject()
    parsed = check(lambda given: read(tmp_path / "a.parquet", given), body, EVENTS)
    assert parsed.rows.height + parsed.rejects.height == 2, parsed.rejects


@given(st.dictionaries(st.sampled_from(INPUT_COLUMNS), nasty_values))
@FUZZ
def test_every_event_is_one_row_or_one_reject(tmp_path: Path, changes: dict[str, object]) -> None:
    parsed = read(tmp_path / "a.jsonl", dumped({**EVENT, **changes}))
    assert parsed.rows.height + parsed.rejects.height == 1
