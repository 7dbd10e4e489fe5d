"""Landed job files to parsed postings: large JSON lines block by block, the other formats whole."""

from collections.abc import Iterator

import polars as pl

from assets.ingest.landing import LandedFile
from assets.ingest.quarantine import UNREADABLE, UNSUPPORTED, whole_file
from features.sources.job_files import parse_jobs_csv, parse_jobs_jsonl, parse_jobs_parquet
from features.sources.lines import UnreadableFileError, read_blocks
from features.sources.parsed import Parsed, rejects
from features.sources.postings import PARSED_POSTINGS

MAX_WHOLE_FILE_BYTES = 1_000_000_000
FORMATS = (".jsonl", ".jsonl.gz", ".csv", ".parquet")


def read_job_file(file: LandedFile) -> Iterator[Parsed]:
    """The postings of one file in one or more pieces. Never raises for what the file holds."""
    if file.suffixes not in FORMATS:
        yield _refused(UNSUPPORTED, f"{file.suffixes or 'no suffix'}; expected one of {', '.join(FORMATS)}")
    elif file.suffixes.startswith(".jsonl"):
        yield from _read_lines(file)
    elif file.size_bytes > MAX_WHOLE_FILE_BYTES:
        yield _refused(UNREADABLE, f"{file.size_bytes} bytes; at most {MAX_WHOLE_FILE_BYTES} are read")
    else:
        parse = parse_jobs_csv if file.suffixes == ".csv" else parse_jobs_parquet
        yield parse(file.path.read_bytes())


def _read_lines(file: LandedFile) -> Iterator[Parsed]:
    last_line = 0
    try:
        for block in read_blocks(file.path):
            last_line = block.first_line
            parsed = parse_jobs_jsonl(block.lines)
            too_long = rejects((f"line {number}", "too_long", "", head) for number, head in block.too_long)
            numbered = _renumbered(parsed.rejects, by=block.first_line - 1)
            yield Parsed(parsed.rows, pl.concat([numbered, too_long]))
    except (UnreadableFileError, OSError) as error:
        yield Parsed(
            PARSED_POSTINGS.empty(), rejects([(f"after line {last_line}", UNREADABLE, type(error).__name__, b"")])
        )


def _renumbered(refused: pl.DataFrame, *, by: int) -> pl.DataFrame:
    """`refused`, whose entries count lines within a block, counting them within the file."""
    entry = pl.col("entry")
    number = entry.str.extract(r"^line (\d+)").cast(pl.Int64) + by
    return refused.with_columns(
        entry=pl.when(number.is_null()).then(entry).otherwise(
            pl.format("line {}{}", number, entry.str.replace(r"^line \d+", ""))
        )
    )  # fmt: skip


def _refused(reason: str, detail: str) -> Parsed:
    return Parsed(PARSED_POSTINGS.empty(), whole_file(reason, detail=detail))
