"""Landed text files of lines, parsed block by block so that their size does not matter; what a line means is told."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from assets.ingest.quarantine import UNREADABLE
from features.sources.lines import UnreadableFileError, read_blocks
from features.sources.parsed import Parsed, rejects


def parse_in_blocks(path: Path, parse: Callable[[bytes], Parsed]) -> Iterator[Parsed]:
    """`parse` of each block of a plain, gzip or zstd file, with its `line N` entries counted within the file.

    A file that can't be read, or not to its end, gives a last piece with one reject.
    """
    last_line = 0
    try:
        for block in read_blocks(path):
            last_line = block.first_line
            parsed = parse(block.lines)
            too_long = rejects((f"line {number}", "too_long", "", head) for number, head in block.too_long)
            by = block.first_line - 1
            refused = pl.concat([_renumbered(parsed.rejects, by=by), too_long])
            yield Parsed(parsed.rows, refused, _renumbered(parsed.warnings, by=by))
    except (UnreadableFileError, OSError) as error:
        refused = rejects([(f"after line {last_line}", UNREADABLE, type(error).__name__, b"")])
        yield Parsed(parse(b"").rows, refused)


def _renumbered(refused: pl.DataFrame, *, by: int) -> pl.DataFrame:
    entry = pl.col("entry")
    number = entry.str.extract(r"^line (\d+)").cast(pl.Int64) + by
    rest = entry.str.replace(r"^line \d+", "")
    return refused.with_columns(
        entry=pl.when(number.is_null()).then(entry).otherwise(pl.format("line {}{}", number, rest))
    )
