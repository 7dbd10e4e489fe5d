"""Profiles and erasure requests out of landing/ into bronze. Resumes have a module of their own."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from assets.ingest.events.store import without_erased
from assets.ingest.landing import LandedFile, LandingManifest, list_landed
from assets.ingest.line_files import parse_in_blocks
from assets.ingest.quarantine import UNSUPPORTED, QuarantineBuffer, whole_file
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import ERASURES, USER_RECORDS
from features.sources.parsed import Parsed
from features.sources.people.users import parse_erasures, parse_users

USERS = "users"
REQUESTS = "erasures"
FORMATS = (".jsonl", ".jsonl.gz")
FLUSH_ROWS = 200_000


def ingest_users(lake: Lake, landing: Path, *, as_of: dt.datetime) -> RunReport:
    """Appends the profile versions landed in `landing/users/` that are not there yet."""
    report = RunReport()
    started = time.perf_counter()
    with lake.lock("bronze/landing_files/users"):
        erasures = lake.scan("bronze", ERASURES).collect()
        manifest = LandingManifest.load(lake, USERS, as_of=as_of)
        held: list[pl.DataFrame] = []
        for rows in _read_all(lake, landing, manifest, report, parse=parse_users, as_of=as_of):
            held.append(rows)
            if sum(frame.height for frame in held) >= FLUSH_ROWS:
                report.add_outcome(_store_users(lake, pl.concat(held), erasures))
                held = []
        if held:
            report.add_outcome(_store_users(lake, pl.concat(held), erasures))
        manifest.save(lake)
    report.add_files(manifest)
    report.of(USERS).seconds += time.perf_counter() - started
    return report


def ingest_erasures(lake: Lake, landing: Path, *, as_of: dt.datetime) -> RunReport:
    """Replaces the table of erasures by what it held and what landed in `landing/erasures/`: the newest per user."""
    report = RunReport()
    started = time.perf_counter()
    with lake.lock("bronze/erasures"):
        manifest = LandingManifest.load(lake, REQUESTS, as_of=as_of)
        frames = list(_read_all(lake, landing, manifest, report, parse=parse_erasures, as_of=as_of))
        read = pl.concat([ERASURES.empty(), *frames])
        known = lake.scan("bronze", ERASURES).collect()
        merged = pl.concat([known, read]).group_by("user_id").agg(pl.col("requested_at").max()).sort("user_id")
        if not lake.exists("bronze", ERASURES.name) or not merged.equals(known):
            lake.replace("bronze", ERASURES, merged)
        manifest.save(lake)
    fresh = merged.join(known, on=["user_id", "requested_at"], how="anti")
    n_new = fresh.join(known, on="user_id", how="anti").height
    report.add_files(manifest)
    counts = report.of(REQUESTS)
    counts.n_read += read.height
    counts.n_new += n_new
    counts.n_changed += fresh.height - n_new
    counts.n_unchanged += read.height - fresh.height
    counts.seconds += time.perf_counter() - started
    return report


def _read_all(
    lake: Lake,
    landing: Path,
    manifest: LandingManifest,
    report: RunReport,
    *,
    parse: Callable[[bytes], Parsed],
    as_of: dt.datetime,
) -> Iterator[pl.DataFrame]:
    """The rows of all unread files of the manifest's kind; rejects are counted and quarantined on the way."""
    refused = QuarantineBuffer(lake, manifest.kind, as_of)
    for file, digest in manifest.unread(list_landed(landing, manifest.kind)):
        n_rows, n_rejects = 0, 0
        for parsed in _pieces(file, parse):
            report.add_rejects(manifest.kind, parsed.rejects)
            report.add_warnings(parsed.warnings)
            refused.add(pl.concat([parsed.rejects, parsed.warnings]), file=file.name)
            n_rows, n_rejects = n_rows + parsed.rows.height, n_rejects + parsed.rejects.height
            yield parsed.rows
        manifest.record(file, digest, n_rows=n_rows, n_rejects=n_rejects)
    refused.flush()


def _pieces(file: LandedFile, parse: Callable[[bytes], Parsed]) -> Iterator[Parsed]:
    if file.suffixes in FORMATS:
        return parse_in_blocks(file.path, parse)
    detail = f"{file.suffixes or 'no suffix'}; expected one of {', '.join(FORMATS)}"
    return iter([Parsed(parse(b"").rows, whole_file(UNSUPPORTED, detail=detail))])


def _store_users(lake: Lake, rows: pl.DataFrame, erasures: pl.DataFrame) -> pl.DataFrame:
    """Appends new versions; returns the outcome. Records of erased users from before their erasure stay out."""
    key = list(USER_RECORDS.key)
    found = without_erased(rows, erasures, at="updated_at").unique(key, keep="first", maintain_order=True)
    with lake.lock("bronze/user_records"):
        known = (
            lake.scan("bronze", USER_RECORDS)
            .select(key)
            .join(found.lazy().select("user_id").unique(), on="user_id", how="semi")
            .collect()
        )
        fresh = found.join(known, on=key, how="anti").sort(key)
        lake.append("bronze", USER_RECORDS, fresh)
    n_new = fresh.select("user_id").unique().join(known, on="user_id", how="anti").height
    counts = (USERS, rows.height, n_new, fresh.height - n_new, rows.height - fresh.height)
    return pl.DataFrame([counts], schema=["source", "n_read", "n_new", "n_changed", "n_unchanged"], orient="row")
