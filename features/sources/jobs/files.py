"""Jobs dropped as files, one job a row: JSON lines, CSV and Parquet; JSON lines may hold schema.org objects too."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping

import polars as pl
import polars.selectors as cs
from polars.exceptions import PanicException

from features.sources.charset import decode_feed
from features.sources.jobs.job_posting import find_job_postings, is_linked_data, read_job_posting
from features.sources.lines import CSV_DELIMITERS
from features.sources.parsed import Parsed, Refusal, json_lines
from features.sources.postings import RESERVED_SOURCES, postings, stable_id
from features.sources.timestamps import read_deadline, read_timestamp
from features.sources.values import (
    NotJsonError,
    coordinates,
    flag,
    is_short_id,
    line,
    link,
    listed,
    pay_columns,
    pay_period,
    plain,
    raw_json,
    stated,
    text,
)

DEFAULT_SOURCE = "file"
MAX_SOURCE_ID_CHARACTERS = 128
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_214_400_000  # of the years 1 to 9999
_MAX_FIELD_CHARACTERS = 2_000_000
_SEP_LINE = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)
# The reader of each column of our own format, unless the column has a rule of its own.
_READERS = {
    "url": link,
    **dict.fromkeys(("company", "city", "region", "country"), plain),
    **dict.fromkeys(("company_id", "description"), text),
    **dict.fromkeys(("employment_type", "experience", "career_level"), line),
    **dict.fromkeys(("skills", "tags", "professional_roles"), listed),
    **dict.fromkeys(("published_at", "closed_at"), read_timestamp),
    "expires_at": read_deadline,
}

Entry = tuple[str, object, bytes]  # name, decoded value or an error whose text is the reason of the reject, raw


def parse_jobs_jsonl(body: bytes) -> Parsed:
    """One JSON object a line with our own columns or a schema.org JobPosting; arrays and `@graph` hold many entries."""
    return _collect(_json_entries(body))


def parse_jobs_csv(body: bytes) -> Parsed:
    """A header and one job a row, in any common encoding and with any delimiter of spreadsheets. Lists are JSON arrays
    or separated by `;`, `|` or `,`.
    """
    return _collect(csv_entries(body))


def parse_jobs_parquet(body: bytes) -> Parsed:
    """One job a row; unknown columns are ignored. A file that can't be read is one reject.

    A small file may be made to unpack to all memory: read untrusted files in a process with limits.
    """
    try:
        rows = _within_calendar(pl.read_parquet(io.BytesIO(body))).to_dicts()
    except MemoryError:
        raise
    except (Exception, PanicException) as error:  # damage raises many kinds of exceptions, panics of Polars among them
        return postings([], refused=[("file", "unreadable", type(error).__name__, body[:64])])
    return _collect((f"row {n}", row, b"") for n, row in enumerate(rows, 1))


def _within_calendar(frame: pl.DataFrame) -> pl.DataFrame:
    """Times become null if their year does not exist in Python's calendar."""
    at = cs.datetime()
    return frame.with_columns(pl.when(at.dt.timestamp("ms").is_between(_FIRST_MS, _LAST_MS)).then(at))


def _collect(entries: Iterable[Entry]) -> Parsed:
    rows: list[dict[str, object]] = []
    refused: list[Refusal] = []
    for name, value, raw in entries:
        outcome: dict[str, object] | str
        if isinstance(value, ValueError):
            outcome = str(value)
        elif not isinstance(value, dict):
            outcome = "not_an_object"
        else:
            outcome = _linked_data_row(value) if is_linked_data(value) else _row(value)
        if isinstance(outcome, str):
            refused.append((name, outcome, "", raw or repr(value)[:8192]))
        else:
            rows.append(outcome)
    return postings(rows, refused=refused)


def _json_entries(body: bytes) -> Iterator[Entry]:
    for name, raw, value in json_lines(body):
        if isinstance(value, NotJsonError):
            yield name, ValueError("bad_json"), raw
        elif isinstance(value, list) or (isinstance(value, dict) and "@graph" in value):
            found = list(find_job_postings(value))
            for index, posting in enumerate(found):
                yield f"{name} item {index}", posting, raw_json(posting)
            if not found:
                yield name, ValueError("no_job_posting"), raw
        else:
            yield name, value, raw


