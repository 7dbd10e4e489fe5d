"""The generation's DuckDB file: every table of the contract as a view over the generation's Parquet files.

DuckDB resolves a relative path against the process's folder, so the views name the folder that the generation was
published in; where it was moved since, the variable `jobfeed_folder` tells where to.
"""

from pathlib import Path

import duckdb

from serving.contract.generation import CURRENT_ROWS_FOLDER, DELTA_ROWS_FOLDER, FOLDER_VARIABLE, TABLES_FOLDER
from serving.contract.tables import KEYS, TABLES

_VIEW = Path(__file__).resolve().parent.parent.parent / "sql" / "publish" / "feed_items.sql"


def write_database(path: Path, folder: Path, *, final_folder: Path) -> None:
    """Writes the views to a new database at `path`, over the files in `folder`, which will lie in `final_folder`."""
    root = f"coalesce(getvariable('{FOLDER_VARIABLE}'), {literal(str(final_folder))})"
    with duckdb.connect(str(path)) as con:
        con.sql(f"set variable {FOLDER_VARIABLE} = {literal(str(folder))}")
        for table in TABLES:
            con.sql(f'create view "{table}" as {rows_of(table, folder, root)}')
        con.sql(f"create view feed_items as {_VIEW.read_text(encoding='utf-8')}")
        con.sql("checkpoint")


def export_database(published: Path, generation: str, path: Path, *, memory_limit: str) -> None:
    """Writes a DuckDB file at `path` that holds the rows of the generation themselves, to be taken anywhere."""
    folder = published / generation
    with duckdb.connect(str(path), config={"memory_limit": memory_limit}) as con:
        for table in TABLES:
            con.sql(f'create table "{table}" as {rows_of(table, folder, literal(str(folder)))}')
        con.sql(f"create view feed_items as {_VIEW.read_text(encoding='utf-8')}")
        con.sql("checkpoint")


def rows_of(table: str, folder: Path, root: str) -> str:
    """A SELECT of the table's current rows; `root` is the SQL text of the folder, `folder` tells what there is.

    A row of the base counts unless its owner (the first column of the key) changed since; of the changes, those in the
    layer that is the owner's last count.
    """
    owner = KEYS[table][0]
    typed = ", ".join(f'cast(rows."{name}" as {kind}) as "{name}"' for name, kind in TABLES[table].items())
    parts = f"{table}/*.parquet" if (folder / TABLES_FOLDER / table).is_dir() else f"{table}.parquet"
    base = f"select {typed} from {_files(root, f'{TABLES_FOLDER}/{parts}')} as rows"  # noqa: S608 - names of ours
    if not (folder / CURRENT_ROWS_FOLDER / f"{table}.parquet").exists():
        return base
    changed = _files(root, f"{CURRENT_ROWS_FOLDER}/{table}.parquet")
    is_superseded = f'select 1 from {changed} as changed where changed."{owner}" = rows."{owner}"'  # noqa: S608
    query = f"{base} where not exists ({is_superseded})"
    if list((folder / DELTA_ROWS_FOLDER).glob(f"*/{table}.parquet")):
        query += (
            f" union all select {typed} from {_files(root, f'{DELTA_ROWS_FOLDER}/*/{table}.parquet')} as rows"  # noqa: S608
            f' join {changed} as changed on changed."{owner}" = rows."{owner}" and changed.layer = rows.layer'
        )
    return query


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _files(root: str, relative: str) -> str:
    return f"read_parquet({root} || '/{relative}', hive_partitioning = false)"
