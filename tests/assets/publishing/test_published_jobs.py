"""Which jobs a generation holds beside the open ones."""

import datetime as dt
from pathlib import Path

import polars as pl

from assets.lake import Lake
from assets.publishing.published_jobs import published_jobs
from features.schemas.catalog import INTERACTIONS, JOBS
from tests import factories

AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def interactions(kinds: dict[str, str]) -> pl.DataFrame:
    """One user's interactions, job_id -> the one flag that is set."""
    flags = ("is_seen", "is_saved", "is_applied", "is_dismissed")
    rows = [
        {"user_id": "anna", "job_id": job_id, "first_at": AT, "last_at": AT, "weight": 1}
        | {flag: flag == kind for flag in flags}
        for job_id, kind in kinds.items()
    ]
    return INTERACTIONS.conform(pl.DataFrame(rows))


def test_closed_jobs_that_reasons_may_name_are_published_and_no_other_closed_ones(tmp_path: Path) -> None:
    kinds = {"hh:saved": "is_saved", "hh:applied": "is_applied", "hh:seen": "is_seen", "hh:gone": "is_dismissed"}
    closed = [{"job_id": job_id, "status": "closed"} for job_id in [*kinds, "hh:never-met"]]
    lake = Lake(tmp_path)
    lake.replace("catalog", JOBS, factories.jobs(closed))
    lake.replace("catalog", INTERACTIONS, interactions(kinds))

    closed_ones = published_jobs(lake).filter(pl.col("status") == "closed").select("job_id").collect()

    assert closed_ones["job_id"].sort().to_list() == ["hh:applied", "hh:saved", "hh:seen"]
    assert published_jobs(lake).filter(pl.col("status") == "open").collect().height == len(factories.JOB_IDS)
