"""What is served, how old it is, what is due and what is wrong: for people and for monitoring."""

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assets.damage import rebuild_due
from assets.ingest.landing import LandingManifest, hidden, list_landed
from assets.ingest.run_log import recent_runs
from assets.instants import future_problem
from assets.inventory import missing_files
from assets.lake import Lake
from assets.publishing import generations
from assets.run_ledger import COVERED, LANDED_KINDS, unfinished_jobs
from assets.run_outcomes import RunOutcome, read_outcomes
from assets.run_turns import running_now
from assets.training.embedding_switch import read_serving
from features.schemas.bronze import ERASURES
from features.source_health import source_alarms
from serving.contract.generation import GenerationError, Manifest

MAX_AGE_HOURS = 26.0
_ERASED_WITHIN = dt.timedelta(days=1)
_LEAST_FREE_SHARE = 0.05
_MOST_MISSING = 5


@dataclass(frozen=True)
class LastRun:
    """How the last run of a job ended. `success_hours`: since one succeeded or found nothing new; None if none did."""

    job: str
    succeeded: bool
    ended_at: str
    success_hours: float | None
    failed_step: str


@dataclass(frozen=True)
class Status:
    """`generation` to `n_jobs` are of the served generation, None without one. `due`: kind -> landed files that no run
    has read. `running`: the run that works now. `runs`: how the last run of each job ended. `embeddings`: the model
    whose vectors serve, and how far the one to come is; None before the first run. `problems`: a sentence each; none if
    all is well."""

    generation: str | None
    kind: str | None
    as_of: str | None
    age_hours: float | None
    n_users: int | None
    n_jobs: int | None
    running: str | None
    due: dict[str, int]
    runs: list[LastRun]
    embeddings: dict[str, str | float] | None
    problems: list[str]


def find_status(
    data: Path, *, now: dt.datetime, landing: Path | None = None, max_age_hours: float = MAX_AGE_HOURS
) -> Status:
    """The status of the data folder, and of `landing` if that is not in it; changes nothing."""
    lake, published, landing = Lake(data / "lake"), data / "published", landing or data / "landing"
    running = running_now(lake)
    served, problems = _served(published, now=now, max_age_hours=max_age_hours)
    age = (now - dt.datetime.fromisoformat(served.as_of)).total_seconds() / 3600 if served is not None else None
    return Status(
        generation=served.generation if served is not None else None,
        kind=served.kind if served is not None else None,
        as_of=served.as_of if served is not None else None,
        age_hours=round(age, 2) if age is not None else None,
        n_users=served.rows("feeds") if served is not None else None,
        n_jobs=served.rows("jobs") if served is not None else None,
        running=running,
        due=_unread(lake, landing, now=now),
        runs=[_last_run(outcome, now=now) for outcome in read_outcomes(lake)],
        embeddings=_embeddings(lake),
        problems=[*problems, *_of_lake(lake, is_running=running is not None, now=now), *_of_disk(data)],
    )


def _served(published: Path, *, now: dt.datetime, max_age_hours: float) -> tuple[Manifest | None, list[str]]:
    try:
        name = generations.current_generation(published)
        if name is None:
            return None, [f"{published}: no generation is published yet; `jobfeed run daily` makes one"]
        served = generations.read_manifest(published, name)
        damaged = generations.verify_touched(published, name)
    except (GenerationError, OSError) as error:
        return None, [str(error)]
    as_of = dt.datetime.fromisoformat(served.as_of)
    problems = [f"the served generation is damaged: {one}" for one in damaged[:5]]
    if (ahead := future_problem(as_of, now=now)) is not None:
        problems.append(f"the served generation: {ahead}")
    elif now - as_of > dt.timedelta(hours=max_age_hours):
        hours = (now - as_of).total_seconds() / 3600
        problems.append(f"the served generation is {hours:.0f} hours old; at most {max_age_hours:g} are allowed")
    if not served.rows("jobs"):
        problems.append("the served generation has no jobs; look at `jobfeed sources list` and `jobfeed quarantine`")
    return served, problems


