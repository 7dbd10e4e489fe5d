"""Runs one SELECT from `sql/` over Polars frames, in an in-memory DuckDB. Each file in `sql/` describes its query."""

import glob
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from features.errors import JobfeedError
from features.schemas.table import Table

SQL_FOLDER = Path(__file__).resolve().parent.parent / "sql"


class QueryError(JobfeedError, ValueError):
    """A query file does not exist, or its query fails, for example without one of its inputs."""


@dataclass(frozen=True)
class Parts:
    """Parquet files of a lake table. A query reads of them only the columns and row groups that it needs."""

    table: Table
    files: Sequence[Path]


Rows = pl.LazyFrame | pl.DataFrame | Parts


def query_text(name: str) -> str:
    """The text of `sql/<name>.sql`, such as `insight/skill_demand`. Raises QueryError that lists the existing names."""
    path = SQL_FOLDER / f"{name}.sql"
    if not path.is_file():
        existing = sorted(str(p.relative_to(SQL_FOLDER).with_suffix("")) for p in SQL_FOLDER.rglob("*.sql"))
        raise QueryError(f"query {name!r} is not in {SQL_FOLDER}; there are {existing}")
    return path.read_text(encoding="utf-8")


def query(
    name: str,
    *,
    frames: Mapping[str, Rows],
    params: Mapping[str, Any] | None = None,
    memory_limit: str = "2GB",
) -> pl.DataFrame:
    """The rows of `sql/<name>.sql`, with `frames` as its tables and `params` as its $parameters.

    The time zone is UTC. Of disk and network, the query can read only `Parts`; spill files go to a temporary folder.
    Raises QueryError, which names the query, if DuckDB refuses it.
    """
    with _result(name, frames, params, memory_limit) as result:
        found: pl.DataFrame = result.pl()
        return found


def query_in_batches(
    name: str,
    *,
    frames: Mapping[str, Rows],
    params: Mapping[str, Any] | None = None,
    memory_limit: str = "2GB",
    batch_rows: int = 1_000_000,
) -> Iterator[pl.DataFrame]:
    """The rows of `query` in batches: memory is bounded by `memory_limit` and the batch, not by the result."""
    with _result(name, frames, params, memory_limit) as result:
        for batch in result.to_arrow_reader(batch_rows):
            yield pl.DataFrame(pa.Table.from_batches([batch]))


@contextmanager
def _result(
    name: str, frames: Mapping[str, Rows], params: Mapping[str, Any] | None, memory_limit: str
) -> Iterator[duckdb.DuckDBPyRelation]:
    text = query_text(name)
    with (
        tempfile.TemporaryDirectory(prefix="jobfeed-duckdb-") as spill,
        duckdb.connect(":memory:", config={"memory_limit": memory_limit, "temp_directory": spill}) as connection,
    ):
        connection.execute("set TimeZone = 'UTC'")
        files = [str(path) for rows in frames.values() if isinstance(rows, Parts) for path in rows.files]
        # DuckDB takes brackets for a pattern, and asks for the pattern first and then for the file that it found.
        readable = [*files, *map(glob.escape, files)]
        connection.execute("set allowed_paths = ?", [readable])
        for table, rows in frames.items():
            _add_table(connection, table, rows)
        connection.execute("set enable_external_access = false")
        try:
            yield connection.sql(text, params=dict(params or {}))
        except duckdb.Error as error:
            raise QueryError(f"query {name!r}: {error}") from error


def _add_table(connection: duckdb.DuckDBPyConnection, name: str, rows: Rows) -> None:
    if isinstance(rows, Parts) and rows.files:
        files = [glob.escape(str(path)) for path in rows.files]
        columns = ", ".join(f'"{column}"' for column in rows.table.columns)
        connection.read_parquet(files, hive_partitioning=False).project(columns).create_view(name)
        return
    if isinstance(rows, Parts):
        rows = rows.table.empty()
    found = rows.collect() if isinstance(rows, pl.LazyFrame) else rows
    connection.register(name, found.to_arrow())
