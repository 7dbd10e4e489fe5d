"""Inputs that several training assets share: the jobs and the events that models may learn from."""

import datetime as dt

import polars as pl

from models.fitting.texts import job_texts, user_texts
from models.fitting.weights import recent

_TEXT_COLUMNS = (
    "job_id", "title", "skills", "description", "company_id", "company", "published_at", "status", "duplicate_of",
)  # fmt: skip


def consented(events: pl.LazyFrame, profiles: pl.LazyFrame) -> pl.LazyFrame:
    """`events` without those of users who opted out of personalisation."""
    refused = profiles.filter(~pl.col("personalization_enabled").fill_null(value=True)).select("user_id")
    return events.join(refused, on="user_id", how="anti")


def texts_of_jobs(
    jobs: pl.LazyFrame, daily: pl.LazyFrame, *, as_of: dt.datetime, days: float, max_characters: int
) -> pl.DataFrame:
    """JOB_TEXTS of the open jobs and of jobs with interactions in the last `days`."""
    used = recent(daily, as_of=as_of, days=days).select("job_id").unique()
    opened = jobs.filter(pl.col("status") == "open").select("job_id")
    wanted = pl.concat([used, opened]).unique()
    chosen = jobs.select(_TEXT_COLUMNS).join(wanted, on="job_id", how="semi").sort("job_id").collect()
    return job_texts(chosen, max_characters=max_characters)


def texts_of_users(profiles: pl.LazyFrame, *, max_characters: int) -> pl.DataFrame:
    """USER_TEXTS of all users with a profile."""
    chosen = profiles.select("user_id", "roles", "skills", "summary").sort("user_id").collect()
    return user_texts(chosen, max_characters=max_characters)


def representatives(jobs: pl.LazyFrame) -> pl.LazyFrame:
    """job_id and duplicate_of of every known job."""
    return jobs.select("job_id", "duplicate_of")


def applications(interactions: pl.LazyFrame, jobs: pl.LazyFrame) -> pl.DataFrame:
    """The last application of each user to each job (user_id, job_id, last_at), duplicates as their representatives."""
    return (
        interactions.filter("is_applied")
        .join(representatives(jobs), on="job_id", how="inner")
        .group_by("user_id", pl.coalesce("duplicate_of", "job_id").alias("job_id"))
        .agg(pl.col("last_at").max())
        .sort("user_id", "job_id")
        .collect()
    )
