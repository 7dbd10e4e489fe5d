"""Ingest: what landed, and what feeds and HH answer, into bronze tables that only grow. Nothing is interpreted yet."""

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg
import polars as pl

from assets.ingest.compaction import compact, last_of_each_day
from assets.ingest.events import ingest_events
from assets.ingest.hh_client import HHClient
from assets.ingest.http import HttpClient
from assets.ingest.pacing import HostPacer
from assets.ingest.people import ingest_erasures, ingest_users
from assets.ingest.posting_runs import ingest_feeds, ingest_hh, ingest_job_files
from assets.ingest.report import RunReport, markdown_table
from assets.ingest.resumes import ingest_resumes
from assets.io import StoredTable
from assets.lake import Lake
from assets.resources import RunClock, Workspace
from features.schemas import (
    ERASURES,
    EVENTS,
    FEED_POSTINGS,
    FILE_POSTINGS,
    HH_POSTINGS,
    QUARANTINE,
    RESUMES,
    SIGHTINGS,
    USER_RECORDS,
    Table,
)
from features.skills import SkillVocabulary

HH_TOKEN_VARIABLE = "HH_ACCESS_TOKEN"  # noqa: S105  the variable's name
PARTS_KEPT_APART = 100
_ERASURES_KEY = dg.AssetKey(["bronze", "erasures"])
_POSTING_KEYS = [dg.AssetKey(["bronze", table.name]) for table in (FEED_POSTINGS, HH_POSTINGS, FILE_POSTINGS)]


def _bronze(
    table: Table, *, deps: Iterable[dg.AssetKey] = ()
) -> Callable[[Callable[..., dg.Output[Any]]], dg.AssetsDefinition]:
    """Declares `bronze/<table>`, an asset that writes its parts itself."""
    return dg.asset(
        key=["bronze", table.name],
        deps=list(deps),
        group_name="ingest",
        kinds={"polars", "parquet"},
        owners=["team:jobfeed"],
        io_manager_key="lake_io",
        code_version="1",
    )


@_bronze(FEED_POSTINGS)
def feed_postings(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every version of every posting of the feeds: those enabled in sources.yaml, fetched side by side, and those
    landed in `landing/feeds/<name>/`. A bad feed is reported and harms no other."""
    sources = workspace.config.sources
    client = HttpClient(sources.http, HostPacer(sources.http.requests_per_host_per_second))
    report = ingest_feeds(workspace.lake, workspace.landing, sources, client, as_of=clock.as_of(context))
    return _output(workspace.lake, FEED_POSTINGS, report)


@_bronze(HH_POSTINGS)
def hh_postings(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every version of every HeadHunter vacancy: of the queries in sources.yaml if HH is enabled, and of the saved
    answers in `landing/hh/`. A 403 ends HH for this run and closes nothing."""
    sources = workspace.config.sources
    deadline = time.monotonic() + 60 * sources.hh.max_minutes_per_run
    client = HHClient(
        HttpClient(sources.http, HostPacer(sources.hh.requests_per_second)),
        sources.hh,
        os.environ.get(HH_TOKEN_VARIABLE) or None,
        is_time_up=lambda: time.monotonic() >= deadline,
    )
    report = ingest_hh(workspace.lake, workspace.landing, client, as_of=clock.as_of(context))
    return _output(workspace.lake, HH_POSTINGS, report)


@_bronze(FILE_POSTINGS)
def file_postings(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every version of every job in the files of `landing/jobs/`."""
    report = ingest_job_files(workspace.lake, workspace.landing, as_of=clock.as_of(context))
    return _output(workspace.lake, FILE_POSTINGS, report)


@_bronze(SIGHTINGS, deps=_POSTING_KEYS)
def sightings(workspace: Workspace) -> dg.Output[StoredTable]:
    """When each job was met in its source, and when it ended there; old days keep the last sighting of each."""
    n_parts = compact(workspace.lake, SIGHTINGS, more_than=PARTS_KEPT_APART, keep=last_of_each_day)
    by_source = (
        workspace.lake.scan("bronze", SIGHTINGS)
        .group_by("source")
        .agg(pl.len(), pl.col("job_id").n_unique(), pl.col("is_gone").sum(), pl.col("seen_at").max())
        .sort("source")
        .collect()
    )
    columns = ("source", "sightings", "jobs", "ends", "last")
    return dg.Output(
        StoredTable(SIGHTINGS, int(by_source["len"].sum())),
        metadata={"sources": dg.MetadataValue.md(markdown_table(columns, by_source.rows())), "n_parts": n_parts},
    )


@_bronze(ERASURES)
def erasures(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Who asked to be erased, and when: what they did and stated before then is not ingested again."""
    report = ingest_erasures(workspace.lake, workspace.landing, as_of=clock.as_of(context))
    return _output(workspace.lake, ERASURES, report)


@_bronze(EVENTS, deps=[_ERASURES_KEY])
def events(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every interaction event once, in the folder of the UTC day on which it occurred."""
    report = ingest_events(workspace.lake, workspace.landing, as_of=clock.as_of(context))
    return _output(workspace.lake, EVENTS, report)


@_bronze(USER_RECORDS, deps=[_ERASURES_KEY])
def user_records(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every version of every profile as the app stated it."""
    report = ingest_users(workspace.lake, workspace.landing, as_of=clock.as_of(context))
    return _output(workspace.lake, USER_RECORDS, report)


@_bronze(RESUMES, deps=[_ERASURES_KEY])
def resumes(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """What was extracted from the resumes in `landing/resumes/`; never their text."""
    skills = SkillVocabulary.load(workspace.vocabulary)
    report = ingest_resumes(workspace.lake, workspace.landing, skills=skills, as_of=clock.as_of(context))
    return _output(workspace.lake, RESUMES, report)


@_bronze(
    QUARANTINE,
    deps=[
        *_POSTING_KEYS,
        *(dg.AssetKey(["bronze", table.name]) for table in (EVENTS, USER_RECORDS, RESUMES, ERASURES)),
    ],
)
def quarantine(workspace: Workspace) -> dg.Output[StoredTable]:
    """Everything that could not be used, with the reason and the beginning of what was read."""
    n_parts = compact(workspace.lake, QUARANTINE, more_than=PARTS_KEPT_APART)
    by_reason = (
        workspace.lake.scan("bronze", QUARANTINE)
        .group_by("source", "reason")
        .agg(pl.len(), pl.col("file").n_unique(), pl.col("seen_at").max())
        .sort("source", "reason")
        .collect()
    )
    columns = ("source", "reason", "entries", "files", "last")
    return dg.Output(
        StoredTable(QUARANTINE, int(by_reason["len"].sum())),
        metadata={"reasons": dg.MetadataValue.md(markdown_table(columns, by_reason.rows())), "n_parts": n_parts},
    )


def _output(lake: Lake, table: Table, report: RunReport) -> dg.Output[StoredTable]:
    n_rows = int(lake.scan("bronze", table).select(pl.len()).collect().item())
    return dg.Output(StoredTable(table, n_rows), metadata=report.metadata())


ASSETS = [
    feed_postings,
    hh_postings,
    file_postings,
    sightings,
    erasures,
    events,
    user_records,
    resumes,
    quarantine,
]
