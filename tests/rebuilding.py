"""Compares the tables of a market after many runs with those that one run makes of the landed files alone.

EXCEPTIONS lists what may differ, and why. Everything else must be equal, floats up to a tolerance: vectors of texts
that were embedded in other batches differ in their last bits, see ADR 14.
"""

import datetime as dt
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from assets.io import TABLES
from assets.lake import Lake
from assets.resources import AS_OF_TAG, Workspace
from pipelines.definitions import build_defs
from pipelines.step_threads import execute
from serving.contract.generation import FOLDER_VARIABLE, read_pointer
from serving.contract.tables import KEYS
from tests.table_differences import differences

_READ_AT = "when a run read it: the rebuild reads everything at once"
_CLOSED_AT = "an archived posting without a date closes when it is read"
_HISTORY = "what was done before is remembered, and no landed file says it"
_ALL = ("missing", "unexpected")
# Table of the lake, or of a generation where it is published -> what may differ (see `differences`) -> why.
EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "bronze/erased": dict.fromkeys((*_ALL, "erased_at"), "the hash of a user has a key of its own in each lake"),
    "bronze/feed_postings": {"seen_at": _READ_AT},
    "bronze/file_postings": {"seen_at": _READ_AT},
    "bronze/hh_postings": {"seen_at": _READ_AT},
    "bronze/ingest_runs": {"*": "one row per run and source"},
    "bronze/landing_files": {"ctime_ns": "of the file system", "ingested_at": _READ_AT},
    "bronze/quarantine": {
        "seen_at": _READ_AT,
        "unexpected": "an event of the future was refused, then taken once its time had come: the rebuild is later",
    },
    "bronze/resumes": {"parsed_at": _READ_AT, "written_at": "no later than a run read it"},
    "bronze/sightings": {"*": "one row per job and run"},
    "catalog/job_changes": {"*": "numbers of changes count from the first run"},
    "catalog/job_versions": {"seen_at": _READ_AT},
    "catalog/jobs": {"first_seen_at": _READ_AT, "last_seen_at": _READ_AT, "closed_at": _CLOSED_AT},
    "jobs": {"first_seen_at": _READ_AT, "last_seen_at": _READ_AT, "closed_at": _CLOSED_AT},
    "catalog/users": {"updated_at": "of users with nothing but a resume, when it was read"},
    "digests/digest_items": {"*": f"digests that were made: {_HISTORY}"},
    "digests/digests": {"*": f"a job is in one digest only: {_HISTORY}"},
    "digests": {"*": f"a job is in one digest only: {_HISTORY}"},
    "insight/skill_progress": {"*": f"the gaps of earlier days: {_HISTORY}"},
    "skill_progress": {"*": f"the gaps of earlier days: {_HISTORY}"},
    "training/text_embeddings": {"unexpected": "vectors of texts that nothing has now are kept for a while"},
}


def run_job(data: Path, job: str, as_of: dt.datetime, config: Path) -> None:
    """Runs a job as `jobfeed run` does, in this process. Raises AssertionError if it fails."""

    @dg.logger
    def silent(_context: dg.InitLoggerContext) -> logging.Logger:
        return logging.Logger("silent", level=logging.CRITICAL)

    definitions = build_defs(Workspace(data_dir=str(data), config_dir=str(config)), loggers={"console": silent})
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(
            definitions.resolve_job_def(job),
            instance=instance,
            tags={AS_OF_TAG: as_of.isoformat()},
            run_config={"loggers": {"console": {}}},
        )
    failed = [event.step_key for event in result.get_step_failure_events()]
    assert result.success, f"{job} as of {as_of}: {failed} failed"


def link_landing(data: Path, target: Path) -> None:
    """Makes a data folder at `target` with the landed files of `data` alone, hard-linked: they keep their times."""
    for path in sorted(path for path in (data / "landing").rglob("*") if path.is_file()):
        link = target / path.relative_to(data)
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, link)


def unexplained(data: Path, rebuilt: Path) -> dict[str, Mapping[str, int]]:
    """Table -> what differs beyond EXCEPTIONS, and in how many rows."""
    return {name: found for name, found, _ in compared(data, rebuilt) if found}


def compared(data: Path, rebuilt: Path) -> Iterator[tuple[str, Mapping[str, int], int]]:
    """Each table of the lake as stage/name and each published one, what differs unexplained, and its rows."""
    for name, key, one, other in (*_lake_tables(data, rebuilt), *_published_tables(data, rebuilt)):
        excepted = EXCEPTIONS.get(name, {})
        yield name, {} if "*" in excepted else differences(one, other, key, ignored=excepted), len(other)


def _lake_tables(data: Path, rebuilt: Path) -> Iterator[tuple[str, Any, pl.DataFrame, pl.DataFrame]]:
    one, other = Lake(data / "lake"), Lake(rebuilt / "lake")
    stages = sorted(path.name for path in one.root.iterdir() if path.is_dir() and not path.name.startswith("."))
    for stage in stages:
        for name, table in sorted(TABLES.items()):
            if one.exists(stage, name) or other.exists(stage, name):
                yield f"{stage}/{name}", table.key, one.scan(stage, table).collect(), other.scan(stage, table).collect()


def _published_tables(data: Path, rebuilt: Path) -> Iterator[tuple[str, Any, pl.DataFrame, pl.DataFrame]]:
    for name, key in KEYS.items():
        one, other = (_published(folder / "published", name) for folder in (data, rebuilt))
        yield name, key, one, other


def _published(published: Path, table: str) -> pl.DataFrame:
    folder = published / str(read_pointer(published))
    with duckdb.connect(str(folder / "jobfeed.duckdb"), read_only=True) as con:
        con.sql("set timezone = 'UTC'")
        con.sql(f"set variable {FOLDER_VARIABLE} = '{folder}'")
        rows: pl.DataFrame = con.sql(f'select * from "{table}"').pl()
        return rows
