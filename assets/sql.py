"""Runs one SELECT from `sql/` over Polars frames, in an in-memory DuckDB. Each file in `sql/` describes its query."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from features.errors import JobfeedError

SQL_FOLDER = Path(__file__).resolve().parent.parent / "sql"


class QueryError(JobfeedError, ValueError):
    """A query file does not exist, or its query fails, for example without one of its inputs."""


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
    frames: Mapping[str, pl.LazyFrame | pl.DataFrame],
    params: Mapping[str, Any] | None = None,
    memory_limit: str = "2GB",
) -> pl.DataFrame:
    """The rows of `sql/<name>.sql`, with `frames` as its tables and `params` as its $parameters.

    The time zone is UTC. The query can read nothing from disk or network; spill files go to a temporary folder.
    Raises QueryError, which names the query, if DuckDB refuses it.
    """
    text = query_text(name)
    with (
        tempfile.TemporaryDirectory(prefix="jobfeed-duckdb-") as spill,
        duckdb.connect(":memory:", config={"memory_limit": memory_limit, "temp_directory": spill}) as connection,
    ):
        connection.execute("set TimeZone = 'UTC'")
        for table, frame in frames.items():
            rows = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
            connection.register(table, rows.to_arrow())
        connection.execute("set enable_external_access = false")
        try:
            result: pl.DataFrame = connection.sql(text, params=dict(params or {})).pl()
        except duckdb.Error as error:
            raise QueryError(f"query {name!r}: {error}") from error
        return result
