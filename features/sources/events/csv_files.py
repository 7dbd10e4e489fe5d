"""Interaction events in CSV: a header, then one event a line; quoted fields may hold line breaks."""

import csv
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from features.sources.events.field_names import own_names
from features.sources.events.validation import (
    INPUT_COLUMNS,
    NO_RULES,
    EventRules,
    Part,
    parse_events,
    untyped_events,
)
from features.sources.lines import CSV_DELIMITERS, MAX_LINE_BYTES, Block
from features.sources.parsed import Parsed

MAX_LINES_OF_A_RECORD = 50
_UNCLOSED = "unexpected end of data"

Line = tuple[int, bytes]  # number, content


@dataclass
class CsvBlocks:
    """Reads the blocks of one file in order; the first begins with the header, and `rest` ends the file.

    A quoted record continues over line breaks, unless a following line is a complete record by itself, so that
    a stray quote swallows no good event.
    """

    as_of: datetime
    rules: EventRules = NO_RULES
    _header: list[str] | None = None
    _delimiter: str = ","
    _open: list[Line] = field(default_factory=list)  # lines of a record whose quote is not closed yet
    _records: list[tuple[int, list[str]]] = field(default_factory=list)
    _refused: dict[Part, str] = field(default_factory=dict)
    _raw: dict[Part, bytes] = field(default_factory=dict)

    def read(self, block: Block) -> Parsed:
        """The events that end in this block."""
        too_long = dict(block.too_long)
        for line_number, raw in enumerate(block.lines.split(b"\n"), block.first_line):
            if line_number in too_long:
                self._refuse_open_record()
                self._refuse(line_number, too_long[line_number], "too_long")
            elif self._open or (raw and not raw.isspace()):
                self._add_line(line_number, raw.removesuffix(b"\r"))
        return self._parsed()

    def rest(self) -> Parsed:
        """The record that is still open at the end of the file."""
        self._refuse_open_record()
        return self._parsed()

    def _add_line(self, number: int, raw: bytes) -> None:
        if len(raw) > MAX_LINE_BYTES:
            self._refuse_open_record()
            self._refuse(number, raw, "too_long")
            return
        if self._header is None:
            self._delimiter = max(CSV_DELIMITERS, key=lambda one: raw.count(one.encode()))
            row = _fields(raw, self._delimiter)
            self._header = [] if isinstance(row, str) else _header(row)
            if isinstance(row, str):
                self._refuse(number, raw, row)
            return
        row = _fields(raw, self._delimiter)
        if isinstance(row, list) and len(row) == len(self._header):
            self._refuse_open_record()
            self._accept(number, raw, row)
        elif self._open:
            self._continue_record(number, raw)
        elif row == _UNCLOSED:
            self._open = [(number, raw)]
        else:
            self._refuse(number, raw, row if isinstance(row, str) else "wrong_number_of_fields")

    def _continue_record(self, number: int, raw: bytes) -> None:
        self._open.append((number, raw))
        whole = b"\n".join(line for _, line in self._open)
        row = _fields(whole, self._delimiter)
        if isinstance(row, list) and len(row) == len(self._header or ()):
            first = self._open[0][0]
            self._open = []
            self._accept(first, whole, row)
        elif row != _UNCLOSED or len(self._open) >= MAX_LINES_OF_A_RECORD or len(whole) > MAX_LINE_BYTES:
            self._refuse_open_record()

    def _accept(self, number: int, raw: bytes, row: list[str]) -> None:
        self._records.append((number, row))
        self._raw[number, None] = raw

    def _refuse(self, number: int, raw: bytes, reason: str) -> None:
        self._refused[number, None] = "bad_csv" if reason == _UNCLOSED else reason
        self._raw[number, None] = raw

    def _refuse_open_record(self) -> None:
        """Refuses each line of a record whose quote was never closed."""
        for number, raw in self._open:
            if raw and not raw.isspace():
                self._refuse(number, raw, "wrong_number_of_fields")
        self._open = []

    def _parsed(self) -> Parsed:
        raw = self._raw
        parsed = parse_events(
            self._untyped_frame(),
            as_of=self.as_of,
            unit="line",
            raw=lambda _: raw,
            undecoded=self._refused,
            rules=self.rules,
        )
        self._records, self._refused, self._raw = [], {}, {}
        return parsed

    def _untyped_frame(self) -> pl.DataFrame:
        numbers = pl.Series("entry", [number for number, _ in self._records], dtype=pl.Int64)
        columns = zip(*(row for _, row in self._records), strict=True)
        given = dict(zip(self._header or [], columns, strict=False))
        texts = [pl.Series(name, given[name], dtype=pl.String) for name in INPUT_COLUMNS if name in given]
        frame = pl.DataFrame([numbers, *texts])
        return untyped_events(frame.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String))))


def _header(names: list[str]) -> list[str]:
    """Our names of the columns; a column that has none keeps its own."""
    tidy = [name.strip().lower() for name in names]
    ours = own_names(tidy)
    return [ours.get(name, name if name not in ours.values() else "") for name in tidy]


def _fields(raw: bytes, delimiter: str) -> list[str] | str:
    """The fields of a record, or the reason why it can't be read."""
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "bad_encoding"
    if '"' not in decoded:
        return decoded.split(delimiter)
    try:
        return next(csv.reader(decoded.splitlines(keepends=True), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if str(error) == _UNCLOSED:
            return _UNCLOSED
    try:
        return next(csv.reader([decoded], delimiter=delimiter), [])
    except csv.Error:
        return "bad_csv"
