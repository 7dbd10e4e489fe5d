"""Compares the tables of a market after many runs with those that one run makes of the landed files alone.

EXCEPTIONS lists what may differ, and why. Everything else must be equal, floats up to a tolerance: vectors of texts
that were embedded in other batches differ in their last bits, see ADR 14.
"""

import datetime as dt
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl

from assets.io import TABLES
from assets.lake import Lake
from assets.resources import AS_OF_TAG, Workspace
from features.schemas.table import Table
from pipelines.definitions import build_defs
from pipelines.step_threads import execute
from serving.contract.generation import FOLDER_VARIABLE, read_pointer
from serving.contract.tables import KEYS
from tests.table_differences import differences

Read = Callable[[str, int, int], pl.DataFrame]  # of the rows: column, which part by its hash, of how many

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


def compared(data: Path, rebuilt: Path, *, n_parts: int = 1) -> Iterator[tuple[str, Mapping[str, int], int]]:
    """Each table of the lake as stage/name and each published one, what differs unexplained, and its rows.

    Of large tables, one of `n_parts` by the hash of the first column of the key is in memory at a time.
    """
    for name, key, read in chain(_lake_tables(data, rebuilt), _published_tables(data, rebuilt)):
        excepted = EXCEPTIONS.get(name, {})
        by = next((column for column in key if column not in excepted), key[0])
        found, n_rows = Counter[str](), 0
        for part in range(n_parts):
            one, other = (side(by, part, n_parts) for side in read)
            found.update({} if "*" in excepted else differences(one, other, key, ignored=excepted))
            n_rows += len(other)
        yield name, found, n_rows


def _lake_tables(data: Path, rebuilt: Path) -> Iterator[tuple[str, Sequence[str], Sequence[Read]]]:
    lakes = [Lake(folder / "lake") for folder in (data, rebuilt)]
    stages = sorted(path.name for path in lakes[0].root.iterdir() if path.is_dir() and not path.name.startswith("."))
    for stage in stages:
        for name, table in sorted(TABLES.items()):
            if any(lake.exists(stage, name) for lake in lakes):
                yield f"{stage}/{name}", table.key, [partial(_stored, lake, stage, table) for lake in lakes]


def _published_tables(data: Path, rebuilt: Path) -> Iterator[tuple[str, Sequence[str], Sequence[Read]]]:
    for name, key in KEYS.items():
        yield name, key, [partial(_published, folder / "published", name) for folder in (data, rebuilt)]


def _stored(lake: Lake, stage: str, table: Table, by: str, part: int, n_parts: int) -> pl.DataFrame:
    rows = lake.scan(stage, table)
    return (rows if n_parts == 1 else rows.filter(pl.col(by).hash() % n_parts == part)).collect(engine="streaming")


def _published(published: Path, table: str, by: str, part: int, n_parts: int) -> pl.DataFrame:
    folder = published / str(read_pointer(published))
    with duckdb.connect(str(folder / "jobfeed.duckdb"), read_only=True) as con:
        con.sql("set timezone = 'UTC'")
        con.sql(f"set variable {FOLDER_VARIABLE} = '{folder}'")
        rows: pl.DataFrame = con.sql(f'select * from "{table}" where hash("{by}") % {n_parts} = {part}').pl()
        return rows