def csv_entries(body: bytes) -> Iterator[Entry]:
    """The rows of a CSV file by the names of its header; also what spreadsheets write."""
    decoded = decode_feed(body, content_type=None, url=None)
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    first_line, _, rest = decoded.lstrip("\r\n").partition("\n")
    if named := _SEP_LINE.fullmatch(first_line.strip(" \r")):  # Excel's own line, which names the delimiter
        delimiter, decoded = named[1], rest
    else:
        delimiter = max(CSV_DELIMITERS, key=first_line.count)
    reader = csv.reader(io.StringIO(decoded, newline=""), delimiter=delimiter)
    header: list[str] | None = None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield f"line {reader.line_num}", ValueError("bad_csv"), b""
            continue
        if not row:
            continue
        if header is None:
            header = [column.strip().lower().replace(" ", "_") for column in row]
            continue
        while len(row) > len(header) and not row[-1].strip():  # a delimiter at the end of the line
            row.pop()
        raw = delimiter.join(row).encode("utf-8", "replace")
        is_whole = len(row) == len(header)
        value = dict(zip(header, row, strict=True)) if is_whole else ValueError("wrong_number_of_fields")
        yield f"line {reader.line_num}", value, raw


def _linked_data_row(value: Mapping[str, object]) -> dict[str, object] | str:
    posting = next(find_job_postings(value), None)
    if posting is None:
        return "no_job_posting"
    columns = read_job_posting(posting)
    guid, title = text(columns.pop("guid")), text(columns["title"])
    if title is None:
        return "missing_title"
    url, company, location = text(columns["url"]), text(columns["company"]), text(columns["location_text"])
    source_id = stable_id(guid, url, company, title, location)
    return {"is_complete": True, "source": DEFAULT_SOURCE, "source_id": source_id, **columns}


def _row(written: Mapping[str, object]) -> dict[str, object] | str:
    """The posting of a row with our own columns, or the reason to refuse it."""
    job = stated(written)
    source, written_id = text(job.get("source")) or DEFAULT_SOURCE, job.get("source_id")
    source_id, title = text(written_id), plain(job.get("title"))
    if source_id is None:
        return "missing_source_id"
    # Tidied it could be the id of another job.
    is_untidy = isinstance(written_id, str) and written_id.strip() != source_id
    if is_untidy or len(source_id) > MAX_SOURCE_ID_CHARACTERS or not source_id.isprintable():
        return "bad_source_id"
    if not is_short_id(source):
        return "bad_source"
    if source in RESERVED_SOURCES - {DEFAULT_SOURCE}:
        return "reserved_source"
    if title is None:
        return "missing_title"
    return {
        **{name: read(job.get(name)) for name, read in _READERS.items()},
        "is_complete": True,
        "source": source,
        "source_id": source_id,
        "title": title,
        "location_text": plain(job.get("location")) or plain(job.get("location_text")),
        **coordinates(job.get("latitude"), job.get("longitude")),
        "work_format": _work_format(job),
        **_salary(job),
        "language": (text(job.get("language")) or "").lower() or None,
    }


def _work_format(job: Mapping[str, object]) -> str | None:
    """`work_format` if given, else `remote`, which is a boolean or a word such as "hybrid"."""
    if work_format := line(job.get("work_format")):
        return work_format
    is_remote = flag(job.get("remote"))
    if is_remote is None:
        return line(job.get("remote")) if isinstance(job.get("remote"), str) else None
    return "remote" if is_remote else "on_site"


def _salary(job: Mapping[str, object]) -> dict[str, object]:
    currency, period = (text(job.get("salary_currency")) or "").upper(), pay_period(job.get("salary_period"))
    found = pay_columns(job.get("salary_min"), job.get("salary_max"), currency=currency, period=period)
    if not found:
        return {"salary_text": line(job.get("salary")) or line(job.get("salary_text"))}
    return {**found, "salary_gross": flag(job.get("salary_gross"))}
