"""The catalog's table of follow-ups: what each user may write to employers, and when."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from assets.catalog.application_updates import Beside, refresh, users_of_changed_jobs
from assets.catalog.job_changes import mark_of_jobs
from assets.declare import asset
from assets.increments import changed_since, mark_of
from assets.io import StoredTable
from assets.lake import Lake
from assets.resources import RunClock, Workspace, upkeep_of
from assets.user_rows import rows_of_users
from features.applications.follow_ups import follow_ups
from features.applications.runs import is_far_ahead
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS, FOLLOW_UPS, JOBS, USERS
from serving.contract.tables import LANGUAGES

_STAGE = "catalog"
_USERS_AT_ONCE = 10_000  # so that memory is bounded: what is computed on the way is much larger than the table


@asset(
    "catalog/follow_ups", deps=("catalog/application_events", "catalog/applications", "catalog/users", "catalog/jobs")
)
def follow_ups_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock
) -> dg.Output[StoredTable]:
    """Follow-ups by follow_ups.yaml: drafts that the user may send, when they are due, and what became of them.

    Computed are users with new events, and those of whom a step fell due or expired since; by a daily run also those
    with another profile, or with applications of whose jobs something else is said.
    """
    lake, as_of, settings = workspace.lake, clock.as_of(context), workspace.config.follow_ups

    def rows_of(timelines: pl.DataFrame, users: pl.Series) -> pl.DataFrame:
        return follow_ups(timelines, described_applications(lake, users), settings.plan, as_of=as_of)

    n_rows = refresh(
        lake,
        FOLLOW_UPS,
        rows_of,
        as_of=as_of,
        upkeep=upkeep_of(context, lake, as_of=as_of),
        also=lambda: applications_with_other_steps(lake, as_of=as_of),
        beside=of_users_and_jobs(lake, settings=repr(settings)),
        users_at_once=_USERS_AT_ONCE,
    )
    counts = lake.scan(_STAGE, FOLLOW_UPS).group_by("status").len().sort("status").collect()
    n_due = int(lake.scan(_STAGE, FOLLOW_UPS).select(pl.col("is_due").sum()).collect().item())
    metadata = {f"n_{status}": n for status, n in counts.iter_rows()} | {"n_due_now": n_due}
    return dg.Output(StoredTable(FOLLOW_UPS, n_rows), metadata=metadata)


def described_applications(lake: Lake, users: pl.Series) -> pl.DataFrame:
    """What drafts say of each application of `users` (sorted): company, role, language, country, time zone of the user.

    Language and country are the job's, else the user's.
    """
    people = rows_of_users(users, lake.scan(_STAGE, USERS)).select(
        "user_id", "timezone", user_country="country", user_language="language"
    )
    known = rows_of_users(users, lake.scan(_STAGE, APPLICATIONS)).select(
        "user_id", "application_id", "job_id", "company", role="title"
    )
    of_jobs = lake.scan(_STAGE, JOBS).select("job_id", job_country="country", job_language="language")
    jobs = of_jobs.join(known.select("job_id").drop_nulls().unique(), on="job_id", how="semi")

    def spoken(name: str) -> pl.Expr:
        return pl.when(pl.col(name).is_in(LANGUAGES)).then(name)

    return (
        known.join(people, on="user_id", how="left")
        .join(jobs, on="job_id", how="left")
        .select(
            "user_id",
            "application_id",
            "company",
            "role",
            "timezone",
            country=pl.coalesce("job_country", "user_country"),
            language=pl.coalesce(spoken("job_language"), spoken("user_language"), pl.lit(LANGUAGES[0])),
        )
        .collect()
    )


def applications_with_other_steps(lake: Lake, *, as_of: dt.datetime) -> pl.DataFrame:
    """user_id, application_id of those of which a step fell due or expired, though nothing was told."""
    is_due = pl.col("due_at") <= as_of
    is_past = pl.col("expires_at") <= as_of
    stored = lake.scan(_STAGE, FOLLOW_UPS).filter(
        pl.col("status") == "due", is_past | is_due.ne_missing(pl.col("is_due"))
    )
    return stored.select("user_id", "application_id").collect()


def of_users_and_jobs(lake: Lake, *, settings: str) -> Beside:
    """What follow-ups are made of beside timelines: users' profiles, jobs, and how near they are."""

    def users_since(before: Mapping[str, Any]) -> pl.Series | None:
        beside, since = before["beside"], dt.datetime.fromisoformat(before["until"])
        far = lake.scan(_STAGE, APPLICATION_EVENTS).filter(is_far_ahead(since=since)).select("user_id").collect()
        found = [
            far["user_id"],
            users_of_changed_jobs(lake, beside["jobs"]),
            changed_since(lake, _STAGE, USERS.name, beside["users"], "user_id"),
        ]
        known = [users for users in found if users is not None]
        return pl.concat(known) if len(known) == len(found) else None

    marks = {"users": mark_of(lake, _STAGE, USERS.name), "jobs": mark_of_jobs(lake)}
    return Beside(marks, users_since, settings)


ASSETS = [follow_ups_table]
