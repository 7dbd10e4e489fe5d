"""Tests of which jobs have texts that are embedded."""

import datetime as dt
from pathlib import Path

import polars as pl

from assets.lake import Lake
from assets.training.job_texts import texts_of_jobs
from features.schemas.catalog import DAILY_JOB_COUNTS, JOBS
from models.fitting.user_vectors import HISTORY_DAYS
from tests.factories import AS_OF, jobs


def count_events(lake: Lake, *, days_ago: int, job_id: str) -> None:
    """Some events on a job on one day."""
    then = AS_OF - dt.timedelta(days=days_ago)
    counts = pl.DataFrame([{"date": then.date(), "job_id": job_id, "last_at": then}])
    lake.replace_partition("catalog", DAILY_JOB_COUNTS, f"date={then.date()}", DAILY_JOB_COUNTS.conform(counts))


def ids(lake: Lake) -> list[str]:
    return texts_of_jobs(lake, as_of=AS_OF, max_characters=100)["job_id"].to_list()


def test_closed_jobs_have_texts_as_long_as_vectors_of_users_are_made_of_them(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    catalog = jobs([{"job_id": f"hh:{number}", "status": "closed"} for number in (1, 2, 3)])
    lake.replace("catalog", JOBS, catalog)
    opened = catalog.filter(status="open")["job_id"].to_list()
    assert opened and ids(lake) == opened
    count_events(lake, days_ago=HISTORY_DAYS - 1, job_id="hh:1")
    count_events(lake, days_ago=HISTORY_DAYS, job_id="hh:2")
    assert ids(lake) == sorted(["hh:1", *opened])


def test_texts_are_made_again_once_jobs_or_events_changed(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace("catalog", JOBS, jobs())
    first = texts_of_jobs(lake, as_of=AS_OF, max_characters=100)
    assert texts_of_jobs(lake, as_of=AS_OF, max_characters=100) is first
    lake.replace("catalog", JOBS, jobs([{"job_id": "hh:1", "title": "Pilot"}]))
    again = texts_of_jobs(lake, as_of=AS_OF, max_characters=100)
    assert again.filter(job_id="hh:1")["title"].to_list() == ["Pilot"]
    assert texts_of_jobs(lake, as_of=AS_OF, max_characters=3)["title"].str.len_chars().max() == 3
