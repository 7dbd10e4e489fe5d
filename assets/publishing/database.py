"""The generation's DuckDB file: all published tables and the view `feed_items`, built from the Parquet files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb

from serving.contract import TABLES

_VIEW = Path(__file__).resolve().parent.parent.parent / "sql" / "publish" / "feed_items.sql"


def write_database(path: Path, files: Mapping[str, Iterable[Path]], *, memory_limit: str) -> None:
    """Writes every table of the contract from its Parquet files into a new database at `path`."""
    with duckdb.connect(str(path), config={"memory_limit": memory_limit}) as con:
        for table, columns in TABLES.items():
            typed = ", ".join(f'cast("{name}" as {kind}) as "{name}"' for name, kind in columns.items())
            con.sql(
                f'create table "{table}" as select {typed} from read_parquet($files, hive_partitioning = false)',  # noqa: S608
                params={"files": [str(file) for file in files[table]]},
            )
        con.sql(f"create view feed_items as {_VIEW.read_text(encoding='utf-8')}")
        con.sql("checkpoint")
