"""Resumes from landing/ to bronze: only what was extracted from a file enters the lake, never the file itself."""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from assets.erasing.requests import Erasures
from assets.ingest.jobs.postings import restated_hash
from assets.ingest.landing import LandedFile, RefusedFileError, hidden, list_landed
from assets.ingest.landing_run import landing_run
from assets.ingest.report import RunReport
from assets.ingest.worker import NOT_STARTED, Worker, WorkerError
from assets.lake import Lake
from assets.llm.client import LlmClient
from assets.llm.resumes import CompletedResume, complete_resumes
from features.schemas.bronze import RESUMES
from features.sources.lines import READ_FAILED
from features.sources.parsed import Parsed
from features.sources.people.users import is_user_id
from features.sources.resumes.fields import MAX_BYTES, RESUME_SUFFIXES, ReadResume, ResumeError
from features.sources.resumes.parsing import SkillFinder, resume_fields
from features.vocabulary.places import Gazetteer
from features.vocabulary.skills import SkillVocabulary

KIND = "resumes"
DEADLINE_SECONDS = 30.0
MEMORY_BYTES = 2_000_000_000
# A run stops after so many seconds of resumes that took longer than SLOW_SECONDS each; the next run reads the rest.
SLOW_SECONDS, MAX_SLOW_SECONDS = 1.0, 300.0
_RESUMES_AT_ONCE = 1_000  # bounds the memory of their texts while skills and places are looked up


class ResumeVocabulary(NamedTuple):
    """What skills and places are called."""

    skills: SkillFinder
    places: Gazetteer

    @classmethod
    def load(cls, folder: Path) -> "ResumeVocabulary":
        """Reads the files in `folder`."""
        return cls(SkillVocabulary.load(folder), Gazetteer.load(folder))


@dataclass(frozen=True)
class _Found:
    user_id: str
    file: LandedFile
    digest: str
    read: ReadResume


def ingest_resumes(
    lake: Lake,
    landing: Path,
    *,
    vocabulary: Callable[[], ResumeVocabulary],
    as_of: dt.datetime,
    worker: Worker | None = None,
    llm: LlmClient | None = None,
) -> RunReport:
    """Parses the resumes in `landing/resumes/` that were not read yet. Unreadable ones are quarantined without their
    content, because resumes are never kept. `vocabulary` is called only if there is something to read. With `llm`, a
    language model adds what rules did not find.
    """
    report = RunReport()
    counts = report.of(KIND)
    found: list[_Found] = []
    slow_seconds = 0.0
    words = cache(vocabulary)
    with landing_run(lake, KIND, report, as_of=as_of, source=KIND) as run, ExitStack() as opened:
        model_characters = llm.settings.max_input_characters if llm is not None else 0
        reader = cache(lambda: opened.enter_context(worker or resume_worker(words().places, model_characters)))

        def store() -> None:
            completed = complete_resumes([(each.user_id, each.read) for each in found], llm)
            _store(lake, _rows(found, completed, words(), as_of=as_of), report)
            for each, by_model in zip(found, completed, strict=True):
                if by_model.retry_after is not None:
                    run.manifest.retry(each.file, at=as_of + by_model.retry_after)
            found.clear()

        erasures = Erasures.load(lake)
        # File names hold user ids, which an erasure must remove, so the manifest keeps digests of the names.
        files = {hidden(file): file for file in list_landed(landing, KIND)}
        for nameless, digest in run.manifest.unread(files):
            if slow_seconds >= MAX_SLOW_SECONDS:
                counts.statuses.append(f"stopped after {slow_seconds:.0f} s of slow resumes; the next run goes on")
                break
            file = files[nameless]
            if _is_erased(file, erasures):
                counts.add(n_read=1, n_new=0)
                run.manifest.record(nameless, digest, n_rows=1, n_rejects=0)
                continue
            started = time.perf_counter()
            try:
                found.append(_Found(file.path.stem, nameless, digest, _read(file, reader)))
            except RefusedFileError as error:
                run.refuse(file, Parsed(RESUMES.empty(), error.rejects))
                # A later run tries again if reading failed or the process did not start: the file is not at fault.
                has_failed = error.rejects["reason"].is_in([READ_FAILED, NOT_STARTED]).any()
                run.manifest.record(nameless, digest, n_rows=0, n_rejects=1, has_failed=has_failed)
                continue
            finally:
                seconds = time.perf_counter() - started
                slow_seconds += seconds if seconds > SLOW_SECONDS else 0
            run.manifest.record(nameless, digest, n_rows=1, n_rejects=0)
            if len(found) == _RESUMES_AT_ONCE:
                store()
        if found:
            store()
    return report


