"""Landed job files to parsed postings, whatever their format."""

from collections.abc import Iterator

from assets.ingest.landing import LandedFile
from assets.ingest.line_files import parse_in_blocks
from assets.ingest.quarantine import UNREADABLE, UNSUPPORTED, whole_file
from features.sources.jobs.files import parse_jobs_csv, parse_jobs_jsonl, parse_jobs_parquet
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS

MAX_WHOLE_FILE_BYTES = 256_000_000  # CSV and Parquet are read whole, at several times their size
FORMATS = (".jsonl", ".jsonl.gz", ".csv", ".parquet")


def read_job_file(file: LandedFile) -> Iterator[Parsed]:
    """The postings of one file in one or more pieces. Never raises for what the file holds."""
    if file.suffixes not in FORMATS:
        yield _refused(UNSUPPORTED, f"{file.suffixes or 'no suffix'}; expected one of {', '.join(FORMATS)}")
    elif file.suffixes.startswith(".jsonl"):
        yield from parse_in_blocks(file.path, parse_jobs_jsonl)
    elif file.size_bytes > MAX_WHOLE_FILE_BYTES:
        detail = f"{file.size_bytes} bytes; at most {MAX_WHOLE_FILE_BYTES} are read, of JSON lines any number"
        yield _refused(UNREADABLE, detail)
    else:
        parse = parse_jobs_csv if file.suffixes == ".csv" else parse_jobs_parquet
        try:
            body = file.path.read_bytes()
        except OSError as error:  # gone or locked since it was listed
            yield _refused(UNREADABLE, type(error).__name__)
        else:
            yield parse(body)


def _refused(reason: str, detail: str) -> Parsed:
    return Parsed(PARSED_POSTINGS.empty(), whole_file(reason, detail=detail))