def _of_lake(lake: Lake, *, is_running: bool, now: dt.datetime) -> Iterator[str]:
    if (reason := rebuild_due(lake)) is not None:
        yield f"{reason}; `jobfeed run daily` makes them anew"
    missing = missing_files(lake)
    for path in missing[:_MOST_MISSING]:
        yield f"{path} is missing or cut off since the last run; `jobfeed run daily` has its content made anew"
    if len(missing) > _MOST_MISSING:
        yield f"{len(missing) - _MOST_MISSING} more files are missing or cut off"
    serving = read_serving(lake)
    if serving is not None and serving.problem:
        yield f"the configured embedding model can't be used, the one before serves on: {serving.problem}"
    failed = _failed_jobs(lake)
    for job in sorted({*unfinished_jobs(lake), *failed}) if not is_running else ():
        where = f" at {failed[job]}" if failed.get(job) else ""
        yield f"a run of {job} did not end well{where}; run it again, its messages say why"
    waiting = lake.scan("bronze", ERASURES).collect().filter(pl.col("requested_at") < now - _ERASED_WITHIN)
    if len(waiting):
        yield f"{len(waiting)} users asked over a day ago to be erased; `jobfeed run daily` does it"
    for _, source, alarm, detail, since in source_alarms(recent_runs(lake)).iter_rows():
        yield f"source {source}: {alarm} since {since:%Y-%m-%d %H:%M}: {detail}"


def _failed_jobs(lake: Lake) -> dict[str, str]:
    """Job -> failed step, of jobs whose last run failed, unless a later run that does all of it succeeded."""
    outcomes = {outcome.job: outcome for outcome in read_outcomes(lake)}
    done = {
        covered: max(one.last_success_at or 0.0 for one in outcomes.values() if covered in COVERED.get(one.job, ()))
        for job in outcomes
        for covered in COVERED.get(job, ())
    }
    return {
        job: outcome.failed_step
        for job, outcome in outcomes.items()
        if not outcome.succeeded and done.get(job, 0.0) < outcome.ended_at
    }


def _last_run(outcome: RunOutcome, *, now: dt.datetime) -> LastRun:
    succeeded_at = outcome.last_success_at
    return LastRun(
        job=outcome.job,
        succeeded=outcome.succeeded,
        ended_at=dt.datetime.fromtimestamp(outcome.ended_at, dt.UTC).isoformat(timespec="seconds"),
        success_hours=round((now.timestamp() - succeeded_at) / 3600, 2) if succeeded_at is not None else None,
        failed_step=outcome.failed_step,
    )


def _embeddings(lake: Lake) -> dict[str, str | float] | None:
    serving = read_serving(lake)
    if serving is None:
        return None
    found: dict[str, str | float] = {"model": serving.model.text_model.identity}
    if serving.following:
        found |= {"next_model": serving.following, "next_model_share": round(serving.share, 4)}
    return found


def _of_disk(data: Path) -> Iterator[str]:
    folder = data if data.is_dir() else data.parent
    if not data.is_dir():
        yield f"{data} is no folder; JOBFEED_DATA names the data folder"
    if folder.is_dir():
        disk = shutil.disk_usage(folder)
        if disk.free < _LEAST_FREE_SHARE * disk.total:
            yield f"{disk.free / 1e9:.1f} GB of {disk.total / 1e9:.1f} are free on the disk of {folder}"


def _unread(lake: Lake, landing: Path, *, now: dt.datetime) -> dict[str, int]:
    found = {}
    for kind in LANDED_KINDS["hourly"]:
        manifest = LandingManifest.load(lake, kind, as_of=now)
        files = list_landed(landing, kind)
        named = [hidden(file) for file in files] if kind == "resumes" else files
        n_unread = sum(not manifest.is_read(file, scope=False) for file in named)
        if n_unread:
            found[kind] = n_unread
    return found
