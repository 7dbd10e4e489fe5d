"""Job files of every format from landing/ to bronze."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from assets.ingest.jobs.posting_writer import PostingWriter
from assets.ingest.jobs.postings import store_replayed
from assets.ingest.landing import LandedFile, list_landed
from assets.ingest.landing_run import landing_run, parse_in_blocks
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import FILE_POSTINGS
from features.sources.jobs.files import parse_jobs_csv, parse_jobs_jsonl, parse_jobs_parquet
from features.sources.lines import whole_lines
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS

SOURCE = "file"
FORMATS = (".jsonl", ".jsonl.gz", ".csv", ".parquet")
MAX_WHOLE_FILE_BYTES = 256_000_000  # CSV and Parquet are read whole, at several times their size


def ingest_job_files(lake: Lake, landing: Path, *, as_of: dt.datetime) -> RunReport:
    """Reads the job files landed in `landing/jobs/`. A file that is exported again unchanged is a new sighting."""
    report = RunReport()
    with landing_run(lake, "jobs", report, as_of=as_of, source=SOURCE, repeats=True) as run:
        writer = PostingWriter(lake, FILE_POSTINGS, store_replayed, report, as_of)
        for file, parsed in run.read(list_landed(landing, "jobs"), read_job_file, PARSED_POSTINGS):
            writer.add(parsed, source=SOURCE, origin=file.name)
        writer.flush()
    return report


def read_job_file(file: LandedFile) -> Iterator[Parsed]:
    """The postings of one file in one or more pieces. Raises RefusedFileError before the first piece."""
    file.require_format(FORMATS)
    if file.suffixes.startswith(".jsonl"):
        yield from parse_in_blocks(file.path, parse_jobs_jsonl, may_grow=file.may_grow)
    else:
        body = file.read(max_bytes=MAX_WHOLE_FILE_BYTES, hint=" (JSON lines may be larger)")
        if file.suffixes == ".parquet":
            yield parse_jobs_parquet(body)
        else:
            yield parse_jobs_csv(whole_lines(body) if file.may_grow else body)
