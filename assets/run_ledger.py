"""What the runs have taken in: by it a run knows before it starts whether there is anything new for it.

Every run opens an entry when it begins to read, and closes it when its generation is published. An entry that stays
open belongs to a run that failed or still works: what it read may not have reached the feeds. The next run of a job
that does the same takes the entry over. Nothing here imports Dagster, so that an idle run costs no start of it.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assets.catalog.application_instants import next_change
from assets.config.files import settings_digest
from assets.ingest.landing import LandingManifest, hidden, list_landed
from assets.lake import Lake, write_bytes
from assets.notes import read_note
from assets.training.embedding_switch import is_switching
from features.interactions import CLOCK_SKEW
from features.schemas.bronze import USER_RECORDS
from features.schemas.catalog import JOB_VERSIONS, JOBS
from features.schemas.ranking import WAITING_USERS
from serving.contract.generation import GenerationError, read_pointer

_PEOPLE = ("interactions", "users", "resumes", "erasures", "applications")
_POSTINGS = ("feeds", "hh", "jobs")
# The landed files that a job reads. The daily run has models to fit, so it always runs.
LANDED_KINDS: Mapping[str, tuple[str, ...]] = {"hourly": (*_PEOPLE, *_POSTINGS), "frequent": _PEOPLE}
# A run of a job does all that runs of these jobs do. What a failed backfill left in the tables is gone after daily.
COVERED: Mapping[str, tuple[str, ...]] = {
    "daily": ("daily", "hourly", "frequent", "daily_backfill"),
    "hourly": ("hourly", "frequent"),
    "frequent": ("frequent",),
}
_WIDEST = "daily"
_NUMBER = "number"
_LOCK = "runs"


@dataclass(frozen=True)
class Patience:
    """After how many days without news something changes.

    Jobs that are not seen close: `unseen` (source, days), else `unseen_by_default`, see fold_jobs. Applications fall
    `silent`, by state.
    """

    unseen: pl.DataFrame
    unseen_by_default: int
    silent: Mapping[str, int]


def open_entry(lake: Lake, *, run_id: str, job: str, made_by: str) -> None:
    """Notes that the run begins to read, and takes over the open entries of earlier runs that it covers.

    `job` may be the name of another selection of assets: only the widest job does all that it may leave undone.
    """
    known = job if job in COVERED else _WIDEST
    with lake.lock(_LOCK):
        if _entry(lake, run_id).exists():
            return
        before = [path for path in _open_entries(lake) if _read(path).get("job", _WIDEST) in COVERED[known]]
        number = _last_number(lake) + 1
        _write(_folder(lake) / _NUMBER, {"number": number})
        _write(_entry(lake, run_id), {"job": known, "number": number, "made_by": made_by})
        # After its own entry is there: on a full disk, what a failed run left would be nobody's.
        for path in before if job in COVERED else ():
            path.unlink(missing_ok=True)


def close_entry(
    lake: Lake,
    *,
    run_id: str,
    job: str,
    as_of: dt.datetime,
    generation: str,
    patience: Patience,
    fetches: bool,
) -> None:
    """Notes that all the run has read is in `generation`.

    If another run began meanwhile, the entry stays open: what that one read may be in neither generation. `fetches`:
    the hourly job asks sources, so it always has something to do.
    """
    with lake.lock(_LOCK):
        path = _entry(lake, run_id)
        entry = _read(path) or None
        if entry is None or job not in COVERED or entry["number"] != _last_number(lake):
            if entry is None:  # taken over by a run that began later, or never opened
                _write(path, {"job": job if job in COVERED else _WIDEST, "number": -1, "made_by": ""})
            return
        due = next_due(lake, COVERED[job], as_of=as_of, patience=patience)
        for covered, at in due.items():
            record = {
                "as_of": as_of.isoformat(),
                "made_by": entry["made_by"],
                "generation": generation,
                "next_due": at.isoformat() if at is not None else None,
                "fetches": fetches and covered == "hourly",
            }
            _write(_record(lake, covered), record)
        path.unlink()


def forget_entry(lake: Lake, *, run_id: str) -> None:
    """Ends the entry of a run whose generation is not served; the next run of every job looks at everything."""
    forget_records(lake)
    with lake.lock(_LOCK):
        _entry(lake, run_id).unlink(missing_ok=True)


def nothing_new_since(
    lake: Lake, landing: Path, published: Path, *, job: str, as_of: dt.datetime, made_by: str
) -> dt.datetime | None:
    """The instant of the last run if a run of `job` for `as_of` would find nothing new; None if there may be something.

    New are landed files that were not read or are due again, times that pass (a job expires, say), other settings, and
    what an unfinished run left. For the hourly job, so are follow-ups that fall due, users who wait to be ranked, and
    texts that wait for a vector of a new embedding model. A rollback is followed by a run.
    """
    record = _read(_record(lake, job)) if job in LANDED_KINDS else {}
    if not record or _open_entries(lake):
        return None
    if job == "hourly" and (lake.n_rows("ranking", WAITING_USERS) or is_switching(lake)):
        return None
    last = dt.datetime.fromisoformat(record["as_of"])
    due = dt.datetime.fromisoformat(record["next_due"]) if record["next_due"] else None
    if as_of < last or (due is not None and due <= as_of) or record["fetches"] or record["made_by"] != made_by:
        return None
    try:
        if read_pointer(published) != record["generation"]:
            return None
    except GenerationError:
        return None
    for kind in LANDED_KINDS[job]:
        manifest = LandingManifest.load(lake, kind, as_of=as_of)
        files = list_landed(landing, kind)
        named = [hidden(file) for file in files] if kind == "resumes" else files
        if not all(manifest.is_read(file, scope=False) for file in named):
            return None
    return last


def unfinished_jobs(lake: Lake) -> list[str]:
    """The jobs of runs that began to read and whose generation was not published: they failed, or still work."""
    return sorted({str(_read(path).get("job", _WIDEST)) for path in _open_entries(lake)})


def forget_records(lake: Lake) -> None:
    """Makes the next run of every job look at everything, because something changed that no landed file shows."""
    with lake.lock(_LOCK):
        for job in LANDED_KINDS:
            _record(lake, job).unlink(missing_ok=True)


def made_by(config_folder: Path | None, vocabulary: Path, code_version: str) -> str:
    """What a run's results depend on beside its input. Raises OSError for files that can't be read."""
    return f"{code_version} {settings_digest(config_folder, vocabulary)}"


def next_due(
    lake: Lake, jobs: Iterable[str], *, as_of: dt.datetime, patience: Patience
) -> dict[str, dt.datetime | None]:
    """For each of the jobs that may be idle the first instant after `as_of` at which it has something to do.

    None if nothing that is known takes effect later.
    """

    def first(job: str) -> dt.datetime | None:
        known = [_next_due(lake, job, as_of=as_of, patience=patience)]
        if job == "hourly":  # where there are many applications, one changes in every quarter of an hour
            known.append(next_change(lake, patience.silent, as_of=as_of))
        return min((at for at in known if at is not None), default=None)

    return {job: first(job) for job in jobs if job in LANDED_KINDS}


def _next_due(lake: Lake, job: str, *, as_of: dt.datetime, patience: Patience) -> dt.datetime | None:
    """When a job, a user record or a version of a posting takes effect."""
    jobs = lake.scan("catalog", JOBS).filter(pl.col("status") == "open")
    instants = [
        jobs.select(at="expires_at"),
        jobs.select(at="closed_at"),
        lake.scan("bronze", USER_RECORDS).select(at=pl.col("updated_at") - CLOCK_SKEW),
    ]
    if job == "hourly":
        days = pl.coalesce("days", pl.lit(patience.unseen_by_default)).cast(pl.Int64)
        seen = jobs.select("source", "last_seen_at").join(patience.unseen.lazy(), on="source", how="left")
        versions = lake.scan("catalog", JOB_VERSIONS)
        names = ("seen_at", "initial_created_at", "published_at", "closed_at")
        instants += [
            seen.select(at=pl.col("last_seen_at") + pl.duration(days=days)),
            *(versions.select(at=name) for name in names),
        ]
    later = pl.concat(instants).filter(pl.col("at") > as_of).select(pl.col("at").min()).collect().item()
    return later if isinstance(later, dt.datetime) else None


def _folder(lake: Lake) -> Path:
    return lake.root / ".runs"


def _entry(lake: Lake, run_id: str) -> Path:
    return _folder(lake) / "open" / f"{run_id}.json"


def _record(lake: Lake, job: str) -> Path:
    return _folder(lake) / f"{job}.json"


def _open_entries(lake: Lake) -> list[Path]:
    return sorted((_folder(lake) / "open").glob("*.json"))


def _last_number(lake: Lake) -> int:
    return int(_read(_folder(lake) / _NUMBER).get("number", 0))


def _read(path: Path) -> Mapping[str, Any]:
    """What a file of the ledger says; nothing if it is missing or damaged, and then the next run looks for itself."""
    return read_note(path, dict) or {}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_bytes(path, json.dumps(content).encode())
