"""Interaction events in JSON lines: our own, Segment `track` calls, and batches of these."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from features.sources.events.fast_json import read_fast
from features.sources.events.field_names import renamed
from features.sources.events.segment import from_segment, is_batch, is_segment, track_calls
from features.sources.events.validation import (
    FLAGS,
    INPUT_COLUMNS,
    NO_RULES,
    NUMBERS,
    UNTYPED_EVENTS,
    EventRules,
    Part,
    parse_events,
)
from features.sources.lines import MAX_LINE_BYTES, Block
from features.sources.parsed import Parsed
from features.sources.values import NotJsonError, decode_json, flag, number, raw_json, text


def _field_type(name: str) -> Any:
    if name == "occurred_at":
        return str | int | float | None
    if name in ("user_id", "job_id"):
        return str | int | None
    return float | None if name in NUMBERS else bool | None if name in FLAGS else str | None


# A line with nothing but our fields, of the expected types. Any other line takes the lenient, slower way: its other
# keys may be our fields under other names. The two keys of Segment only show that a line is no event of ours.
_SEGMENT_KEYS = ("messageId", "batch")
_Event: Any = msgspec.defstruct(
    "_Event",
    [
        *((name, _field_type(name), None) for name in INPUT_COLUMNS),
        *((name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in _SEGMENT_KEYS),
    ],
    forbid_unknown_fields=True,
)
_DECODER = msgspec.json.Decoder(_Event)


@dataclass
class _Decoded:
    """Decoded events with their line and part, and the reasons why other lines and parts hold no event."""

    parts: list[Part] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    failed: dict[Part, str] = field(default_factory=dict)
    raw: dict[Part, bytes] = field(default_factory=dict)  # of events within a line; otherwise the line is the raw form

    def take(self, part: Part, event: Any) -> None:
        """Adds an event, or the reason (a string) why there is none."""
        if isinstance(event, str):
            self.failed[part] = event
        else:
            self.parts.append(part)
            self.events.append(event)


def read_json_block(block: Block, *, as_of: datetime, rules: EventRules = NO_RULES) -> Parsed:
    """The events of a block of lines; every line that is not blank becomes rows or rejects."""
    found = read_fast(block)
    if found is None:
        decoded = _decode_block(block)
        events = _untyped_frame(decoded)
    else:
        events, others = found
        decoded = _decode_lines(others, block)
        if decoded.events:
            events = pl.concat([events, _untyped_frame(decoded)]).sort("entry", "part", maintain_order=True)
    return parse_events(
        events,
        as_of=as_of,
        unit="line",
        raw=lambda refused: _raw(block, refused, decoded),
        undecoded=decoded.failed,
        rules=rules,
    )


def _decode_block(block: Block) -> _Decoded:
    """All lines at once if all are good events of ours, else one by one."""
    if not block.too_long:
        n_lines = block.lines.count(b"\n") + (not block.lines.endswith(b"\n"))
        try:
            events = _DECODER.decode_lines(block.lines)
        except (ValueError, RecursionError):
            events = []
        if len(events) == n_lines and all(map(_is_ours, events)):
            return _Decoded([(n, None) for n in range(block.first_line, block.first_line + n_lines)], events)
    return _decode_lines(enumerate(block.lines.split(b"\n"), block.first_line), block)


def _decode_lines(lines: Iterable[tuple[int, bytes]], block: Block) -> _Decoded:
    decoded = _Decoded(failed={(number, None): "too_long" for number, _ in block.too_long})
    for line_number, raw in lines:
        if raw and not raw.isspace():
            _decode_line(line_number, raw, decoded)
    return decoded


def _is_ours(event: Any) -> bool:
    """Whether the event is no call of Segment, and has all that it must have under our names."""
    return (
        event.messageId is msgspec.UNSET
        and event.batch is msgspec.UNSET
        and None not in (event.event_id, event.user_id, event.event_type, event.occurred_at)
    )


def _decode_line(line_number: int, raw: bytes, decoded: _Decoded) -> None:
    whole = (line_number, None)
    if len(raw) > MAX_LINE_BYTES:
        decoded.take(whole, "too_long")
        return
    try:
        event = _DECODER.decode(raw)
        if _is_ours(event):
            decoded.take(whole, event)
            return
    except (ValueError, RecursionError):
        pass
    try:
        value = decode_json(raw)
    except NotJsonError:
        decoded.take(whole, "bad_json")
        return
    if isinstance(value, dict) and is_batch(value):
        for part, call in enumerate(track_calls(value), 1):
            decoded.take((line_number, part), _of_any_kind(call))
            decoded.raw[line_number, part] = raw_json(call)
    else:
        decoded.take(whole, _of_any_kind(value))


def _of_any_kind(value: object) -> Any:
    """An event of ours or a Segment call, or the reason why it is neither."""
    if not isinstance(value, dict):
        return "not_an_object"
    if is_segment(value):
        translated = from_segment(value)
        return translated if isinstance(translated, str) else _lenient(translated)
    return _lenient(value)


def _lenient(value: Mapping[str, object]) -> Any:
    """An event read field by field, also under names of others; a field of a wrong type is null."""
    fields: dict[str, Any] = {}
    value = renamed(value)
    for name in INPUT_COLUMNS:
        read = number if name in NUMBERS else flag if name in FLAGS else _as_written
        fields[name] = read(value.get(name))
    at = value.get("occurred_at")
    fields["occurred_at"] = at if isinstance(at, (str, int, float)) and not isinstance(at, bool) else None
    return _Event(**fields)


def _as_written(value: object) -> str | None:
    """A text as it is: an id without its control characters could be another one."""
    return value if isinstance(value, str) else text(value)


def _untyped_frame(decoded: _Decoded) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {name: [getattr(event, name) for event in decoded.events] for name in INPUT_COLUMNS}
    at = columns.pop("occurred_at")
    columns["occurred_text"] = [value if value.__class__ is str else None for value in at]
    columns["occurred_epoch"] = [None if value.__class__ is str or value is None else _float(value) for value in at]
    columns["entry"] = [line_number for line_number, _ in decoded.parts]
    columns["part"] = [part for _, part in decoded.parts]
    for name in ("user_id", "job_id"):
        columns[name] = [str(value) if value.__class__ is int else value for value in columns[name]]
    return pl.DataFrame([pl.Series(name, columns[name], dtype=dtype) for name, dtype in UNTYPED_EVENTS.items()])


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _raw(block: Block, refused: pl.DataFrame, decoded: _Decoded) -> dict[Part, bytes]:
    if refused.is_empty():
        return {}
    lines = block.lines.split(b"\n")
    found: dict[Part, bytes] = {(number, None): head for number, head in block.too_long}
    for entry, part in refused.select("entry", "part").iter_rows():
        if (entry, part) not in found:
            found[entry, part] = decoded.raw[entry, part] if part is not None else lines[entry - block.first_line]
    return found
