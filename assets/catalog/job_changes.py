"""Writes catalog/jobs with its table of changes, by which later steps know once which jobs are new, changed or gone."""

import polars as pl

from assets.increments import LayeredTable, Mark
from assets.lake import Lake, file_identity
from features.jobs.changes import job_changes
from features.schemas.catalog import JOB_CHANGES, JOBS

_STAGE = "catalog"


def replace_jobs(lake: Lake, jobs: pl.DataFrame) -> None:
    """Replaces catalog/jobs, and notes which jobs it changes."""
    stored = _changes(lake)
    with stored.lock():
        made_of = stored.made_of
        before = lake.scan(_STAGE, JOB_CHANGES).collect() if made_of is not None else JOB_CHANGES.empty()
        lake.replace(_STAGE, JOBS, jobs)
        identity = file_identity(lake.files(_STAGE, JOBS.name))
        changes, number = job_changes(before, jobs)
        # A count that begins anew has another origin: its numbers are not those of the one before.
        origin = made_of["origin"] if made_of is not None else identity
        stored.replace(changes, {"jobs": identity, "origin": origin, "number": number})


def mark_of_jobs(lake: Lake) -> Mark | None:
    """What the catalog of jobs is now, for a later `jobs_since`; None if `replace_jobs` did not write it."""
    made_of = _changes(lake).made_of
    if made_of is None or made_of["jobs"] != file_identity(lake.files(_STAGE, JOBS.name)):
        return None
    return {"origin": made_of["origin"], "number": made_of["number"]}


def jobs_since(lake: Lake, mark: Mark | None, column: str) -> pl.Series | None:
    """The sorted ids of the jobs that changed since `mark`, also of those that are gone; None if that is not known.

    `column` is `profiled_in`, `learned_in`, `described_in` or `ranked_in`: which change counts.
    """
    now = mark_of_jobs(lake)
    if mark is None or now is None or mark["origin"] != now["origin"] or mark["number"] > now["number"]:
        return None
    if mark["number"] == now["number"]:
        return pl.Series("job_id", [], pl.String)
    changed = lake.scan(_STAGE, JOB_CHANGES).filter(pl.col(column) > mark["number"])
    return changed.select(pl.col("job_id").sort()).collect()["job_id"]


def _changes(lake: Lake) -> LayeredTable:
    return LayeredTable(lake, _STAGE, JOB_CHANGES, by=JOB_CHANGES.key)
