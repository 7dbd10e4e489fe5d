"""Profiles and erasure requests from landing/ to bronze. Resumes have a module of their own."""

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import polars as pl

from assets.erasing.requests import Erasures, add_requests
from assets.ingest.landing import LandedFile, LandingManifest, list_landed
from assets.ingest.landing_run import landing_run, parse_in_blocks
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
    """Appends the profile versions landed in `landing/users/` that the lake lacks."""
    report = RunReport()
    with landing_run(lake, USERS, report, as_of=as_of, source=USERS) as run:
        erasures = Erasures.load(lake)
        held = [USER_RECORDS.empty()]
        for file, parsed in run.read(list_landed(landing, USERS), _read_users, USER_RECORDS):
            run.refuse(file, parsed)
            held.append(parsed.rows)
            if sum(frame.height for frame in held) >= FLUSH_ROWS:
                _store_users(lake, pl.concat(held), erasures, report)
                held = [USER_RECORDS.empty()]
        _store_users(lake, pl.concat(held), erasures, report)
    return report


def ingest_erasures(lake: Lake, landing: Path, *, as_of: dt.datetime) -> RunReport:
    """Merges what landed in `landing/erasures/` into the table of erasures, the newest request per user."""
    report = RunReport()
    with landing_run(lake, REQUESTS, report, as_of=as_of, source=REQUESTS) as run:
        frames = [ERASURES.empty()]
        for file, parsed in run.read(list_landed(landing, REQUESTS), _by_lines(parse_erasures), ERASURES):
            run.refuse(file, parsed)
            frames.append(parsed.rows)
        read = pl.concat(frames)
        known, merged = add_requests(lake, read)
    fresh = merged.join(known, on=["user_id", "requested_at"], how="anti")
    n_new = fresh.join(known, on="user_id", how="anti").height
    report.of(REQUESTS).add(n_read=read.height, n_new=n_new, n_changed=fresh.height - n_new)
    return report


def known_erasures(lake: Lake, landing: Path, *, as_of: dt.datetime) -> pl.DataFrame:
    """The newest erasure per user, those that landed and were not ingested yet among them. Nothing is stored."""
    manifest = LandingManifest.load(lake, REQUESTS, as_of=as_of)
    fresh = [file for file, _ in manifest.unread(list_landed(landing, REQUESTS)) if file.suffixes in FORMATS]
    frames = [parsed.rows for file in fresh for parsed in parse_in_blocks(file.path, parse_erasures)]
    rows = pl.concat([lake.scan("bronze", ERASURES).collect(), *frames])
    return rows.group_by("user_id").agg(pl.col("requested_at").max()).sort("user_id")


def _read_users(file: LandedFile) -> Iterator[Parsed]:
    written_at = dt.datetime.fromtimestamp(file.mtime_ns / 1e9, dt.UTC)
    yield from _by_lines(partial(parse_users, written_at=written_at))(file)


def _by_lines(parse: Callable[[bytes], Parsed]) -> Callable[[LandedFile], Iterator[Parsed]]:
    def read(file: LandedFile) -> Iterator[Parsed]:
        file.require_format(FORMATS)
        yield from parse_in_blocks(file.path, parse, may_grow=file.may_grow)

    return read


def _store_users(lake: Lake, rows: pl.DataFrame, erasures: Erasures, report: RunReport) -> None:
    """Appends and counts new versions. Records of erased users from before their erasure are left out."""
    found = erasures.without_erased(rows, at="updated_at")
    fresh, known = lake.append_new("bronze", USER_RECORDS, found, within=["user_id"])
    n_new = fresh.select("user_id").unique().join(known, on="user_id", how="anti").height
    report.of(USERS).add(n_read=rows.height, n_new=n_new, n_changed=fresh.height - n_new)
