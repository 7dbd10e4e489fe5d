"""The catalog assets: typed and de-duplicated jobs, users and interactions from bronze rows."""

import dagster as dg
import polars as pl

from assets.catalog.checks import ASSET_CHECKS as ASSET_CHECKS
from assets.catalog.counting import count_days
from assets.catalog.folding import fold_days
from assets.catalog.job_changes import replace_jobs
from assets.catalog.normalising import current_versions, normalise_new, normaliser_name
from assets.catalog.people import Merge
from assets.config.sources import Sources
from assets.declare import asset
from assets.io import StoredTable
from assets.resources import RunClock, Workspace, upkeep_of
from features.jobs.dedupe import collapse
from features.jobs.postings import Vocabulary
from features.jobs.versions import fold_jobs
from features.localisation.jobs import with_reader_names
from features.localisation.places import PlaceNames
from features.schemas.catalog import DAILY_INTERACTIONS, INTERACTIONS, JOB_VERSIONS, JOBS, USERS


@asset("catalog/job_versions", inputs=("bronze/feed_postings", "bronze/hh_postings", "bronze/file_postings"))
def job_versions(
    feed_postings: pl.LazyFrame, hh_postings: pl.LazyFrame, file_postings: pl.LazyFrame, workspace: Workspace
) -> dg.Output[StoredTable]:
    """Every posting version once, cleaned and typed; only new versions are normalised."""
    done = normalise_new(workspace.lake, [feed_postings, hh_postings, file_postings], vocabulary=workspace.vocabulary)
    return dg.Output(
        StoredTable(JOB_VERSIONS, done.n_rows),
        metadata={"n_new_versions": done.n_new, "normaliser": done.normaliser},
    )


@asset("catalog/jobs", inputs=("bronze/sightings",), deps=("catalog/job_versions",))
def jobs(
    context: dg.AssetExecutionContext, sightings: pl.LazyFrame, workspace: Workspace, clock: RunClock
) -> dg.Output[StoredTable]:
    """One row per job at as_of: its newest version, first and last sighting, status, and the job that it duplicates."""
    sources = workspace.config.sources
    folded = fold_jobs(
        current_versions(workspace.lake, normaliser_name(workspace.vocabulary)),
        sightings,
        as_of=clock.as_of(context),
        stale_after_days=stale_after_days(sources),
        default_days=sources.file_stale_after_days,
    )
    found = collapse(folded).sort("job_id")
    table = with_reader_names(found, places=PlaceNames.load(workspace.vocabulary), boards=sources.boards)
    replace_jobs(workspace.lake, table)
    by_status = dict(table.group_by("status").len().sort("status").iter_rows())
    return dg.Output(
        StoredTable(JOBS, len(table)),
        metadata={"n_duplicates": table["duplicate_of"].count(), **{f"n_{k}": v for k, v in by_status.items()}},
    )


@asset("catalog/users", inputs=("bronze/erasures",), deps=("bronze/user_records", "bronze/resumes"))
def users(
    context: dg.AssetExecutionContext, erasures: pl.LazyFrame, workspace: Workspace, clock: RunClock
) -> dg.Output[StoredTable]:
    """One row per user: the stated profile, completed by the resume, in canonical names, without erased users."""
    merge = Merge(
        workspace.lake,
        erasures.collect(),
        lambda: Vocabulary.load(workspace.vocabulary),
        normaliser_name(workspace.vocabulary),
        clock.as_of(context),
    )
    return dg.Output(StoredTable(USERS, merge.update(upkeep_of(context, workspace.lake, as_of=merge.as_of))))


@asset(
    "catalog/daily_interactions",
    inputs=("bronze/erasures",),
    deps=("bronze/events", "bronze/application_log"),
    kinds=("duckdb",),
)
def daily_interactions(
    context: dg.AssetExecutionContext, erasures: pl.LazyFrame, workspace: Workspace, clock: RunClock
) -> dg.Output[StoredTable]:
    """Events counted by day, user and job; a day is counted again only if its events changed."""
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


@asset("catalog/interactions", inputs=("bronze/erasures",), deps=("catalog/daily_interactions",), kinds=("duckdb",))
def interactions(
    context: dg.AssetExecutionContext, erasures: pl.LazyFrame, workspace: Workspace, clock: RunClock
) -> dg.Output[StoredTable]:
    """All kept days of a user's events on a job as one row: counters, weight, and whether it is saved, applied to …."""
    pipeline, as_of = workspace.config.pipeline, clock.as_of(context)
    n_rows = fold_days(
        workspace.lake,
        erasures.collect(),
        as_of=as_of,
        retention_days=pipeline.event_retention_days,
        memory_limit=pipeline.duckdb_memory_limit,
        upkeep=upkeep_of(context, workspace.lake, as_of=as_of),
    )
    return dg.Output(StoredTable(INTERACTIONS, n_rows))


def stale_after_days(sources: Sources) -> pl.DataFrame:
    """Columns source, days: a job that was not seen for so many days is closed; files have the default."""
    days = {feed.name: feed.stale_after_days for feed in sources.feeds} | {"hh": sources.hh.stale_after_days}
    return pl.DataFrame(
        {"source": list(days), "days": list(days.values())}, schema={"source": pl.String, "days": pl.Int64}
    )


ASSETS = [job_versions, jobs, users, daily_interactions, interactions]