def resume_worker(places: Gazetteer, model_characters: int = 0) -> Worker:
    """A process that reads resumes: files may be made to hang or to take all memory."""
    from features.sources.resumes.reading import read_resume  # takes 0.2 s, and most runs read no resume

    read = partial(read_resume, places=places.written_names, model_characters=model_characters)
    return Worker(read, MEMORY_BYTES, ResumeError)


def read_in(worker: Worker, body: bytes, suffix: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> ReadResume:
    """One resume. Raises ResumeError with the reader's reason or the Worker's: `too_slow`, `too_much_memory`,
    `did_not_start`, `unreadable`."""
    try:
        found: ReadResume = worker.call(body, suffix, deadline_seconds=deadline_seconds)
    except WorkerError as error:
        raise ResumeError(str(error).partition(" ")[0]) from None
    return found


def _is_erased(file: LandedFile, erasures: Erasures) -> bool:
    """Whether the user asked for erasure after this file was written."""
    at = erasures.requested_at(file.path.stem)
    return at is not None and file.mtime_ns / 1e9 <= at.timestamp()


def _written_at(file: LandedFile, *, as_of: dt.datetime) -> dt.datetime:
    """When the file was written: its own time, but not a time to come, which no request for erasure would reach."""
    seconds = file.mtime_ns / 1e9
    return as_of if seconds >= as_of.timestamp() else dt.datetime.fromtimestamp(seconds, dt.UTC)


def _read(file: LandedFile, reader: Callable[[], Worker]) -> ReadResume:
    """What a resume says. Raises RefusedFileError."""
    file.require_format(RESUME_SUFFIXES)
    if file.name.count("/") != 1 or not is_user_id(file.path.stem):
        raise RefusedFileError("bad_user_id", "a resume is named after its user: resumes/<user_id>.<suffix>")
    body = file.read(max_bytes=MAX_BYTES, too_large="too_large")
    try:
        return read_in(reader(), body, file.suffixes)
    except ResumeError as error:
        raise RefusedFileError(error.reason) from None


def _rows(
    found: Sequence[_Found], completed: Sequence[CompletedResume], words: ResumeVocabulary, *, as_of: dt.datetime
) -> list[dict[str, object]]:
    reads = [each.read for each in completed]
    fields = resume_fields(reads, skills=words.skills, places=words.places, as_of=as_of)
    return [
        {
            **asdict(of_user),
            "user_id": each.user_id,
            "parsed_at": as_of,
            "written_at": _written_at(each.file, as_of=as_of),
            "content_hash": restated_hash(each.digest, after=by_model.mark) if by_model.mark else each.digest,
            "read_by": by_model.read_by,
            "model_columns": by_model.columns,
        }
        for each, by_model, of_user in zip(found, completed, fields, strict=True)
    ]


def _store(lake: Lake, rows: list[dict[str, object]], report: RunReport) -> None:
    """Appends and counts new resumes. One that returns after another gets a hash of its own, to be the newest again."""
    key = list(RESUMES.key)
    schema = {name: RESUMES.columns[name] for name in rows[0]}
    frame = RESUMES.conform(pl.DataFrame(rows, schema_overrides=schema, infer_schema_length=None))
    known = lake.scan("bronze", RESUMES).select("user_id", "content_hash", "parsed_at").collect()
    last = known.sort("parsed_at", "content_hash").group_by("user_id").agg(pl.col("content_hash").last())
    newest = dict(last.iter_rows())
    ever = set(known.select(key).iter_rows())
    hashes = [
        restated_hash(digest, after=newest[user]) if (user, digest) in ever and newest[user] != digest else digest
        for user, digest in frame.select(key).iter_rows()
    ]
    named = frame.with_columns(pl.Series("content_hash", hashes, dtype=pl.String))
    newest_rows = named.unique(key, keep="last", maintain_order=True)
    fresh, _ = lake.append_new("bronze", RESUMES, newest_rows, within=["user_id"])
    n_new = fresh.select("user_id").unique().join(known, on="user_id", how="anti").height
    report.of(KIND).add(n_read=len(rows), n_new=n_new, n_changed=fresh.height - n_new)
