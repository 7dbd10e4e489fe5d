"""Ingest: what landed, and what feeds and HH answer, into bronze tables that only grow. Nothing is interpreted yet."""

import datetime as dt
import os

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.ingest.events.compaction import compact, last_of_each_day
from assets.ingest.events.runs import ingest_events
from assets.ingest.events.store import compact_days
from assets.ingest.feeds.runs import ingest_feeds, ingest_job_files
from assets.ingest.hh.runs import HH_TOKEN_VARIABLE, hh_client, ingest_hh
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer
from assets.ingest.people.resumes import ingest_resumes
from assets.ingest.people.runs import ingest_erasures, ingest_users
from assets.ingest.report import RunReport, markdown_table
from assets.ingest.run_log import plots, recent_runs, record_runs
from assets.io import StoredTable
from assets.lake import Lake
from assets.resources import RunClock, Workspace
from features.schemas.bronze import (
    ERASURES,
    EVENTS,
    FEED_POSTINGS,
    FILE_POSTINGS,
    HH_POSTINGS,
    INGEST_RUNS,
    QUARANTINE,
    RESUMES,
    SIGHTINGS,
    USER_RECORDS,
)
from features.schemas.table import Table
from features.source_health import source_alarms
from features.vocabulary.skills import SkillVocabulary

PARTS_KEPT_APART = 100
DAYS_IN_PARTS = 2  # late events of the last days still come; earlier days are made one part
_POSTINGS = ("bronze/feed_postings", "bronze/hh_postings", "bronze/file_postings")
_SOURCES = (*_POSTINGS, "bronze/events", "bronze/user_records", "bronze/resumes", "bronze/erasures")


@asset("bronze/feed_postings")
def feed_postings(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every version of every posting of the feeds: those enabled in sources.yaml, fetched side by side, and those
    landed in `landing/feeds/<name>/`. A bad feed is reported and harms no other."""
    sources = workspace.config.sources
    client = HttpClient(sources.http, HostPacer(sources.http.requests_per_host_per_second))
    as_of = clock.as_of(context)
    report = ingest_feeds(workspace.lake, workspace.landing, sources, client, as_of=as_of)
    return _output(workspace.lake, FEED_POSTINGS, report, as_of=as_of)


@asset("bronze/hh_postings")
def hh_postings(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every version of every HeadHunter vacancy: of the queries in sources.yaml if HH is enabled, and of the saved
    answers in `landing/hh/`. A 403 ends HH for this run and closes nothing."""
    client = hh_client(workspace.config.sources, token=os.environ.get(HH_TOKEN_VARIABLE) or None)
    as_of = clock.as_of(context)
    report = ingest_hh(workspace.lake, workspace.landing, client, as_of=as_of)
    return _output(workspace.lake, HH_POSTINGS, report, as_of=as_of)


@asset("bronze/file_postings")
def file_postings(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every version of every job in the files of `landing/jobs/`."""
    as_of = clock.as_of(context)
    report = ingest_job_files(workspace.lake, workspace.landing, as_of=as_of)
    return _output(workspace.lake, FILE_POSTINGS, report, as_of=as_of)


@asset("bronze/sightings", deps=_POSTINGS)
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


@asset("bronze/erasures")
def erasures(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Who asked to be erased, and when: what they did and stated before then is not ingested again."""
    as_of = clock.as_of(context)
    report = ingest_erasures(workspace.lake, workspace.landing, as_of=as_of)
    return _output(workspace.lake, ERASURES, report, as_of=as_of)


@asset("bronze/events", deps=("bronze/erasures",))
def events(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every interaction event once, in the folder of the UTC day on which it occurred."""
    as_of = clock.as_of(context)
    report = ingest_events(workspace.lake, workspace.landing, as_of=as_of)
    compact_days(workspace.lake, before=as_of.date() - dt.timedelta(days=DAYS_IN_PARTS))
    return _output(workspace.lake, EVENTS, report, as_of=as_of)


@asset("bronze/user_records", deps=("bronze/erasures",))
def user_records(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every version of every profile as the app stated it."""
    as_of = clock.as_of(context)
    report = ingest_users(workspace.lake, workspace.landing, as_of=as_of)
    return _output(workspace.lake, USER_RECORDS, report, as_of=as_of)


@asset("bronze/resumes", deps=("bronze/erasures",))
def resumes(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """What was extracted from the resumes in `landing/resumes/`; never their text."""
    skills = SkillVocabulary.load(workspace.vocabulary)
    as_of = clock.as_of(context)
    report = ingest_resumes(workspace.lake, workspace.landing, skills=skills, as_of=as_of)
    return _output(workspace.lake, RESUMES, report, as_of=as_of)


@asset("bronze/quarantine", deps=_SOURCES)
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


@asset("bronze/ingest_runs", deps=_SOURCES)
def ingest_runs(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """What every run read of every source, and what became of it: read = new + changed + unchanged + quarantined."""
    n_parts = compact(workspace.lake, INGEST_RUNS, more_than=PARTS_KEPT_APART)
    runs = recent_runs(workspace.lake)
    is_news = clock.as_of(context) in runs["ran_at"]
    alarms = source_alarms(runs)
    for _, source, alarm, detail, since in alarms.iter_rows():
        context.log.warning(f"source {source}: {alarm} since {since:%Y-%m-%d %H:%M}: {detail}")
    return dg.Output(
        StoredTable(INGEST_RUNS, int(workspace.lake.scan("bronze", INGEST_RUNS).select(pl.len()).collect().item())),
        metadata={
            "alarms": dg.MetadataValue.md(markdown_table(alarms.columns, alarms.rows())),
            "last_runs": dg.MetadataValue.md(markdown_table(_LAST, _last_runs(runs).rows())),
            "n_parts": n_parts,
            **(plots(runs, title="all sources") if is_news else {}),
        },
    )


@dg.asset_check(asset=dg.AssetKey(["bronze", INGEST_RUNS.name]))
def sources_keep_coming(workspace: Workspace) -> dg.AssetCheckResult:
    """No source fails, falls to nothing or to under half of what it listed, or is mostly unusable. Only warns."""
    alarms = source_alarms(recent_runs(workspace.lake))
    told = [f"{source}: {alarm} ({detail})" for _, source, alarm, detail, _ in alarms.iter_rows()]
    return dg.AssetCheckResult(
        passed=not told,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(told)[:2000] or "every source gives what it gave before",
        metadata={"n_alarms": len(told)},
    )


_LAST = (
    "kind",
    "source",
    "ran_at",
    "status",
    "n_fetched",
    "n_read",
    "n_new",
    "n_changed",
    "n_unchanged",
    "n_quarantined",
)


def _last_runs(runs: pl.DataFrame) -> pl.DataFrame:
    newest = runs.sort("kind", "source", "ran_at", "attempt").unique(
        ["kind", "source"], keep="last", maintain_order=True
    )
    return newest.select(_LAST)


def _output(lake: Lake, table: Table, report: RunReport, *, as_of: dt.datetime) -> dg.Output[StoredTable]:
    is_news = record_runs(lake, report, kind=table.name, as_of=as_of)
    n_rows = int(lake.scan("bronze", table).select(pl.len()).collect().item())
    pictures = plots(recent_runs(lake, kind=table.name), title=table.name) if is_news else {}
    return dg.Output(StoredTable(table, n_rows), metadata={**report.metadata(), **pictures})


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
    ingest_runs,
]
ASSET_CHECKS = [sources_keep_coming]
