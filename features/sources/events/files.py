"""Interaction logs of every format, in blocks of events: the entry point of this folder."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from features.sources.events.csv_files import CsvBlocks
from features.sources.events.json_lines import read_json_block
from features.sources.events.parquet_files import read_parquet_events
from features.sources.events.validation import NO_RULES, EventRules, unreadable
from features.sources.lines import Block, UnreadableFileError, read_blocks
from features.sources.parsed import Parsed


def read_events(
    path: Path, *, as_of: datetime, may_grow: bool = False, rules: EventRules = NO_RULES
) -> Iterator[Parsed]:
    """Blocks of a file's events in the EVENTS schema, with the rejects of the same block; memory stays bounded.

    The suffix, in any case, names the format (.jsonl, .jsonl.gz, .jsonl.zst, .csv, .parquet). The damaged part of a
    file is a reject `unreadable`, or `read_failed` if a later reading may succeed; events before the damage, and in
    Parquet also after it, are returned. A last line without an end is left out of a plain file that `may_grow`.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".parquet"]:
        yield from read_parquet_events(path, as_of=as_of, rules=rules)
    elif ".csv" in suffixes:
        table = CsvBlocks(as_of=as_of, rules=rules)
        yield from _read_lines(path, table.read, may_grow=may_grow)
        yield table.rest()
    else:
        yield from _read_lines(path, partial(read_json_block, as_of=as_of, rules=rules), may_grow=may_grow)


def _read_lines(path: Path, read: Callable[[Block], Parsed], *, may_grow: bool) -> Iterator[Parsed]:
    number_of_lines = 0
    try:
        for block in read_blocks(path, whole_lines=may_grow):
            number_of_lines = block.first_line + block.lines.count(b"\n")
            yield read(block)
    except (UnreadableFileError, OSError) as error:
        yield unreadable(f"after line {max(0, number_of_lines - 1)}", error)
