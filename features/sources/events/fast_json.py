"""The regular bulk of JSON lines, decoded natively: without a Python object per event, and without holding the GIL.

A regular line has its keys in the order of the block's first lines, each at most once, with values of the expected
types written without escapes and exponents. Such a line has one meaning only. json_lines reads all other lines.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from features.sources.events.field_names import REQUIRED, other_names
from features.sources.events.validation import FLAGS, INPUT_COLUMNS, NUMBERS, UNTYPED_EVENTS
from features.sources.lines import MAX_LINE_BYTES, Block

SAMPLE_LINES = 64
MAX_KEYS = 64
MIN_REGULAR_SHARE = 0.5
_SEGMENT_KEYS = ("messageId", "batch")
_KEY = re.compile(r"[A-Za-z0-9_]{1,64}")
_TEXT = r'"[^"\\\x00-\x1f]*"'
# With at most 15 digits before the point and 17 after it, every correct reader reads the same float.
_NUMBER = r"(?:0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,17})"
_WHOLE = r"(?:0|-?[1-9][0-9]{0,17})"
_FLAG = "(?:true|false)"
_ANY = f"(?:{_TEXT}|{_NUMBER}|{_FLAG})"

Lines = list[tuple[int, bytes]]  # number, line


def read_fast(block: Block) -> tuple[pl.DataFrame, Lines] | None:
    """(UNTYPED_EVENTS of the regular lines, the other lines); None if too few lines are regular to be worth it."""
    layout = _layout(islice(_samples(block.lines), SAMPLE_LINES))
    lines = _split(block.lines) if layout.keys() >= set(REQUIRED) else None
    if lines is None or lines.is_empty():
        return None
    is_regular = lines.str.contains(_pattern(layout)) & (lines.str.len_bytes() <= MAX_LINE_BYTES)
    n_regular = is_regular.sum()
    if n_regular == 0 or n_regular < MIN_REGULAR_SHARE * len(lines):
        return None
    decoded = _decode(lines if n_regular == len(lines) else lines.filter(is_regular), layout)
    if decoded.height != n_regular:
        return None
    entries = is_regular.arg_true().cast(pl.Int64) + block.first_line
    others = (~is_regular).arg_true()
    rest = [
        (number + block.first_line, line.encode().removesuffix(b"\n"))
        for number, line in zip(others.to_list(), lines.gather(others).to_list(), strict=True)
    ]
    return _untyped(decoded, entries), rest


def _samples(lines: bytes) -> Iterator[bytes]:
    begin = 0
    while begin < len(lines):
        end = lines.find(b"\n", begin)
        end = len(lines) if end < 0 else end
        if end - begin <= MAX_LINE_BYTES:
            yield lines[begin:end]
        begin = end + 1


def _layout(samples: Iterable[bytes]) -> dict[str, object]:
    """The keys of the sampled lines in their order, each with a sample value; calls of Segment are skipped."""
    order: list[str] = []
    seen: dict[str, object] = {}
    for line in samples:
        try:
            event = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(event, dict) or any(key in event for key in _SEGMENT_KEYS):
            continue
        keys = [key for key in event if _KEY.fullmatch(key)]
        if order and keys[:1] != order[:1]:
            continue
        after = 0
        for key in keys:
            if key in order:
                after = order.index(key) + 1
            else:
                order.insert(after, key)
                after += 1
            if seen.get(key) is None:
                seen[key] = event[key]
        if len(order) > MAX_KEYS:
            return {}
    unclear = other_names(order)  # a line with such a key is not regular
    return {key: seen[key] for key in order if key not in unclear}


def _split(lines: bytes) -> pl.Series | None:
    """The lines as text, with their line ends; None if they are not UTF-8."""
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n"))
    begins = np.concatenate([[0], ends + 1])
    if begins[-1] == len(lines):
        begins = begins[:-1]
    offsets = np.append(begins, len(lines)).astype(np.int64)
    array = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(lines)]
    )
    try:
        return pl.Series("line", pl.from_arrow(array.cast(pa.large_string())))
    except pa.ArrowInvalid:
        return None


def _pattern(layout: Mapping[str, object]) -> str:
    """The pattern of a regular line: the first key, then any of the other keys in their order."""
    members = [f'"{key}": ?(?:{_value_pattern(key, value)}|null)' for key, value in layout.items()]
    return r"^\{" + members[0] + "".join(f"(?:, ?{member})?" for member in members[1:]) + r"\}\r?\n?$"


def _value_pattern(key: str, value: object) -> str:
    dtype = _dtype(key, value)
    if dtype is None:
        return _ANY
    return {pl.Float64: _NUMBER, pl.Boolean: _FLAG, pl.Int64: _WHOLE, pl.String: _TEXT}[dtype]


def _dtype(key: str, value: object) -> type[pl.DataType] | None:
    """The dtype in which a column is decoded; None for a key that is not ours."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if key in NUMBERS or (key == "occurred_at" and (is_whole or isinstance(value, float))):
        return pl.Float64
    if key in FLAGS:
        return pl.Boolean
    if key in ("user_id", "job_id") and is_whole:
        return pl.Int64
    return pl.String if key in INPUT_COLUMNS else None


def _decode(lines: pl.Series, layout: Mapping[str, object]) -> pl.DataFrame:
    dtypes = {key: _dtype(key, value) for key, value in layout.items()}
    schema = {key: dtype for key, dtype in dtypes.items() if dtype is not None}
    return pl.read_ndjson(io.BytesIO(lines.str.join("").item().encode()), schema=schema)


def _untyped(decoded: pl.DataFrame, entries: pl.Series) -> pl.DataFrame:
    at = decoded.schema.get("occurred_at")
    given = decoded.with_columns(entries.alias("entry")).rename(
        {"occurred_at": "occurred_epoch" if at == pl.Float64 else "occurred_text"}, strict=False
    )
    return given.select(
        pl.col(name).cast(dtype) if name in given.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in UNTYPED_EVENTS.items()
    )
