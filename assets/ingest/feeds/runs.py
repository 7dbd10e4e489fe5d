"""Postings of feeds and of job files, one function each: read, store, and only then remember what was read."""

import datetime as dt
import time
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import polars as pl

from assets.config import Sources
from assets.ingest.feeds.fetching import fetch_feeds
from assets.ingest.feeds.parsing import FeedParser
from assets.ingest.feeds.replay import replay_feed, scope_of
from assets.ingest.http.client import HttpClient
from assets.ingest.jobs.files import read_job_file
from assets.ingest.jobs.posting_writer import PostingWriter
from assets.ingest.jobs.postings import gone, last_reading, open_jobs, sighting_of, store_fetched, store_replayed
from assets.ingest.landing import LandingManifest, list_landed
from assets.ingest.report import RunReport
from assets.ingest.source_state import FeedState, load_states, update_states
from assets.lake import Lake
from features.schemas.bronze import FEED_POSTINGS, FILE_POSTINGS
from features.sources.parsed import Parsed

FILES = "file"


def ingest_feeds(
    lake: Lake,
    landing: Path,
    sources: Sources,
    client: HttpClient,
    *,
    as_of: dt.datetime,
    parser: FeedParser | None = None,
) -> RunReport:
    """Fetches the enabled feeds that are due, and reads those landed in `landing/feeds/`."""
    report = RunReport()
    writer = PostingWriter(lake, FEED_POSTINGS, store_fetched, report, as_of)
    states: dict[str, FeedState] = {}
    lists_all = {feed.name for feed in sources.feeds if feed.lists_all_open_jobs}
    for reading in fetch_feeds(sources.feeds, load_states(lake).feeds, client, as_of=as_of, parser=parser):
        if reading.state is not None:
            states[reading.name] = reading.state
        counts = report.of(reading.name)
        counts.statuses.append(reading.status)
        counts.seconds += reading.seconds
        counts.n_fetched += reading.n_fetched
        counts.n_listed = reading.n_listed
        counts.is_failed = reading.is_failed
        writer.add(reading.parsed, source=reading.name, origin=reading.origin)
        if reading.is_unchanged:
            jobs = last_reading(lake, reading.name)
            writer.add_sightings(sighting_of(jobs, source=reading.name, as_of=as_of))
        if reading.is_full and reading.name in lists_all:
            writer.add_sightings(_absent(lake, reading.name, reading.parsed, as_of=as_of))
    writer.flush()
    update_states(lake, feeds=states)
    _replay_feeds(lake, landing, sources, report, as_of=as_of)
    return report


def ingest_job_files(lake: Lake, landing: Path, *, as_of: dt.datetime) -> RunReport:
    """Reads the job files landed in `landing/jobs/`."""
    report = RunReport()
    with lake.lock("bronze/landing_files/jobs"):
        started = time.perf_counter()
        manifest = LandingManifest.load(lake, "jobs", as_of=as_of)
        writer = PostingWriter(lake, FILE_POSTINGS, store_replayed, report, as_of)
        for file, digest in manifest.unread(list_landed(landing, "jobs")):
            n_rows, n_rejects = 0, 0
            for parsed in read_job_file(file):
                writer.add(parsed, source=FILES, origin=file.name)
                n_rows, n_rejects = n_rows + parsed.rows.height, n_rejects + parsed.rejects.height
            manifest.record(file, digest, n_rows=n_rows, n_rejects=n_rejects)
        writer.flush()
        manifest.save(lake)
        report.count_files(manifest, source=FILES)
        report.of(FILES).n_fetched += manifest.n_read
        report.of(FILES).seconds += time.perf_counter() - started
    return report


def _replay_feeds(lake: Lake, landing: Path, sources: Sources, report: RunReport, *, as_of: dt.datetime) -> None:
    feeds = {feed.name: feed for feed in sources.feeds}
    lists_all = {feed.name for feed in sources.feeds if feed.lists_all_open_jobs}
    read: defaultdict[str, list[Parsed]] = defaultdict(list)
    listed: defaultdict[str, list[int]] = defaultdict(list)
    with lake.lock("bronze/landing_files/feeds"), FeedParser() as parser:
        manifest = LandingManifest.load(lake, "feeds", as_of=as_of)
        writer = PostingWriter(lake, FEED_POSTINGS, store_replayed, report, as_of)
        for file, digest in manifest.unread(list_landed(landing, "feeds", scope=lambda name: scope_of(name, feeds))):
            started = time.perf_counter()
            source, parsed = replay_feed(file, feeds, parser)
            writer.add(parsed, source=source, origin=file.name)
            manifest.record(file, digest, n_rows=parsed.rows.height, n_rejects=parsed.rejects.height)
            counts = report.of(source)
            counts.seconds += time.perf_counter() - started
            counts.n_fetched += 1
            listed[source].append(parsed.rows["job_id"].n_unique())
            if source in lists_all:
                read[source].append(parsed)
        for source, n_jobs in listed.items():
            if report.of(source).n_listed is None:
                report.of(source).n_listed = round(fmean(n_jobs))
        for source, parsed_files in read.items():
            # Several files may be the pages of one reading: only a single one is known to list all.
            if len(parsed_files) == 1 and parsed_files[0].rejects.is_empty() and parsed_files[0].rows.height:
                writer.add_sightings(_absent(lake, source, parsed_files[0], as_of=as_of))
        writer.flush()
        manifest.save(lake)
        report.count_files(manifest, source="feeds")


def _absent(lake: Lake, source: str, parsed: Parsed, *, as_of: dt.datetime) -> pl.DataFrame:
    """The ends of jobs that are open as far as we know, but not in a reading of a source that lists all its jobs."""
    missing = open_jobs(lake, source).join(parsed.rows.select("job_id"), on="job_id", how="anti")
    return gone(missing["job_id"], source=source, as_of=as_of)
