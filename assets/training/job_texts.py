"""The texts of jobs that are embedded, made once for the steps of a run that need them."""

import datetime as dt

import polars as pl

from assets.lake import Lake, file_identity
from assets.once import Once
from features.schemas.catalog import DAILY_JOB_COUNTS, JOBS
from models.fitting.texts import job_texts
from models.fitting.user_vectors import HISTORY_DAYS
from models.fitting.weights import recent

_COLUMNS = ("job_id", "title", "skills", "description", "company_id", "company", "published_at")
_LAST = Once[pl.DataFrame]()


def texts_of_jobs(lake: Lake, *, as_of: dt.datetime, max_characters: int) -> pl.DataFrame:
    """JOB_TEXTS of the open jobs and of those that vectors of users are made of: with events in their period.

    Those of the last call if it was for the same files.
    """
    files = [*lake.files("catalog", JOBS.name), *lake.files("catalog", DAILY_JOB_COUNTS.name)]
    made_of = lake.root, as_of, max_characters, file_identity(files)
    return _LAST.get(made_of, lambda: _texts(lake, as_of=as_of, max_characters=max_characters))


def _texts(lake: Lake, *, as_of: dt.datetime, max_characters: int) -> pl.DataFrame:
    jobs = lake.scan("catalog", JOBS)
    # Counts by job are a hundredth of those by user and job.
    used = recent(lake.scan("catalog", DAILY_JOB_COUNTS), as_of=as_of, days=HISTORY_DAYS).select("job_id")
    opened = jobs.filter(pl.col("status") == "open").select("job_id")
    wanted = pl.concat([used, opened]).unique()
    chosen = jobs.select(_COLUMNS).join(wanted, on="job_id", how="semi").sort("job_id").collect()
    return job_texts(chosen, max_characters=max_characters)
