"""Landed resumes to what was extracted from them; the files themselves never enter the lake."""

import datetime as dt
import hashlib
import time
from dataclasses import replace
from pathlib import Path

import polars as pl

from assets.ingest.jobs.postings import restated_hash
from assets.ingest.landing import LandedFile, LandingManifest, list_landed
from assets.ingest.people.resume_reading import ResumeReader
from assets.ingest.quarantine import UNREADABLE, UNSUPPORTED, quarantined, store_quarantined, whole_file
from assets.ingest.report import RunReport
from assets.ingest.worker import NOT_STARTED
from assets.lake import Lake
from features.schemas.bronze import ERASURES, RESUMES
from features.sources.people.users import is_user_id
from features.sources.resumes.files import MAX_BYTES, ResumeError
from features.sources.resumes.parsing import (
    RESUME_SUFFIXES,
    ResumeFields,
    SkillFinder,
    parse_json_resume,
    resume_fields,
)

KIND = "resumes"


def ingest_resumes(
    lake: Lake, landing: Path, *, skills: SkillFinder, as_of: dt.datetime, reader: ResumeReader | None = None
) -> RunReport:
    """Parses the resumes in `landing/resumes/` that were not read yet; what can't be read is quarantined without its
    content, since resumes are never kept."""
    report = RunReport()
    started = time.perf_counter()
    counts = report.of(KIND)
    rows: list[dict[str, object]] = []
    refused: list[pl.DataFrame] = []
    with lake.lock(f"bronze/landing_files/{KIND}"):
        manifest = LandingManifest.load(lake, KIND, as_of=as_of)
        requested = dict(lake.scan("bronze", ERASURES).collect().iter_rows())
        # The manifest would else keep user ids, which an erasure has to remove, in the names of files.
        files = {_hidden(file): file for file in list_landed(landing, KIND)}
        with reader or ResumeReader() as opened:
            for hidden, digest in manifest.unread(files):
                file = files[hidden]
                if _is_erased(file, requested):
                    counts.n_read += 1
                    counts.n_unchanged += 1
                    manifest.record(hidden, digest, n_rows=1, n_rejects=0)
                    continue
                fields = _read(file, skills=skills, as_of=as_of, reader=opened)
                if isinstance(fields, pl.DataFrame):
                    report.add_rejects(KIND, fields)
                    refused.append(quarantined(fields, source=KIND, file=file.name, as_of=as_of))
                    manifest.record(hidden, digest, n_rows=0, n_rejects=1, retry_at=_retry_at(fields, as_of=as_of))
                    continue
                rows.append({**fields.as_row(), "user_id": file.path.stem, "parsed_at": as_of, "content_hash": digest})
                manifest.record(hidden, digest, n_rows=1, n_rejects=0)
        if rows:
            report.add_outcome(_store(lake, rows))
        store_quarantined(lake, refused)
        manifest.save(lake)
    report.add_files(manifest)
    counts.seconds += time.perf_counter() - started
    return report


def _hidden(file: LandedFile) -> LandedFile:
    name = hashlib.blake2b(file.name.encode(), digest_size=16).hexdigest()
    return replace(file, name=f"{KIND}/{name}", scope=name)


def _is_erased(file: LandedFile, requested: dict[str, dt.datetime]) -> bool:
    """Whether the user asked for erasure after this file was written."""
    at = requested.get(file.path.stem)
    return at is not None and file.mtime_ns / 1e9 <= at.timestamp()


def _read(
    file: LandedFile, *, skills: SkillFinder, as_of: dt.datetime, reader: ResumeReader
) -> ResumeFields | pl.DataFrame:
    """The fields of a resume, or its reject."""
    suffix = file.suffixes
    if suffix not in RESUME_SUFFIXES:
        return whole_file(UNSUPPORTED, detail=f"{suffix or 'no suffix'}; expected one of {', '.join(RESUME_SUFFIXES)}")
    if file.name.count("/") != 1 or not is_user_id(file.path.stem):
        return whole_file("bad_user_id", detail="a resume is named after its user: resumes/<user_id>.<suffix>")
    if file.size_bytes > MAX_BYTES:
        return whole_file("too_large", detail=f"{file.size_bytes} bytes; at most {MAX_BYTES} are read")
    try:
        body = file.path.read_bytes()
        if suffix == ".json":
            return parse_json_resume(body, skills=skills, as_of=as_of)
        return resume_fields(reader.read(body, suffix), skills=skills, as_of=as_of)
    except ResumeError as error:
        return whole_file(error.reason)
    except OSError as error:  # gone or locked since it was listed
        return whole_file(UNREADABLE, detail=type(error).__name__)


def _retry_at(refused: pl.DataFrame, *, as_of: dt.datetime) -> dt.datetime | None:
    """The next run where it was our fault, and not the file's, that it could not be read."""
    return as_of + dt.timedelta(microseconds=1) if NOT_STARTED in refused["reason"] else None


def _store(lake: Lake, rows: list[dict[str, object]]) -> pl.DataFrame:
    """Appends what is new; a resume that came back after another one gets a hash of its own, to be the newest again."""
    key = list(RESUMES.key)
    frame = RESUMES.conform(pl.DataFrame(rows, schema_overrides=_overrides(rows), infer_schema_length=None))
    with lake.lock("bronze/resumes"):
        known = lake.scan("bronze", RESUMES).select("user_id", "content_hash", "parsed_at").collect()
        last = known.sort("parsed_at", "content_hash").group_by("user_id").agg(pl.col("content_hash").last())
        newest = dict(last.iter_rows())
        ever = set(known.select(key).iter_rows())
        hashes = [
            restated_hash(digest, after=newest[user]) if (user, digest) in ever and newest[user] != digest else digest
            for user, digest in frame.select(key).iter_rows()
        ]
        named = frame.with_columns(pl.Series("content_hash", hashes, dtype=pl.String))
        fresh = named.unique(key, keep="last", maintain_order=True).join(known, on=key, how="anti").sort(key)
        lake.append("bronze", RESUMES, fresh)
    n_new = fresh.select("user_id").unique().join(known, on="user_id", how="anti").height
    counts = (KIND, len(rows), n_new, fresh.height - n_new, len(rows) - fresh.height)
    return pl.DataFrame([counts], schema=["source", "n_read", "n_new", "n_changed", "n_unchanged"], orient="row")


def _overrides(rows: list[dict[str, object]]) -> dict[str, pl.DataType | type[pl.DataType]]:
    return {name: RESUMES.columns[name] for name in rows[0]}
