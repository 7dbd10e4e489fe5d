"""Interaction events in Parquet, row group by row group, so that damage in one group leaves the others readable."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.sources.events.field_names import own_names
from features.sources.events.validation import (
    MILLISECONDS_FROM,
    NO_RULES,
    EventRules,
    Part,
    parse_events,
    unreadable,
    untyped_events,
)
from features.sources.lines import EXPANDS_FREELY_BYTES, MAX_EXPANSION, ExpandsTooMuchError
from features.sources.parsed import Parsed

BATCH_ROWS = 262_144
ROWS_FREE = 1_000_000
ROWS_PER_BYTE = 20  # each event has an id of its own, which no encoding makes this small
_LONG_TEXT_BYTES = 4_096
_COLUMN_BYTES_OF_A_BATCH = 256 * 1024 * 1024
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_SECONDS_OF_A_DAY = 86_400
_TEXT_TYPES = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
    pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
)  # fmt: skip


def read_parquet_events(path: Path, *, as_of: datetime, rules: EventRules = NO_RULES) -> Iterator[Parsed]:
    """Blocks of at most BATCH_ROWS events. Column names match in any case; unknown columns are not read."""
    try:
        with pq.ParquetFile(path) as found:
            _check_rows(found.metadata, n_bytes=path.stat().st_size)
            dictionaries = _dictionaries(found.metadata)
        file = pq.ParquetFile(path, read_dictionary=dictionaries)
    except Exception as error:  # Arrow raises many kinds of exceptions on damage
        yield unreadable("after row 0", error)
        return
    with file:
        known = _known_columns(file.schema_arrow.names)
        first_row = 1
        for group in range(file.num_row_groups):
            n_rows = file.metadata.row_group(group).num_rows
            row = first_row
            try:
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(known)):
                    yield _read_batch(batch, known, first_row=row, as_of=as_of, rules=rules)
                    row += batch.num_rows
            except Exception as error:
                yield unreadable(f"rows {row} to {first_row + n_rows - 1}", error)
            first_row += n_rows


def _check_rows(metadata: Any, *, n_bytes: int) -> None:
    """Raises ExpandsTooMuchError for more rows, or more bytes of values, than a file of its size can honestly hold."""
    n_unpacked = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
    if metadata.num_rows > ROWS_FREE + ROWS_PER_BYTE * n_bytes:
        raise ExpandsTooMuchError(f"{metadata.num_rows} rows in {n_bytes} bytes")
    if n_unpacked > max(EXPANDS_FREELY_BYTES, MAX_EXPANSION * n_bytes):
        raise ExpandsTooMuchError(f"{n_unpacked} bytes in {n_bytes}")


def _dictionaries(metadata: Any) -> list[str]:
    """The columns to keep as dictionaries until their size is known: one long text may stand in every row."""
    chunks = (
        metadata.row_group(group).column(n)
        for group in range(metadata.num_row_groups)
        for n in range(metadata.num_columns)
    )
    return sorted(
        {
            chunk.path_in_schema
            for chunk in chunks
            if chunk.physical_type == "BYTE_ARRAY"
            and chunk.total_uncompressed_size > _LONG_TEXT_BYTES
            and any("DICTIONARY" in encoding for encoding in chunk.encodings)
        }
    )


def _known_columns(names: list[str]) -> dict[str, str]:
    """Our name by the file's name; of two names that differ in case only, the first."""
    return own_names(name for name in names if names.count(name) == 1)


def _read_batch(batch: Any, known: dict[str, str], *, first_row: int, as_of: datetime, rules: EventRules) -> Parsed:
    flat = {known[name]: _flat(batch.column(name)) for name in batch.schema.names}
    given = pl.DataFrame(
        {name: pl.Series(name, pl.from_arrow(column)) for name, column in flat.items() if column is not None}
    )
    entries = pl.int_range(first_row, first_row + batch.num_rows, dtype=pl.Int64, eager=True).alias("entry")
    frame = pl.DataFrame([entries, *given.get_columns()])

    def raw(refused: pl.DataFrame) -> dict[Part, bytes]:
        positions = [entry - first_row for entry in refused["entry"]]
        described = given[positions].rows(named=True) if positions and given.width else [{} for _ in positions]
        return {
            (entry, None): repr(row).encode("utf-8", "replace")
            for entry, row in zip(refused["entry"], described, strict=True)
        }

    return parse_events(untyped_events(frame), as_of=as_of, unit="row", raw=raw, rules=rules)


def _flat(column: Any) -> Any:
    """The column as text, numbers or booleans, times as seconds; None if its type fits no field of an event."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = _decoded(column)
    kind = column.type
    if pa.types.is_fixed_size_binary(kind) and kind.byte_width == 16:
        return pa.array([None if raw is None else str(uuid.UUID(bytes=raw)) for raw in column.to_pylist()], pa.string())
    if any(is_text(kind) for is_text in _TEXT_TYPES):
        return _valid_text(column)
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return _seconds(column.cast(pa.int64()), per_second=_PER_SECOND[kind.unit])
    if pa.types.is_date32(kind):
        return _seconds(pc.multiply(column.cast(pa.int32()).cast(pa.int64()), _SECONDS_OF_A_DAY), per_second=1)
    if pa.types.is_date64(kind):
        return _seconds(column.cast(pa.int64()), per_second=1_000)
    is_plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return column if is_plain or pa.types.is_boolean(kind) or pa.types.is_null(kind) else None


def _decoded(column: Any) -> Any:
    """The values of a dictionary column. Raises ExpandsTooMuchError before they would fill the memory."""
    if any(is_text(column.type.value_type) for is_text in _TEXT_TYPES):
        lengths = pc.binary_length(column.dictionary).cast(pa.int64())
        n_bytes = pc.sum(lengths.take(column.indices)).as_py() or 0
        if n_bytes > _COLUMN_BYTES_OF_A_BATCH:
            raise ExpandsTooMuchError(f"{n_bytes} bytes of text in {len(column)} rows")
    return column.dictionary_decode()


def _seconds(ticks: Any, *, per_second: int) -> Any:
    """Seconds; infinite where the number would later be mistaken for milliseconds."""
    found = pc.divide(pc.cast(ticks, pa.float64(), safe=False), float(per_second))
    return pc.if_else(pc.less(pc.abs(found), MILLISECONDS_FROM), found, float("inf"))


def _valid_text(column: Any) -> Any:
    """Text; values that are not UTF-8, which Arrow lets through and Polars must never see, become hexadecimal."""
    as_bytes = column.cast(pa.large_binary())
    try:
        return as_bytes.cast(pa.large_string())
    except pa.ArrowInvalid:
        return pa.array([None if raw is None else _text_or_hex(raw) for raw in as_bytes.to_pylist()], pa.large_string())


def _text_or_hex(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.hex()
