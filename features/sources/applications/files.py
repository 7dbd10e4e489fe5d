"""Files of application events in every format: their fields as text, which validation types and checks."""

import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from operator import attrgetter
from typing import Any

import msgspec
import polars as pl
import polars.selectors as cs
from polars.exceptions import PanicException

from features.sources.applications.validation import FIELDS, Rules, read_fields
from features.sources.jobs.files import csv_entries
from features.sources.parsed import Parsed, Refusal, json_lines, rejects
from features.sources.values import NotJsonError, raw_json, text

_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"
# A line whose fields are plain values. Lines are read one by one if a single one is not like that.
_Event: Any = msgspec.defstruct("_Event", [(name, str | int | float | bool | None, None) for name in FIELDS])
_DECODER = msgspec.json.Decoder(_Event)


def parse_application_lines(body: bytes, *, rules: Rules) -> Parsed:
    """One JSON object a line to APPLICATION_LOG rows and rejects."""
    regular = _decode_at_once(body)
    if regular is not None:
        names = [f"line {number}" for number in range(1, len(regular) + 1)]
        lines = cache(lambda: body.split(b"\n"))  # only refused ones are shown
        return read_fields(_fields(regular), names, lambda row: lines()[row].strip(), rules=rules)
    entries: list[tuple[str, bytes, Mapping[str, object]]] = []
    refused: list[Refusal] = []
    for entry, raw, value in json_lines(body):
        if isinstance(value, dict):
            entries.append((entry, raw, value))
        else:
            refused.append((entry, "bad_json" if isinstance(value, NotJsonError) else "not_an_object", "", raw))
    return _parsed(entries, refused, rules)


def parse_application_csv(body: bytes, *, rules: Rules) -> Parsed:
    """A header and one event a row, in any common encoding and with any delimiter of spreadsheets."""
    entries: list[tuple[str, bytes, Mapping[str, object]]] = []
    refused: list[Refusal] = []
    for entry, value, raw in csv_entries(body):
        if isinstance(value, dict):
            entries.append((entry, raw, value))
        else:
            refused.append((entry, str(value), "", raw))
    return _parsed(entries, refused, rules)


def parse_application_parquet(body: bytes, *, rules: Rules) -> Parsed:
    """One event a row; times without a zone are UTC. A file that can't be read is one reject.

    A small file may be made to unpack to all memory: read untrusted files in a process with limits.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(body))
        given = {name.strip().lower(): name for name in reversed(frame.columns)}
        known = {name: given[name] for name in FIELDS if name in given}
        texts = _as_texts(frame.select(pl.col(theirs).alias(ours) for ours, theirs in known.items()))
    except MemoryError:
        raise
    except (Exception, PanicException) as error:  # damage raises many kinds of exceptions, panics of Polars among them
        return _parsed([], [("file", "unreadable", type(error).__name__, body[:64])], rules)
    fields = texts.with_columns(pl.lit(None, pl.String).alias(name) for name in FIELDS if name not in texts.columns)
    names = [f"row {number}" for number in range(1, frame.height + 1)]
    return read_fields(fields.select(FIELDS), names, lambda row: repr(fields.row(row, named=True)), rules=rules)


def parsers(rules: Rules) -> Mapping[str, partial[Parsed]]:
    """The parser of each suffix."""
    lines = partial(parse_application_lines, rules=rules)
    return {
        ".jsonl": lines,
        ".jsonl.gz": lines,
        ".csv": partial(parse_application_csv, rules=rules),
        ".parquet": partial(parse_application_parquet, rules=rules),
    }


def _parsed(entries: list[tuple[str, bytes, Mapping[str, object]]], refused: list[Refusal], rules: Rules) -> Parsed:
    rows = [row for _, _, row in entries]
    fields = pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in FIELDS])

    def raw(row: int) -> bytes:
        written = entries[row][1]
        return written or raw_json(dict(rows[row]))

    found = read_fields(fields, [entry for entry, _, _ in entries], raw, rules=rules)
    return Parsed(found.rows, pl.concat([found.rejects, rejects(refused)])) if refused else found


def _decode_at_once(body: bytes) -> Sequence[Any] | None:
    """An _Event for each line; None unless every line is an object whose fields of ours are plain values."""
    try:
        events = _DECODER.decode_lines(body)
    except (ValueError, RecursionError):
        return None
    n_lines = body.count(b"\n") + (not body.endswith(b"\n"))
    return events if len(events) == n_lines else None


def _fields(events: Sequence[Any]) -> pl.DataFrame:
    return pl.DataFrame([_column(name, list(map(attrgetter(name), events))) for name in FIELDS])


def _column(name: str, values: Sequence[object]) -> pl.Series:
    try:
        return pl.Series(name, values, dtype=pl.String)  # which takes nothing but texts
    except (TypeError, OverflowError):  # the latter for integers of more than 128 bits
        return pl.Series(name, _texts(values), dtype=pl.String)


def _texts(values: Iterable[object]) -> list[str | None]:
    return [value if isinstance(value, str) else None if value is None else _text(value) for value in values]


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return text(value)


def _as_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column as text; columns of lists and structs hold no field of an event."""
    simple = frame.select(~(cs.nested() | cs.object() | cs.binary()))
    zoned = simple.with_columns(
        (cs.datetime() - cs.datetime(time_zone="*")).dt.replace_time_zone("UTC"),
        cs.datetime(time_zone="*").dt.convert_time_zone("UTC"),
    )
    return zoned.with_columns(cs.datetime().dt.to_string(_TIME), cs.date().dt.to_string("%Y-%m-%d")).with_columns(
        pl.all().cast(pl.String)
    )
