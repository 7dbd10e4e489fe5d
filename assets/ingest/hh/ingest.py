"""HH to bronze: the API if it is enabled, then the landed pages and vacancies."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from assets.config.files import SHIPPED_VOCABULARY
from assets.ingest import errors
from assets.ingest.hh.client import HHClient
from assets.ingest.hh.details import read_details
from assets.ingest.hh.dictionaries import refresh_dictionaries
from assets.ingest.hh.query_vocabulary import HHIds
from assets.ingest.hh.search import run_queries, searched_fully_at
from assets.ingest.hh.search_paginator import SearchPaginator
from assets.ingest.jobs.posting_writer import PostingWriter
from assets.ingest.jobs.postings import store_fetched, store_replayed
from assets.ingest.landing import LandedFile, LandingManifest, RefusedFileError, list_landed
from assets.ingest.landing_run import landing_run
from assets.ingest.report import RunReport
from assets.ingest.source_state import SourceStates, believable_states, update_states
from assets.lake import Lake
from features.schemas.bronze import HH_POSTINGS
from features.sources.hh.vacancies import SOURCE, parse_hh_bodies
from features.sources.lines import READ_FAILED
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS

_KIND = "hh"
_BODIES_PER_BATCH = 2_000
_BYTES_PER_BATCH = 20_000_000
_MAX_BODY_BYTES = 20_000_000


def ingest_hh(lake: Lake, landing: Path, client: HHClient, *, as_of: dt.datetime) -> RunReport:
    """Searches HH if it is enabled, and reads the pages and vacancies landed in `landing/hh/`."""
    report = RunReport()
    if client.source.enabled:
        n_before = client.n_answers
        with report.timed(SOURCE):
            _read_api(lake, client, report, as_of=as_of)
        report.of(SOURCE).n_fetched += client.n_answers - n_before
    with landing_run(lake, _KIND, report, as_of=as_of, source=SOURCE, repeats=True) as run:
        writer = PostingWriter(lake, HH_POSTINGS, store_replayed, report, as_of)
        for batch in _batches(run.manifest.unread(list_landed(landing, _KIND))):
            _replay_batch(batch, run.manifest, writer)
        writer.flush()
    return report


def _batches(unread: Iterator[tuple[LandedFile, str]]) -> Iterator[list[tuple[LandedFile, str]]]:
    """Files to read at once: many small ones, few large ones."""
    batch: list[tuple[LandedFile, str]] = []
    n_bytes = 0
    for file, digest in unread:
        if batch and (len(batch) >= _BODIES_PER_BATCH or n_bytes + file.size_bytes > _BYTES_PER_BATCH):
            yield batch
            batch, n_bytes = [], 0
        batch.append((file, digest))
        n_bytes += file.size_bytes
    if batch:
        yield batch


def _read_api(lake: Lake, client: HHClient, report: RunReport, *, as_of: dt.datetime) -> None:
    counts = report.of(SOURCE)
    try:
        counts.statuses += refresh_dictionaries(client, lake, as_of=as_of)
    except errors.SourceDisabledError as error:
        counts.statuses.append(f"disabled for this run: {error}")
        counts.is_failed = True
        return
    writer = PostingWriter(lake, HH_POSTINGS, store_fetched, report, as_of)
    states, queries = believable_states(lake, as_of=as_of).queries, client.source.queries
    ids = HHIds.load(SHIPPED_VOCABULARY, lake)
    paginator = SearchPaginator(client, children=ids.children, roles=ids.roles["role_id"].to_list())
    result = run_queries(paginator, queries, states, writer=writer, as_of=as_of)
    counts.statuses += result.statuses
    counts.is_failed = result.is_failed
    counts.n_listed = result.n_jobs if result.is_full else None
    update_states(lake, SourceStates(queries=result.states))
    if client.source.details and not result.is_disabled:
        fully_at = searched_fully_at(queries, {**states, **result.states})
        counts.statuses += read_details(client, lake, searched_fully_at=fully_at, writer=writer, as_of=as_of)


def _replay_batch(batch: list[tuple[LandedFile, str]], manifest: LandingManifest, writer: PostingWriter) -> None:
    """Parses many small files as one frame, because making a frame per file takes longer than parsing it."""
    bodies: list[tuple[str, bytes]] = []
    failed: set[int] = set()
    for number, (file, _) in enumerate(batch):
        try:
            file.require_format((".json",))
            bodies.append((str(number), file.read(max_bytes=_MAX_BODY_BYTES)))
        except RefusedFileError as error:
            if READ_FAILED in error.rejects["reason"]:
                failed.add(number)
            writer.add(Parsed(PARSED_POSTINGS.empty(), error.rejects), source=SOURCE, origin=file.name)
    parsed = parse_hh_bodies(bodies)
    writer.add(Parsed(parsed.rows, parsed.rejects.clear()), source=SOURCE, origin=_KIND)
    numbered = parsed.rejects.with_columns(pl.col("entry").str.splitn(" ", 2).alias("parts")).unnest("parts")
    n_rejects: dict[int, int] = {}
    for (number_text,), rejects in numbered.group_by("field_0", maintain_order=True):
        number = int(str(number_text))
        n_rejects[number] = rejects.height
        renamed = rejects.with_columns(entry=pl.col("field_1")).drop("field_0", "field_1")
        writer.add(Parsed(parsed.rows.clear(), renamed), source=SOURCE, origin=batch[number][0].name)
    for number, (file, digest) in enumerate(batch):
        manifest.record(file, digest, n_rows=None, n_rejects=n_rejects.get(number, 0), has_failed=number in failed)
