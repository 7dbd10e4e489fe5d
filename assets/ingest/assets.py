"""The ingest assets: landed files and the answers of feeds and HH become bronze tables that only grow.

Nothing is interpreted yet.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

import dagster as dg
import polars as pl

from assets import run_ledger
from assets.damage import note_past
from assets.declare import asset
from assets.digests.links import DigestLinks
from assets.erasing.purge import note_purged, purge_kept, purge_served
from assets.ingest.applications.ingest import ingest_applications
from assets.ingest.applications.mirroring import open_applications, record_applications
from assets.ingest.companies.facts import ingest_company_facts
from assets.ingest.companies.news import ingest_company_news
from assets.ingest.events.ingest import ingest_events
from assets.ingest.events.store import compact_days
from assets.ingest.feeds.ingest import ingest_feeds
from assets.ingest.hh.client import HH_TOKEN_VARIABLE, hh_client
from assets.ingest.hh.ingest import ingest_hh
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer
from assets.ingest.jobs.ingest import ingest_job_files
from assets.ingest.jobs.postings import last_of_each_day
from assets.ingest.landing_assets import LANDING_ASSETS, landed_by, observe
from assets.ingest.people.ingest import ingest_erasures, ingest_users
from assets.ingest.people.mail import ingest_bounces, ingest_unsubscribes
from assets.ingest.people.resumes import ResumeVocabulary, ingest_resumes
from assets.ingest.report import RunReport, markdown_table
from assets.ingest.run_log import plots, recent_runs, record_runs
from assets.io import StoredTable
from assets.llm.client import llm_client
from assets.parts import MAX_PARTS, WIDE_PART_ROWS
from assets.resources import RunClock, Workspace, draws_charts, is_partial, whole_job
from features.schemas.bronze import (
    APPLICATION_LOG,
    BOUNCES,
    ERASURES,
    EVENTS,
    FEED_POSTINGS,
    FILE_POSTINGS,
    HH_POSTINGS,
    INGEST_RUNS,
    QUARANTINE,
    RESUMES,
    SIGHTINGS,
    UNSUBSCRIBES,
    USER_RECORDS,
)
from features.schemas.companies import COMPANY_FACTS, COMPANY_NEWS
from features.schemas.table import Table
from features.source_health import source_alarms

_LOG_PART_ROWS = 1_000_000
DAYS_NOT_COMPACTED = 2  # events of the last days still arrive; the parts of earlier days are merged
_POSTINGS = ("bronze/feed_postings", "bronze/hh_postings", "bronze/file_postings")
_PEOPLE = (
    "bronze/events", "bronze/user_records", "bronze/resumes", "bronze/erasures", "bronze/application_log",
    "bronze/unsubscribes", "bronze/bounces", "bronze/company_facts",
    "bronze/company_news",
)  # fmt: skip
_SOURCES = (*_POSTINGS, *_PEOPLE)
_VERSIONED = (FEED_POSTINGS, HH_POSTINGS, FILE_POSTINGS, USER_RECORDS, RESUMES)
_SHOWN = (
    "kind", "source", "ran_at", "status", "n_fetched", "n_read", "n_new", "n_changed", "n_unchanged", "n_quarantined",
)  # fmt: skip


def _ingested(
    table: Table,
    *,
    deps: Iterable[str] = (),
    then: Callable[[dg.AssetExecutionContext, Workspace], Mapping[str, Any]] = lambda _, __: {},
) -> Callable[[Callable[[Workspace, dt.datetime], RunReport]], dg.AssetsDefinition]:
    """Declares `bronze/<table>` with a function that ingests one kind of input; its report is logged and shown.

    `then` works with what was ingested, and its answer is shown too.
    """

    def declare(ingest: Callable[[Workspace, dt.datetime], RunReport]) -> dg.AssetsDefinition:
        def compute(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
            as_of = clock.as_of(context)
            made_by = run_ledger.made_by(workspace.config_folder, workspace.vocabulary, version("jobfeed"))
            run_ledger.open_entry(workspace.lake, run_id=context.run.run_id, job=whole_job(context), made_by=made_by)
            if not is_partial(context):
                note_past(workspace.lake, workspace.published, as_of=as_of)
            report = ingest(workspace, as_of)
            if table in _VERSIONED:  # each run adds a part, and who looks for known versions opens them all
                workspace.lake.compact("bronze", table, more_than=MAX_PARTS, most_rows=WIDE_PART_ROWS)
            is_new = record_runs(workspace.lake, report, kind=table.name, as_of=as_of)
            is_drawn = is_new and draws_charts(context)
            charts = plots(recent_runs(workspace.lake, kind=table.name), title=table.name) if is_drawn else {}
            done = then(context, workspace)
            if draws_charts(context):  # listing a folder of many files takes time
                context.log_event(observe(workspace.landing, table.name))
            stored = StoredTable(table, workspace.lake.n_rows("bronze", table))
            return dg.Output(stored, metadata={**report.metadata(), **charts, **done})

        compute.__doc__ = ingest.__doc__
        return asset(f"bronze/{table.name}", deps=(landed_by(table.name), *deps))(compute)

    return declare


@_ingested(FEED_POSTINGS)
def feed_postings(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """Every version of every posting of the feeds: those enabled in sources.yaml, fetched in parallel, and those
    landed in `landing/feeds/<name>/`. A bad feed is reported and harms no other."""
    sources = workspace.config.sources
    client = HttpClient(sources.http, HostPacer(sources.http.requests_per_host_per_second))
    return ingest_feeds(workspace.lake, workspace.landing, sources, client, as_of=as_of, environment=os.environ)


@_ingested(HH_POSTINGS)
def hh_postings(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """Every version of every HeadHunter vacancy: of the queries in sources.yaml if HH is enabled, and of the saved
    answers in `landing/hh/`. A 403 ends HH for this run and closes nothing."""
    client = hh_client(workspace.config.sources, token=os.environ.get(HH_TOKEN_VARIABLE) or None)
    return ingest_hh(workspace.lake, workspace.landing, client, as_of=as_of)


@_ingested(FILE_POSTINGS)
def file_postings(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """Every version of every job in the files of `landing/jobs/`."""
    return ingest_job_files(workspace.lake, workspace.landing, as_of=as_of)


@asset("bronze/sightings", deps=_POSTINGS)
def sightings(workspace: Workspace) -> dg.Output[StoredTable]:
    """When each job was seen in its source, and when it ended there; old days keep the last sighting of each."""
    n_parts = workspace.lake.compact("bronze", SIGHTINGS, more_than=MAX_PARTS, keep=last_of_each_day)
    by_source = (
        workspace.lake.scan("bronze", SIGHTINGS)
        .group_by("source")
        .agg(
            sightings=pl.len(),
            jobs=pl.col("job_id").n_unique(),
            ends=pl.col("is_gone").sum(),
            last=pl.col("seen_at").max(),
        )
        .sort("source")
        .collect()
    )
    return dg.Output(
        StoredTable(SIGHTINGS, int(by_source["sightings"].sum())),
        metadata={"sources": markdown_table(by_source.columns, by_source.rows()), "n_parts": n_parts},
    )


def _purge(context: dg.AssetExecutionContext, workspace: Workspace) -> Mapping[str, Any]:
    """Removes the users' rows: a short run from what is served, a full one from all tables that keep rows."""
    requests = workspace.lake.scan("bronze", ERASURES).collect()
    if is_partial(context):
        return {"n_removed_rows": purge_served(workspace.lake, requests)}
    n_removed = purge_kept(workspace.lake, requests)
    note_purged(workspace.lake, requests, run_id=context.run.run_id)
    return {"n_removed_rows": n_removed}


