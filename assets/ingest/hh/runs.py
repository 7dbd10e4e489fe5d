"""HH in one run: the API if it is enabled, then what landed. Read, store, and only then remember what was read."""

import datetime as dt
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from assets.config import SHIPPED_VOCABULARY, Sources
from assets.ingest import errors
from assets.ingest.hh.client import HHClient
from assets.ingest.hh.details import DetailFetcher
from assets.ingest.hh.dictionaries import refresh_dictionaries
from assets.ingest.hh.fetching import read_details, search_queries
from assets.ingest.hh.ids import LAYER, HHIds
from assets.ingest.hh.search_paginator import SearchPaginator
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer
from assets.ingest.jobs.posting_writer import PostingWriter
from assets.ingest.jobs.postings import store_fetched, store_replayed
from assets.ingest.landing import LandedFile, LandingManifest, list_landed
from assets.ingest.quarantine import UNREADABLE, UNSUPPORTED, whole_file
from assets.ingest.report import RunReport
from assets.ingest.source_state import load_states, update_states
from assets.lake import Lake
from features.schemas.bronze import HH_AREAS, HH_POSTINGS, HH_RATES, HH_ROLES
from features.sources.hh.vacancies import SOURCE, parse_hh_bodies
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS

HH_TOKEN_VARIABLE = "HH_ACCESS_TOKEN"  # noqa: S105  the variable's name
LANDED_HH = "hh"
_BODIES_PER_BATCH = 2_000
_MAX_BODY_BYTES = 20_000_000


def hh_client(sources: Sources, *, token: str | None) -> HHClient:
    """A client that stops asking `hh.max_minutes_per_run` from now; all its threads share one pace and one token."""
    deadline = time.monotonic() + 60 * sources.hh.max_minutes_per_run
    http = HttpClient(sources.http, HostPacer(sources.hh.requests_per_second))
    return HHClient(http, sources.hh, token, is_time_up=lambda: time.monotonic() >= deadline)


def ingest_hh(lake: Lake, landing: Path, client: HHClient, *, as_of: dt.datetime) -> RunReport:
    """Walks HH if it is enabled, and reads the pages and vacancies landed in `landing/hh/`."""
    report = RunReport()
    started = time.perf_counter()
    if client.source.enabled:
        n_before = client.n_answers
        _read_api(lake, client, report, as_of=as_of)
        report.of(SOURCE).n_fetched += client.n_answers - n_before
    _replay(lake, landing, report, as_of=as_of)
    report.of(SOURCE).seconds += time.perf_counter() - started
    return report


@dataclass(frozen=True)
class ToldDictionaries:
    """How much the lake knows of HH's dictionaries after they were asked for, and what went wrong."""

    n_areas: int
    n_roles: int
    n_rates: int
    problems: list[str]


def ask_for_dictionaries(lake: Lake, sources: Sources, *, token: str | None, as_of: dt.datetime) -> ToldDictionaries:
    """Refreshes the dictionaries, whether or not HH is enabled and whatever the queries hold."""
    try:
        problems = refresh_dictionaries(hh_client(sources, token=token), lake, as_of=as_of)
    except errors.SourceDisabledError as error:
        problems = [str(error)]
    n_areas, n_roles, n_rates = (
        int(lake.scan(LAYER, table).select(pl.len()).collect().item()) for table in (HH_AREAS, HH_ROLES, HH_RATES)
    )
    return ToldDictionaries(n_areas, n_roles, n_rates, problems)


def _read_api(lake: Lake, client: HHClient, report: RunReport, *, as_of: dt.datetime) -> None:
    statuses = report.of(SOURCE).statuses
    try:
        statuses += refresh_dictionaries(client, lake, as_of=as_of)
    except errors.SourceDisabledError as error:
        statuses.append(f"disabled for this run: {error}")
        report.of(SOURCE).is_failed = True
        return
    writer = PostingWriter(lake, HH_POSTINGS, store_fetched, report, as_of)
    states = load_states(lake).queries
    ids = HHIds.load(SHIPPED_VOCABULARY, lake)
    paginator = SearchPaginator(client, children=ids.children, roles=ids.roles["role_id"].to_list())
    result = search_queries(paginator, client.source.queries, states, writer=writer, as_of=as_of)
    statuses += result.statuses
    report.of(SOURCE).is_failed = result.is_failed
    report.of(SOURCE).n_listed = result.n_met if result.is_full else None
    update_states(lake, queries=result.states)
    if client.source.details and not result.is_disabled:
        known = {**states, **result.states}
        statuses += read_details(DetailFetcher(client), lake, known, writer=writer, as_of=as_of)


def _replay(lake: Lake, landing: Path, report: RunReport, *, as_of: dt.datetime) -> None:
    with lake.lock("bronze/landing_files/hh"):
        manifest = LandingManifest.load(lake, LANDED_HH, as_of=as_of)
        writer = PostingWriter(lake, HH_POSTINGS, store_replayed, report, as_of)
        unread = manifest.unread(list_landed(landing, LANDED_HH))
        while batch := list(islice(unread, _BODIES_PER_BATCH)):
            _replay_batch(batch, manifest, writer)
        writer.flush()
        manifest.save(lake)
        report.of(SOURCE).n_fetched += manifest.n_read
        report.count_files(manifest, source=SOURCE)


def _replay_batch(batch: list[tuple[LandedFile, str]], manifest: LandingManifest, writer: PostingWriter) -> None:
    """Parses many small files as one frame, since a frame a file takes longer than its parsing."""
    bodies: list[tuple[str, bytes]] = []
    for number, (file, _) in enumerate(batch):
        refused = _refusal(file)
        if refused is not None:
            writer.add(refused, source=SOURCE, origin=file.name)
        else:
            try:
                bodies.append((str(number), file.path.read_bytes()))
            except OSError as error:  # gone or locked since it was listed
                unread = whole_file(UNREADABLE, detail=type(error).__name__)
                writer.add(Parsed(PARSED_POSTINGS.empty(), unread), source=SOURCE, origin=file.name)
    parsed = parse_hh_bodies(bodies)
    writer.add(Parsed(parsed.rows, parsed.rejects.clear()), source=SOURCE, origin=LANDED_HH)
    numbered = parsed.rejects.with_columns(pl.col("entry").str.splitn(" ", 2).alias("parts")).unnest("parts")
    n_rejects: dict[int, int] = {}
    for (number_text,), rejects in numbered.group_by("field_0", maintain_order=True):
        number = int(str(number_text))
        n_rejects[number] = rejects.height
        renamed = rejects.with_columns(entry=pl.col("field_1")).drop("field_0", "field_1")
        writer.add(Parsed(parsed.rows.clear(), renamed), source=SOURCE, origin=batch[number][0].name)
    for number, (file, digest) in enumerate(batch):
        manifest.record(file, digest, n_rows=None, n_rejects=n_rejects.get(number, 0))


def _refusal(file: LandedFile) -> Parsed | None:
    if file.suffixes != ".json":
        return Parsed(
            PARSED_POSTINGS.empty(), whole_file(UNSUPPORTED, detail=f"{file.suffixes or 'no suffix'}; expected .json")
        )
    if file.size_bytes > _MAX_BODY_BYTES:
        detail = f"{file.size_bytes} bytes; at most {_MAX_BODY_BYTES} are read"
        return Parsed(PARSED_POSTINGS.empty(), whole_file(UNREADABLE, detail=detail))
    return None
