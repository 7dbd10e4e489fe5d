"""Job files mutated: postings or rejects."""

import io

import polars as pl
from hypothesis import given

from features.sources.jobs.files import parse_jobs_csv, parse_jobs_jsonl, parse_jobs_parquet
from features.sources.postings import PARSED_POSTINGS
from tests.features.sources.fuzzing import FUZZ, check, dumped, json_bodies, mutated_bytes
from tests.features.sources.jobs.test_files import JOB, LINKED

CSV = (
    b"source_id,title,company,skills,salary_min,published_at,remote\n"
    b'1,Cook,"Diner, the ""Best""",grill;knife,"50 000",2026-01-01,true\n'
    b'2,Nurse,Clinic,"care\nheart",,12.03.2026,hybrid\n'
)


def parquet() -> bytes:
    file = io.BytesIO()
    pl.DataFrame(
        {"source_id": ["1", "2"], "title": ["Cook", None], "skills": [["grill"], []], "salary_min": [1.0, float("nan")]}
    ).write_parquet(file)
    return file.getvalue()


PARQUET = parquet()


@given(json_bodies(JOB, LINKED, [LINKED, LINKED], {"@context": "https://schema.org", "@graph": [LINKED]}))
@FUZZ
def test_job_lines_are_postings_or_rejects_and_take_no_good_one_with_them(body: bytes) -> None:
    good = [dumped({**JOB, "source_id": name}) for name in ("good-1", "good-2")]
    parsed = check(parse_jobs_jsonl, good[0] + b"\n" + body + b"\n" + good[1], PARSED_POSTINGS)
    assert {"file:good-1", "file:good-2"} <= set(parsed.rows["job_id"])


@given(mutated_bytes((CSV,)))
@FUZZ
def test_job_csv_is_postings_or_rejects(body: bytes) -> None:
    check(parse_jobs_csv, body, PARSED_POSTINGS)


@given(mutated_bytes((PARQUET,)))
@FUZZ
def test_job_parquet_is_postings_or_rejects(body: bytes) -> None:
    check(parse_jobs_parquet, body, PARSED_POSTINGS)
