"""Catalog: bronze rows become typed, de-duplicated jobs, users and interactions."""

import dagster as dg
import polars as pl

from assets.catalog.checks import ASSET_CHECKS as ASSET_CHECKS
from assets.catalog.counting import count_days, fold_days
from assets.catalog.normalising import current_versions, normalise_new, normaliser_name
from assets.config import Sources
from assets.io import StoredTable
from assets.resources import RunClock, Workspace
from features.jobs.dedupe import collapse
from features.jobs.postings import Vocabulary
from features.jobs.versions import fold_jobs
from features.schemas.catalog import DAILY_INTERACTIONS, INTERACTIONS, JOB_VERSIONS
from features.users.folding import fold_users

_GROUP = "catalog"
_OWNERS = ["team:jobfeed"]


@dg.asset(
    key=["catalog", "job_versions"],
    group_name=_GROUP,
    kinds={"polars", "parquet"},
    owners=_OWNERS,
    io_manager_key="lake_io",
    code_version="1",
    ins={
        "feed_postings": dg.AssetIn(key=["bronze", "feed_postings"]),
        "hh_postings": dg.AssetIn(key=["bronze", "hh_postings"]),
        "file_postings": dg.AssetIn(key=["bronze", "file_postings"]),
    },
)
def job_versions(
    feed_postings: pl.LazyFrame, hh_postings: pl.LazyFrame, file_postings: pl.LazyFrame, workspace: Workspace
) -> dg.Output[StoredTable]:
    """Every posting version once, cleaned and typed; only versions not met before are normalised."""
    done = normalise_new(workspace.lake, [feed_postings, hh_postings, file_postings], vocabulary=workspace.vocabulary)
    return dg.Output(
        StoredTable(JOB_VERSIONS, done.n_rows),
        metadata={"n_new_versions": done.n_new, "normaliser": done.normaliser},
    )


@dg.asset(
    key=["catalog", "jobs"],
    group_name=_GROUP,
    kinds={"polars", "parquet"},
    owners=_OWNERS,
    io_manager_key="lake_io",
    code_version="1",
    deps=[dg.AssetKey(["catalog", "job_versions"])],
    ins={"sightings": dg.AssetIn(key=["bronze", "sightings"])},
)
def jobs(
    context: dg.AssetExecutionContext, sightings: pl.LazyFrame, workspace: Workspace, clock: RunClock
) -> dg.Output[pl.DataFrame]:
    """One row a job at as_of: its newest version, first and last sight, status, and the job it duplicates."""
    sources = workspace.config.sources
    folded = fold_jobs(
        current_versions(workspace.lake, normaliser_name(workspace.vocabulary)),
        sightings,
        as_of=clock.as_of(context),
        stale_after_days=stale_after_days(sources),
        default_days=sources.file_stale_after_days,
    )
    table = collapse(folded).sort("job_id")
    by_status = dict(table.group_by("status").len().sort("status").iter_rows())
    return dg.Output(
        table, metadata={"n_duplicates": table["duplicate_of"].count(), **{f"n_{k}": v for k, v in by_status.items()}}
    )


@dg.asset(
    key=["catalog", "users"],
    group_name=_GROUP,
    kinds={"polars", "parquet"},
    owners=_OWNERS,
    io_manager_key="lake_io",
    code_version="1",
    ins={
        "user_records": dg.AssetIn(key=["bronze", "user_records"]),
        "resumes": dg.AssetIn(key=["bronze", "resumes"]),
        "erasures": dg.AssetIn(key=["bronze", "erasures"]),
    },
)
def users(
    context: dg.AssetExecutionContext,
    user_records: pl.LazyFrame,
    resumes: pl.LazyFrame,
    erasures: pl.LazyFrame,
    workspace: Workspace,
    clock: RunClock,
) -> pl.DataFrame:
    """One row a user: what was stated, completed by the resume, in canonical names; erased users are gone."""
    return fold_users(
        user_records,
        resumes,
        erasures,
        as_of=clock.as_of(context),
        vocabulary=Vocabulary.load(workspace.vocabulary),
    )


@dg.asset(
    key=["catalog", "daily_interactions"],
    group_name=_GROUP,
    kinds={"duckdb", "parquet"},
    owners=_OWNERS,
    io_manager_key="lake_io",
    code_version="1",
    deps=[dg.AssetKey(["bronze", "events"])],
    ins={"erasures": dg.AssetIn(key=["bronze", "erasures"])},
)
def daily_interactions(
    context: dg.AssetExecutionContext, erasures: pl.LazyFrame, workspace: Workspace, clock: RunClock
) -> dg.Output[StoredTable]:
    """Events counted per day, user and job; a day is counted again only when its events changed."""
    pipeline = workspace.config.pipeline
    counted = count_days(
        workspace.lake,
        erasures.collect(),
        as_of=clock.as_of(context),
        retention_days=pipeline.event_retention_days,
        memory_limit=pipeline.duckdb_memory_limit,
    )
    return dg.Output(
        StoredTable(DAILY_INTERACTIONS, counted.n_rows),
        metadata={"n_days": counted.n_days, "n_days_recounted": counted.n_recounted},
    )


@dg.asset(
    key=["catalog", "interactions"],
    group_name=_GROUP,
    kinds={"duckdb", "parquet"},
    owners=_OWNERS,
    io_manager_key="lake_io",
    code_version="1",
    deps=[dg.AssetKey(["catalog", "daily_interactions"])],
    ins={"erasures": dg.AssetIn(key=["bronze", "erasures"])},
)
def interactions(
    context: dg.AssetExecutionContext, erasures: pl.LazyFrame, workspace: Workspace, clock: RunClock
) -> StoredTable:
    """All kept days of a user's events on a job as one row: counters, weight, and what the user has decided."""
    pipeline = workspace.config.pipeline
    n_rows = fold_days(
        workspace.lake,
        erasures.collect(),
        as_of=clock.as_of(context),
        retention_days=pipeline.event_retention_days,
        memory_limit=pipeline.duckdb_memory_limit,
    )
    return StoredTable(INTERACTIONS, n_rows)


def stale_after_days(sources: Sources) -> pl.DataFrame:
    """Columns source, days: after how long unseen a job of a source is taken for over; files go by the default."""
    days = {feed.name: feed.stale_after_days for feed in sources.feeds} | {"hh": sources.hh.stale_after_days}
    return pl.DataFrame(
        {"source": list(days), "days": list(days.values())}, schema={"source": pl.String, "days": pl.Int64}
    )


ASSETS = [job_versions, jobs, users, daily_interactions, interactions]
