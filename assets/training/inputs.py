"""Inputs that several training assets share: the jobs and the events that models may learn from."""

import polars as pl

from models.fitting.texts import user_texts


def consented(events: pl.LazyFrame, profiles: pl.LazyFrame) -> pl.LazyFrame:
    """`events` without those of users who opted out of personalisation."""
    refused = profiles.filter(~pl.col("personalization_enabled").fill_null(value=True)).select("user_id")
    return events.join(refused, on="user_id", how="anti")


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
