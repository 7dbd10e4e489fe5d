"""Interaction logs in blocks: JSON lines (plain, gzip, zstd), CSV and Parquet. What is valid is event_rows' matter."""

import csv
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow.parquet as pq

from features.schemas import EVENTS
from features.sources.event_rows import (
    FLAGS,
    IDS,
    LOOSE_EVENTS,
    NUMBERS,
    OPINION_COLUMNS,
    TEXTS,
    check_events,
    rejects_of,
    unreadable,
)
from features.sources.lines import MAX_LINE_BYTES, Block, UnreadableFileError, read_blocks
from features.sources.parsed import Parsed
from features.sources.segment import from_segment, is_segment
from features.sources.values import NotJsonError, decode_json, flag, number, text

PARQUET_BATCH_ROWS = 262_144
_TIMES = ("occurred_text", "occurred_epoch")


class _Event(msgspec.Struct):
    """A line with all values of the expected type; any other line goes the lenient, slower way."""

    event_id: str | None = None
    user_id: str | int | None = None
    event_type: str | None = None
    occurred_at: str | int | float | None = None
    job_id: str | int | None = None
    dwell_seconds: float | None = None
    surface: str | None = None
    position: float | None = None
    generation: str | None = None
    session_id: str | None = None
    device_type: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    value: float | None = None
    is_relevant: bool | None = None
    rating: float | None = None
    skill_match_feedback: str | None = None
    location_feedback: str | None = None
    salary_feedback: str | None = None
    is_bot: bool | None = None
    messageId: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815  Segment's name


_DECODER = msgspec.json.Decoder(_Event)


def read_events(path: Path, *, as_of: datetime) -> Iterator[Parsed]:
    """Blocks of a file's events in the EVENTS schema, with the rejects of the same block; memory stays bounded.

    The format is told by the suffix (.jsonl, .jsonl.gz, .jsonl.zst, .csv, .parquet); Segment `track` calls are read in
    JSON lines. A file that can't be read, or not to its end, gives a last block with one reject `unreadable`.
    """
    if path.suffix == ".parquet":
        yield from _read_parquet(path, as_of=as_of)
        return
    reader = _CsvBlocks() if ".csv" in path.suffixes else _read_json_block
    number_of_lines = 0
    try:
        for block in read_blocks(path):
            number_of_lines = block.first_line
            yield reader(block, as_of=as_of)
    except (UnreadableFileError, OSError) as error:
        yield unreadable(f"after line {number_of_lines}", type(error).__name__)


def _read_json_block(block: Block, *, as_of: datetime) -> Parsed:
    numbers, events, failed = _decode_lines(block)
    rows, refused = check_events(_loose_frame(numbers, events), as_of=as_of)
    refused = _with_failed(refused, failed)
    return Parsed(rows, rejects_of(refused, unit="line", raw=_raw_lines(block, refused)))


def _decode_lines(block: Block) -> tuple[list[int], list[_Event], dict[int, str]]:
    """(line numbers, events, reason by line number). All lines at once where they are all good, else one by one."""
    failed = dict.fromkeys((line_number for line_number, _ in block.too_long), "too_long")
    n_lines = block.lines.count(b"\n") + (not block.lines.endswith(b"\n"))
    if not failed:
        try:
            events = _DECODER.decode_lines(block.lines)
        except (ValueError, RecursionError):
            events = []
        if len(events) == n_lines and all(event.messageId is msgspec.UNSET for event in events):
            return list(range(block.first_line, block.first_line + n_lines)), events, failed
    numbers: list[int] = []
    found: list[_Event] = []
    for line_number, raw in enumerate(block.lines.split(b"\n"), block.first_line):
        if raw.isspace() or not raw or line_number in failed:
            continue
        event = _decode_line(raw)
        if isinstance(event, str):
            failed[line_number] = event
        else:
            numbers.append(line_number)
            found.append(event)
    return numbers, found, failed


