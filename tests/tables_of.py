"""What lies in the tables of a data folder, to compare two: a digest of the rows of each lake and published table."""

import hashlib
from pathlib import Path

import duckdb
import polars as pl

from assets.io import TABLES
from assets.lake import Lake
from assets.publishing import generations
from features.schemas.bronze import INGEST_RUNS, LANDING_FILES
from features.schemas.catalog import JOB_CHANGES
from features.schemas.insight import DIGESTS

# What differs between two runs with equal results: durations, inodes' times, and which run read what at which attempt.
_NOT_COMPARED = {
    INGEST_RUNS.name: None,
    LANDING_FILES.name: None,
    # They count runs since the table was last made anew.
    JOB_CHANGES.name: ("profiled_in", "learned_in", "described_in", "ranked_in"),
    DIGESTS.name: ("generation_time_seconds",),
}


def digests_of(data: Path) -> dict[str, str]:
    """Table -> digest of its rows: `lake/<stage>/<table>` and `published/<view>`."""
    return lake_digests(data / "lake") | published_digests(data / "published")


def lake_digests(root: Path) -> dict[str, str]:
    """Of every table that the lake has."""
    lake, found = Lake(root), {}
    for stage in sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        for name, table in TABLES.items():
            left_out = _NOT_COMPARED.get(name, ())
            if left_out is not None and lake.exists(stage, name):
                rows = lake.scan(stage, table).drop(left_out).collect()
                found[f"lake/{stage}/{name}"] = _digest_of_frame(rows)
    return found


def published_digests(published: Path) -> dict[str, str]:
    """Of every view of the served generation."""
    name, found = generations.current_generation(published), {}
    if name is None:
        return {}
    with duckdb.connect(str(published / name / "jobfeed.duckdb"), read_only=True) as con:
        con.execute("set variable jobfeed_folder = ?", [str(published / name)])
        for (view,) in con.execute("select view_name from duckdb_views() where not internal").fetchall():
            left_out = _NOT_COMPARED.get(view) or ()
            columns = f"* exclude ({', '.join(left_out)})" if left_out else "*"
            rows = con.execute(f'select {columns} from "{view}" order by all').fetchall()
            found[f"published/{view}"] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def _digest_of_frame(rows: pl.DataFrame) -> str:
    """Independent of the order of the rows."""
    lines = sorted(rows.write_ndjson().splitlines())
    return hashlib.sha256("\n".join([str(rows.schema), *lines]).encode()).hexdigest()
