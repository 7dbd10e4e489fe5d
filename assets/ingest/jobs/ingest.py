"""Job files of every format from landing/ to bronze."""

import datetime as dt
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from assets.ingest.jobs.posting_writer import PostingWriter
from assets.ingest.jobs.postings import store_replayed
from assets.ingest.landing import LandedFile, RefusedFileError, list_landed
from assets.ingest.landing_run import landing_run, parse_in_blocks
from assets.ingest.report import RunReport
from assets.ingest.worker import NOT_STARTED, Worker, WorkerError
from assets.lake import Lake
from features.schemas.bronze import FILE_POSTINGS
from features.sources.jobs.files import parse_jobs_csv, parse_jobs_jsonl, parse_jobs_parquet
from features.sources.lines import whole_lines
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS

SOURCE = "file"
FORMATS = (".jsonl", ".jsonl.gz", ".csv", ".parquet")
MEMORY_BYTES = 3_000_000_000
FIRST_SECONDS = 60.0
_BYTES_PER_SECOND = 500_000
MAX_WHOLE_FILE_BYTES = 256_000_000  # CSV and Parquet are read whole, at several times their size


def ingest_job_files(lake: Lake, landing: Path, *, as_of: dt.datetime) -> RunReport:
    """Reads the job files landed in `landing/jobs/`. A file that is exported again unchanged is a new sighting."""
    report = RunReport()
    with (
        landing_run(lake, "jobs", report, as_of=as_of, source=SOURCE, repeats=True) as run,
        Worker(parse_jobs_parquet, MEMORY_BYTES) as parquet,
    ):
        writer = PostingWriter(lake, FILE_POSTINGS, store_replayed, report, as_of)
        for file, parsed in run.read(
            list_landed(landing, "jobs"), partial(read_job_file, parquet=parquet), PARSED_POSTINGS
        ):
            writer.add(parsed, source=SOURCE, origin=file.name)
        writer.flush()
    return report


def read_job_file(file: LandedFile, *, parquet: Worker) -> Iterator[Parsed]:
    """The postings of one file in one or more pieces. Raises RefusedFileError before the first piece."""
    file.require_format(FORMATS)
    if file.suffixes.startswith(".jsonl"):
        yield from parse_in_blocks(file.path, parse_jobs_jsonl, may_grow=file.may_grow)
    else:
        body = file.read(max_bytes=MAX_WHOLE_FILE_BYTES, hint=" (JSON lines may be larger)")
        if file.suffixes == ".parquet":
            yield in_worker(parquet, body)
        else:
            yield parse_jobs_csv(whole_lines(body) if file.may_grow else body)


def in_worker(parquet: Worker, body: bytes) -> Parsed:
    """The rows of a Parquet file, read in a process of its own: kilobytes may unpack to all memory."""
    seconds = FIRST_SECONDS + len(body) / _BYTES_PER_SECOND
    try:
        parsed: Parsed = parquet.call(body, deadline_seconds=seconds)
        return parsed
    except WorkerError as error:
        if str(error) == NOT_STARTED:  # the file is not at fault
            raise
        raise RefusedFileError(str(error).partition(" ")[0], f"{len(body)} bytes of Parquet") from None