def _decode_line(raw: bytes) -> _Event | str:
    """One line, or the reason why it is none."""
    if len(raw) > MAX_LINE_BYTES:
        return "too_long"
    try:
        event = _DECODER.decode(raw)
        if event.messageId is msgspec.UNSET:
            return event
    except (ValueError, RecursionError):
        pass
    try:
        value = decode_json(raw)
    except NotJsonError:
        return "bad_json"
    if not isinstance(value, dict):
        return "not_an_object"
    if is_segment(value):
        translated = from_segment(value)
        return translated if isinstance(translated, str) else _lenient(translated)
    return _lenient(value)


def _lenient(value: Mapping[str, object]) -> _Event:
    """An event of whatever types: each field is read by itself, one of a wrong type is null."""
    at = value.get("occurred_at")
    fields: dict[str, Any] = {
        "event_type": text(value.get("event_type")),
        "occurred_at": None if isinstance(at, bool) else at if isinstance(at, (str, int, float)) else None,
        **{name: text(value.get(name)) for name in (*IDS, *TEXTS, *OPINION_COLUMNS)},
        **{name: number(value.get(name)) for name in NUMBERS},
        **{name: flag(value.get(name)) for name in FLAGS},
    }
    return _Event(**fields)


def _loose_frame(numbers: list[int], events: list[_Event]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {
        name: [getattr(event, name) for event in events] for name in _Event.__struct_fields__ if name != "messageId"
    }
    at = columns.pop("occurred_at")
    columns["occurred_text"] = [value if value.__class__ is str else None for value in at]
    columns["occurred_epoch"] = [None if value.__class__ is str or value is None else float(value) for value in at]
    columns["entry"] = numbers
    for name in ("user_id", "job_id"):
        columns[name] = [str(value) if value.__class__ is int else value for value in columns[name]]
    return pl.DataFrame([pl.Series(name, columns[name], dtype=dtype) for name, dtype in LOOSE_EVENTS.items()])


def _with_failed(refused: pl.DataFrame, failed: Mapping[int, str]) -> pl.DataFrame:
    if not failed:
        return refused
    unread = pl.DataFrame(list(failed.items()), schema=dict(refused.schema), orient="row")
    return pl.concat([refused, unread]).sort("entry")


def _raw_lines(block: Block, refused: pl.DataFrame) -> dict[int, bytes]:
    if refused.is_empty():
        return {}
    lines = block.lines.split(b"\n")
    raw = {entry: lines[entry - block.first_line] for entry in refused["entry"]}
    return {**raw, **dict(block.too_long)}


class _CsvBlocks:
    """Blocks of a CSV file, of which the first begins with the header. One event is one line: an open quote never
    swallows the lines after it.
    """

    def __init__(self) -> None:
        self._header: list[str] | None = None

    def __call__(self, block: Block, *, as_of: datetime) -> Parsed:
        numbers: list[int] = []
        fields: list[list[str]] = []
        failed = dict.fromkeys((line_number for line_number, _ in block.too_long), "too_long")
        for line_number, raw in enumerate(block.lines.split(b"\n"), block.first_line):
            if raw.isspace() or not raw or line_number in failed:
                continue
            row = _csv_row(raw)
            if isinstance(row, str):
                failed[line_number] = row
            elif self._header is None:
                self._header = [column.strip().lower() for column in row]
            elif len(row) != len(self._header):
                failed[line_number] = "wrong_number_of_fields"
            else:
                numbers.append(line_number)
                fields.append(row)
        rows, refused = check_events(self._loose_frame(numbers, fields), as_of=as_of)
        refused = _with_failed(refused, failed)
        return Parsed(rows, rejects_of(refused, unit="line", raw=_raw_lines(block, refused)))

    def _loose_frame(self, numbers: list[int], fields: list[list[str]]) -> pl.DataFrame:
        columns = dict(zip(self._header or [], zip(*fields, strict=True), strict=False)) if fields else {}
        known = {name: values for name, values in columns.items() if name in EVENTS.columns}
        frame = pl.DataFrame({name: pl.Series(values, dtype=pl.String) for name, values in known.items()})
        blank_free = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
        return _loosen(blank_free.with_columns(pl.Series("entry", numbers, dtype=pl.Int64)))


def _csv_row(raw: bytes) -> list[str] | str:
    if len(raw) > MAX_LINE_BYTES:
        return "too_long"
    try:
        return next(csv.reader([raw.decode("utf-8").rstrip("\r")]), [])
    except UnicodeDecodeError:
        return "bad_encoding"
    except csv.Error:
        return "bad_csv"


def _read_parquet(path: Path, *, as_of: datetime) -> Iterator[Parsed]:
    first_row = 1
    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name in EVENTS.columns]
            for batch in file.iter_batches(batch_size=PARQUET_BATCH_ROWS, columns=names):
                frame = pl.DataFrame(pl.from_arrow(batch)) if names else pl.DataFrame(height=batch.num_rows)
                entries = pl.int_range(first_row, first_row + batch.num_rows, dtype=pl.Int64, eager=True)
                loose = _loosen(frame.with_columns(entries.alias("entry")))
                rows, refused = check_events(loose, as_of=as_of)
                yield Parsed(rows, rejects_of(refused, unit="row", raw=_raw_rows(frame, refused, first_row=first_row)))
                first_row += batch.num_rows
    except Exception as error:  # damage shows as many exceptions of Arrow and of Polars
        yield unreadable(f"after row {first_row - 1}", type(error).__name__)


