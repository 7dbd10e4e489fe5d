"""Feeds to bronze: those fetched now, and those landed as files."""

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import polars as pl

from assets.config.sources import Sources
from assets.ingest.feeds.fetching import fetch_feeds
from assets.ingest.feeds.job_pages import KnownPage, load_known_pages, store_known_pages
from assets.ingest.feeds.parsing import FeedParser
from assets.ingest.feeds.replay import may_list_all, replay_feed, scope_of, source_of
from assets.ingest.http.client import HttpClient
from assets.ingest.jobs.posting_writer import PostingWriter
from assets.ingest.jobs.postings import last_reading, open_jobs, sightings_of, store_fetched, store_replayed
from assets.ingest.landing import LandedFile, list_landed
from assets.ingest.landing_run import landing_run
from assets.ingest.report import RunReport
from assets.ingest.source_state import FeedState, SourceStates, believable_states, update_states
from assets.lake import Lake
from features.schemas.bronze import FEED_POSTINGS
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS


def ingest_feeds(
    lake: Lake,
    landing: Path,
    sources: Sources,
    client: HttpClient,
    *,
    as_of: dt.datetime,
    environment: Mapping[str, str] | None = None,
    parser: FeedParser | None = None,
) -> RunReport:
    """Fetches the enabled feeds that are due, with keys from `environment`, and reads those in `landing/feeds/`."""
    report = RunReport()
    writer = PostingWriter(lake, FEED_POSTINGS, store_fetched, report, as_of)
    states: dict[str, FeedState] = {}
    lists_all = {feed.name for feed in sources.feeds if feed.lists_all_open_jobs}
    known = believable_states(lake, as_of=as_of).feeds
    pages: dict[str, Mapping[str, KnownPage]] = {}
    for reading in fetch_feeds(
        sources.feeds,
        known,
        client,
        as_of=as_of,
        environment=environment,
        known_pages=lambda name: load_known_pages(lake, name),
        parser=parser,
    ):
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
            writer.add_sightings(sightings_of(last_reading(lake, reading.name), source=reading.name, as_of=as_of))
        for job_ids, is_gone in ((reading.seen_job_ids, False), (reading.gone_job_ids, True)):
            ids = pl.Series(job_ids, dtype=pl.String)
            writer.add_sightings(sightings_of(ids, source=reading.name, as_of=as_of, is_gone=is_gone))
        if reading.known_pages is not None:
            pages[reading.name] = reading.known_pages
        if reading.is_full and reading.name in lists_all:
            listed = [*reading.parsed.rows["job_id"], *reading.seen_job_ids]
            writer.add_sightings(_ends(lake, reading.name, listed, as_of=as_of))
    writer.flush()
    for name, known_pages in pages.items():
        store_known_pages(lake, name, known_pages)
    update_states(lake, SourceStates(feeds=states))
    _replay_feeds(lake, landing, sources, report, as_of=as_of)
    return report


def _replay_feeds(lake: Lake, landing: Path, sources: Sources, report: RunReport, *, as_of: dt.datetime) -> None:
    feeds = {feed.name: feed for feed in sources.feeds}
    readings: defaultdict[str, list[tuple[LandedFile, Parsed]]] = defaultdict(list)
    n_jobs: defaultdict[str, list[int]] = defaultdict(list)
    with landing_run(lake, "feeds", report, as_of=as_of, repeats=True) as run, FeedParser() as parser:
        writer = PostingWriter(lake, FEED_POSTINGS, store_replayed, report, as_of)
        files = list_landed(landing, "feeds", scope=lambda name: scope_of(name, feeds))
        started = time.perf_counter()
        for file, parsed in run.read(files, lambda file: [replay_feed(file, feeds, parser)], PARSED_POSTINGS):
            source = source_of(file.name) or "feeds"
            writer.add(parsed, source=source, origin=file.name)
            n_jobs[source].append(parsed.rows["job_id"].n_unique())
            if source in feeds and feeds[source].lists_all_open_jobs:
                readings[source].append((file, parsed))
            counts = report.of(source)
            counts.n_fetched += 1
            counts.seconds += time.perf_counter() - started
            started = time.perf_counter()
        for source, listed in n_jobs.items():
            if report.of(source).n_listed is None:
                report.of(source).n_listed = round(fmean(listed))
        for source, read in readings.items():
            file, parsed = read[0]
            # Several files may be the pages of one reading: only a single one is known to list all jobs.
            is_whole = len(read) == 1 and parsed.rejects.is_empty() and parsed.rows.height
            if is_whole and may_list_all(file, feeds[source]):
                writer.add_sightings(_ends(lake, source, parsed.rows["job_id"].to_list(), as_of=as_of))
        writer.flush()


def _ends(lake: Lake, source: str, listed: Sequence[str], *, as_of: dt.datetime) -> pl.DataFrame:
    """The ends of jobs that are open in the lake but absent from a reading that lists all jobs of the source."""
    present = pl.DataFrame({"job_id": pl.Series(listed, dtype=pl.String)})
    absent = open_jobs(lake, source).join(present, on="job_id", how="anti")
    return sightings_of(absent["job_id"], source=source, as_of=as_of, is_gone=True)