@_ingested(ERASURES, then=_purge)
def erasures(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """Who asked to be erased and is not yet, and when. What they did and stated before is removed, and refused if it
    comes again."""
    return ingest_erasures(workspace.lake, workspace.landing, as_of=as_of)


@_ingested(EVENTS, deps=("bronze/erasures",))
def events(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """Every interaction event once, in the folder of the UTC day on which it occurred."""
    rules = workspace.config.sources.interactions.rules
    report = ingest_events(workspace.lake, workspace.landing, as_of=as_of, rules=rules)
    compact_days(workspace.lake, before=as_of.date() - dt.timedelta(days=DAYS_NOT_COMPACTED))
    return report


@_ingested(USER_RECORDS, deps=("bronze/erasures",))
def user_records(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """Every version of every profile as the app stated it."""
    return ingest_users(workspace.lake, workspace.landing, as_of=as_of)


@_ingested(RESUMES, deps=("bronze/erasures",))
def resumes(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """The fields extracted from the resumes in `landing/resumes/`; never their text."""
    vocabulary = partial(ResumeVocabulary.load, workspace.vocabulary)
    # The budget of a day is one of the provider's days, whatever instant the run is for.
    llm = llm_client(workspace.config.llm, workspace.lake, environment=os.environ, now=lambda: dt.datetime.now(dt.UTC))
    return ingest_resumes(workspace.lake, workspace.landing, vocabulary=vocabulary, as_of=as_of, llm=llm)


@_ingested(APPLICATION_LOG, deps=("bronze/erasures", "bronze/events"))
def application_log(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """What became of applications, as apps told it, every event once; saves and applications of users are among it."""
    report = ingest_applications(
        workspace.lake, workspace.landing, states=workspace.config.applications.words, as_of=as_of
    )
    open_applications(workspace.lake)
    record_applications(workspace.lake)
    workspace.lake.compact("bronze", APPLICATION_LOG, more_than=MAX_PARTS, most_rows=_LOG_PART_ROWS)
    return report


@_ingested(UNSUBSCRIBES, deps=("bronze/erasures",))
def unsubscribes(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """Who unsubscribed from digests, or subscribed again; digests are sent by it from the next mail on."""
    links = DigestLinks.of(workspace.config.pipeline.digest, os.environ)
    return ingest_unsubscribes(workspace.lake, workspace.landing, links=links, as_of=as_of)


@_ingested(BOUNCES, deps=("bronze/erasures", "bronze/user_records"))
def bounces(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """What came back of digests by e-mail: addresses that take none, and mails that were marked as spam."""
    links = DigestLinks.of(workspace.config.pipeline.digest, os.environ)
    return ingest_bounces(workspace.lake, workspace.landing, links=links, as_of=as_of)


@_ingested(COMPANY_FACTS)
def company_facts(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """What files in `landing/companies/` say of companies, and what GitHub shows of the organisations of those enabled
    in sources.yaml: of each company, fact and source the newest."""
    sources = workspace.config.sources
    client = HttpClient(sources.http, HostPacer(sources.http.requests_per_host_per_second))
    return ingest_company_facts(workspace.lake, workspace.landing, sources, client, as_of=as_of, environment=os.environ)


@_ingested(COMPANY_NEWS)
def company_news(workspace: Workspace, as_of: dt.datetime) -> RunReport:
    """News of companies: the feeds of those enabled in sources.yaml, and those landed in
    `landing/company_news/<name>/`."""
    sources = workspace.config.sources
    client = HttpClient(sources.http, HostPacer(sources.http.requests_per_host_per_second))
    return ingest_company_news(workspace.lake, workspace.landing, sources.companies, client, as_of=as_of)


@asset("bronze/quarantine", deps=_SOURCES)
def quarantine(workspace: Workspace) -> dg.Output[StoredTable]:
    """Everything that could not be used, with the reason and the beginning of the raw entry."""
    n_parts = workspace.lake.compact("bronze", QUARANTINE, more_than=MAX_PARTS)
    by_reason = (
        workspace.lake.scan("bronze", QUARANTINE)
        .group_by("source", "reason")
        .agg(entries=pl.len(), files=pl.col("file").n_unique(), last=pl.col("seen_at").max())
        .sort("source", "reason")
        .collect()
    )
    return dg.Output(
        StoredTable(QUARANTINE, int(by_reason["entries"].sum())),
        metadata={"reasons": markdown_table(by_reason.columns, by_reason.rows()), "n_parts": n_parts},
    )


@asset("bronze/ingest_runs", deps=_SOURCES)
def ingest_runs(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """What every run read of every source, and the outcome: read = new + changed + unchanged + quarantined."""
    n_parts = workspace.lake.compact("bronze", INGEST_RUNS, more_than=MAX_PARTS)
    runs = recent_runs(workspace.lake)
    alarms = source_alarms(runs)
    for _, source, alarm, detail, since in alarms.iter_rows():
        context.log.warning(f"source {source}: {alarm} since {since:%Y-%m-%d %H:%M}: {detail}")
    newest = runs.sort("kind", "source", "ran_at", "attempt").unique(
        ["kind", "source"], keep="last", maintain_order=True
    )
    is_drawn = draws_charts(context) and clock.as_of(context) in runs["ran_at"]
    return dg.Output(
        StoredTable(INGEST_RUNS, workspace.lake.n_rows("bronze", INGEST_RUNS)),
        metadata={
            "alarms": markdown_table(alarms.columns, alarms.rows()),
            "last_runs": markdown_table(_SHOWN, newest.select(_SHOWN).rows()),
            "n_parts": n_parts,
            **(plots(runs, title="all sources") if is_drawn else {}),
        },
    )


@dg.asset_check(asset=dg.AssetKey(["bronze", INGEST_RUNS.name]))
def sources_keep_coming(workspace: Workspace) -> dg.AssetCheckResult:
    """No source fails, falls silent, lists nothing or half of what it did, or is mostly unusable. It only warns."""
    alarms = source_alarms(recent_runs(workspace.lake))
    problems = [f"{source}: {alarm} ({detail})" for _, source, alarm, detail, _ in alarms.iter_rows()]
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(problems)[:2000] or "no source has a problem",
        metadata={"n_alarms": len(problems)},
    )


ASSETS = [
    feed_postings, hh_postings, file_postings, sightings, erasures, events, user_records, resumes, application_log,
    unsubscribes, bounces, company_facts, company_news, quarantine, ingest_runs,
]  # fmt: skip
EXTERNAL_ASSETS = LANDING_ASSETS
ASSET_CHECKS = [sources_keep_coming]
