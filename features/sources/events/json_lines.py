"""Interaction events in JSON lines: our own, Segment `track` calls, and Segment batches of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from features.sources.events.plain_lines import read_plain_lines
from features.sources.events.segment import from_segment, is_batch, is_segment, track_calls
from features.sources.events.validation import (
    AGENT_TEXTS,
    FLAGS,
    IDS,
    LOOSE_EVENTS,
    NUMBERS,
    OPINION_COLUMNS,
    REFUSED,
    TEXTS,
    check_events,
    rejects_of,
)
from features.sources.lines import MAX_LINE_BYTES, Block
from features.sources.parsed import Parsed
from features.sources.values import NotJsonError, decode_json, flag, number, raw_json, text

Place = tuple[int, int | None]  # number of the line, and of the event in it where it holds several


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
    user_agent: str | None = None
    sec_purpose: str | None = None
    is_bot: bool | None = None
    is_prefetch: bool | None = None
    messageId: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815  Segment's name
    batch: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_COLUMNS = tuple(name for name in _Event.__struct_fields__ if name not in ("messageId", "batch"))
_DECODER = msgspec.json.Decoder(_Event)


@dataclass
class _Decoded:
    """Events with their places, and why what stands at other places is none."""

    places: list[Place] = field(default_factory=list)
    events: list[_Event] = field(default_factory=list)
    failed: dict[Place, str] = field(default_factory=dict)
    raw: dict[Place, bytes] = field(default_factory=dict)  # of events within a line; else the line is the raw form

    def take(self, place: Place, event: _Event | str) -> None:
        if isinstance(event, str):
            self.failed[place] = event
        else:
            self.places.append(place)
            self.events.append(event)


def read_json_block(block: Block, *, as_of: datetime) -> Parsed:
    """The events of a block of lines; every line that is not blank gives rows or rejects."""
    found = read_plain_lines(block)
    if found is None:
        decoded = _decode_block(block)
        events = _loose_frame(decoded)
    else:
        events, others = found
        decoded = _decode_lines(others, block)
        if decoded.events:
            events = pl.concat([events, _loose_frame(decoded)]).sort("entry", "part", maintain_order=True)
    rows, refused = check_events(events, as_of=as_of)
    if decoded.failed:
        unread = [(*place, reason) for place, reason in decoded.failed.items()]
        refused = pl.concat([refused, pl.DataFrame(unread, schema=dict(REFUSED), orient="row")]).sort("entry", "part")
    return Parsed(rows, rejects_of(refused, unit="line", raw=_raw(block, refused, decoded)))


def _decode_block(block: Block) -> _Decoded:
    """All lines at once where they are all good events of ours, else one by one."""
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


def _is_ours(event: _Event) -> bool:
    return event.messageId is msgspec.UNSET and event.batch is msgspec.UNSET


def _decode_line(line_number: int, raw: bytes, decoded: _Decoded) -> None:
    place = (line_number, None)
    if len(raw) > MAX_LINE_BYTES:
        decoded.take(place, "too_long")
        return
    try:
        event = _DECODER.decode(raw)
        if _is_ours(event):
            decoded.take(place, event)
            return
    except (ValueError, RecursionError):
        pass
    try:
        value = decode_json(raw)
    except NotJsonError:
        decoded.take(place, "bad_json")
        return
    if isinstance(value, dict) and is_batch(value):
        for part, call in enumerate(track_calls(value), 1):
            decoded.take((line_number, part), _of_any_kind(call))
            decoded.raw[line_number, part] = raw_json(call)
    else:
        decoded.take(place, _of_any_kind(value))


def _of_any_kind(value: object) -> _Event | str:
    """An event of ours or a Segment call, or the reason why it is neither."""
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
        **{name: text(value.get(name)) for name in (*IDS, *TEXTS, *OPINION_COLUMNS, *AGENT_TEXTS)},
        **{name: number(value.get(name)) for name in NUMBERS},
        **{name: flag(value.get(name)) for name in FLAGS},
    }
    return _Event(**fields)


def _loose_frame(decoded: _Decoded) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {name: [getattr(event, name) for event in decoded.events] for name in _COLUMNS}
    at = columns.pop("occurred_at")
    columns["occurred_text"] = [value if value.__class__ is str else None for value in at]
    columns["occurred_epoch"] = [None if value.__class__ is str or value is None else _float(value) for value in at]
    columns["entry"] = [line_number for line_number, _ in decoded.places]
    columns["part"] = [part for _, part in decoded.places]
    for name in ("user_id", "job_id"):
        columns[name] = [str(value) if value.__class__ is int else value for value in columns[name]]
    return pl.DataFrame([pl.Series(name, columns[name], dtype=dtype) for name, dtype in LOOSE_EVENTS.items()])


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _raw(block: Block, refused: pl.DataFrame, decoded: _Decoded) -> dict[Place, bytes]:
    if refused.is_empty():
        return {}
    lines = block.lines.split(b"\n")
    found: dict[Place, bytes] = {(number, None): head for number, head in block.too_long}
    for entry, part in refused.select("entry", "part").iter_rows():
        place = (entry, part)
        if place not in found:
            found[place] = decoded.raw[place] if part is not None else lines[entry - block.first_line]
    return found