def _raw_rows(frame: pl.DataFrame, refused: pl.DataFrame, *, first_row: int) -> dict[int, bytes]:
    positions = [entry - first_row for entry in refused["entry"]]
    rows = frame[positions].rows(named=True) if positions and frame.width else [{} for _ in positions]
    return {entry: repr(row).encode() for entry, row in zip(refused["entry"], rows, strict=True)}


def _loosen(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns of any dtype as LOOSE_EVENTS; what can't be cast becomes null."""
    given = {name: dtype for name, dtype in frame.schema.items() if not dtype.is_nested() and dtype != pl.Binary}
    exprs = [_loose_column(name, dtype, given.get(name)) for name, dtype in LOOSE_EVENTS.items() if name not in _TIMES]
    at = given.get("occurred_at")
    occurred_text, occurred_epoch = pl.lit(None, pl.String), pl.lit(None, pl.Float64)
    if at is not None:
        column = pl.col("occurred_at")
        if at.is_temporal() and at not in (pl.Time, pl.Duration):
            # naive timestamps in Parquet are UTC by the habit of all writers
            occurred_epoch = column.cast(pl.Datetime("us")).dt.timestamp("us") / 1e6
        elif at.is_numeric():
            occurred_epoch = column.cast(pl.Float64)
        elif at == pl.String or at == pl.Categorical:
            occurred_text = column.cast(pl.String)
    return frame.select(*exprs, occurred_text.alias("occurred_text"), occurred_epoch.alias("occurred_epoch")).select(
        *LOOSE_EVENTS
    )


def _loose_column(name: str, dtype: pl.DataType | type[pl.DataType], given: pl.DataType | None) -> pl.Expr:
    if given is None:
        return pl.lit(None, dtype).alias(name)
    if dtype == pl.Boolean and given == pl.String:
        word = pl.col(name).str.strip_chars().str.to_lowercase()
        return (
            pl.when(word.is_in(["true", "1", "yes"])).then(pl.lit(value=True))
            .when(word.is_in(["false", "0", "no"])).then(pl.lit(value=False))
            .alias(name)
        )  # fmt: skip
    if dtype == pl.Float64 and given == pl.String:
        return pl.col(name).str.strip_chars().cast(pl.Float64, strict=False)
    return pl.col(name).cast(dtype, strict=False)
