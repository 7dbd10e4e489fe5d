"""The generation's DuckDB file: every table of the contract as a view over the generation's Parquet files.

DuckDB resolves a relative path against the process's folder, so the views hold the path that the generation was
published under. If it was moved, the variable `jobfeed_folder` overrides that path.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb
import pyarrow.parquet as pq

from assets.sql import query_text
from models.explanations.templates import reason_texts
from serving.contract.columns import Table
from serving.contract.generation import (
    CURRENT_ROWS_FOLDER,
    DATABASE,
    DELTA_ROWS_FOLDER,
    FOLDER_VARIABLE,
    MANIFEST,
    TABLES_FOLDER,
)
from serving.contract.stored_generations import PUBLISHED, StoredGeneration
from serving.contract.tables import DESCRIBED, KEYS, TABLES, VIEWS

STORAGE_VERSION = "v1.4.0"  # the oldest DuckDB that opens the file
STORE_VARIABLE = "jobfeed_store"  # SQL variable: the URL of published/, if the bucket was copied
Files = Callable[[str], str]  # from a pattern of paths in a generation to the SQL of their rows
_STORAGE_OPTION = "storage_compatibility_version"
# Table and column -> the column's name in generations of schema version 1.0.
FORMER_NAMES = {("trending", "period"): "window"}


def write_database(path: Path, folder: Path, *, final_folder: Path) -> None:
    """Writes the views to a new database at `path`, over the files in `folder`, which will lie in `final_folder`."""
    root = f"coalesce(getvariable('{FOLDER_VARIABLE}'), {literal(str(final_folder))})"
    with _new_database(path) as con:
        con.sql(f"set variable {FOLDER_VARIABLE} = {literal(str(folder))}")
        _create(con, folder, partial(_in_folder, root), kind="view")


def write_store_database(path: Path, folder: Path, stored: StoredGeneration, *, url: str) -> None:
    """Writes the views to a new database at `path`, over the objects of the generation in `folder` below `url`.

    Of a delta they lie under several generations. The variable `jobfeed_store` overrides the URL.
    """
    root = f"coalesce(getvariable('{STORE_VARIABLE}'), {literal(url)})"

    def files(relative: str) -> str:
        found = sorted(one.relative_to(folder).as_posix() for one in folder.glob(relative))
        holders = (PurePosixPath(stored.key(one)).relative_to(PUBLISHED) for one in found)
        return _read(", ".join(f"{_escaped(root)} || {literal(f'/{one}')}" for one in holders))

    with tempfile.TemporaryDirectory(dir=path.parent) as as_stored:
        # A view is made over files that are there: links that lie as the objects do.
        for relative in stored.manifest.files:
            if relative.endswith(".parquet"):
                link = Path(as_stored) / PurePosixPath(stored.key(relative)).relative_to(PUBLISHED)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(folder.resolve() / relative)
        with _new_database(path) as con:
            con.sql(f"set variable {STORE_VARIABLE} = {literal(as_stored)}")
            _create(con, folder, files, kind="view")


def open_database(folder: Path, *, memory_limit: str | None = None) -> duckdb.DuckDBPyConnection:
    """The database of the generation in `folder`, read-only, also if the folder was published elsewhere."""
    config: dict[str, Any] = {} if memory_limit is None else {"memory_limit": memory_limit}
    con = duckdb.connect(str(folder / DATABASE), read_only=True, config=config)
    con.execute(f"set variable {FOLDER_VARIABLE} = {literal(str(folder))}")
    return con


def export_database(published: Path, generation: str, path: Path, *, memory_limit: str) -> None:
    """Writes a DuckDB file at `path` that holds the generation's rows themselves, so that it can be moved anywhere."""
    with _new_database(path, memory_limit=memory_limit) as con:
        folder = published / generation
        _create(con, folder, partial(_in_folder, literal(str(folder))), kind="table")


@contextmanager
def _new_database(path: Path, **options: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a new database, which lies at `path` when the block has ended."""
    config: dict[str, Any] = {_STORAGE_OPTION: STORAGE_VERSION, **options}
    if "?" not in str(path):
        with duckdb.connect(str(path), config=config) as con:
            yield con
        return
    # DuckDB 2.0 takes a question mark for the start of options, and puts its journal into another folder.
    with tempfile.TemporaryDirectory(prefix="jobfeed-") as folder:
        made = Path(folder) / path.name
        with duckdb.connect(str(made), config=config) as con:
            yield con
        shutil.copyfile(made, path)


def _create(con: duckdb.DuckDBPyConnection, folder: Path, files: Files, *, kind: str) -> None:
    """Creates every table of the contract as a `kind` (view or table), and the views, all with comments."""
    _create_tables(con, folder, files, schema="main", kind=kind)
    con.sql(f"create view feed_items as {query_text('publish/feed_items')}")
    comments = [_comments(kind, name, table) for name, table in DESCRIBED.items()]
    comments += [_comments("view", name, table) for name, table in VIEWS.items()]
    con.execute("".join(comments))
    con.sql("checkpoint")


def _comments(kind: str, name: str, table: Table) -> str:
    """The statements that describe a table or view and its columns."""
    on_columns = (
        f'comment on column "{name}"."{column}" is {literal(about.text)};\n' for column, about in table.columns.items()
    )
    return f'comment on {kind} "{name}" is {literal(table.description)};\n' + "".join(on_columns)


def create_tables(con: duckdb.DuckDBPyConnection, folder: Path, *, schema: str = "main") -> None:
    """Creates a view of every table of the generation in `folder`."""
    _create_tables(con, folder, partial(_in_folder, literal(str(folder))), schema=schema, kind="view")


def _create_tables(con: duckdb.DuckDBPyConnection, folder: Path, files: Files, *, schema: str, kind: str) -> None:
    for table in TABLES:
        con.sql(f'create {kind} {schema}."{table}" as {_rows_of(table, folder, files)}')


def _rows_of(table: str, folder: Path, files: Files) -> str:
    """A SELECT of the table's current rows, which `files` makes of patterns of paths in `folder`.

    A row of the base is current unless a delta holds its key (the first key column). A delta row is current if the map
    of current rows names its delta for its key.
    """
    is_folder = (folder / TABLES_FOLDER / table).is_dir()
    if not is_folder and not (folder / TABLES_FOLDER / f"{table}.parquet").exists():
        # The generation is older than the table.
        if table == "reason_texts":
            return _texts_of_templates(folder)
        nulls = ", ".join(f'null::{kind} as "{name}"' for name, kind in TABLES[table].items())
        return f"select {nulls} where false"
    key = KEYS[table][0]
    parts = f"{table}/*.parquet" if is_folder else f"{table}.parquet"
    typed = _typed_columns(table, sorted((folder / TABLES_FOLDER).glob(parts)), (folder / MANIFEST).exists())
    base = f"select {typed} from {files(f'{TABLES_FOLDER}/{parts}')} as rows"  # noqa: S608 - names of ours
    if not (folder / CURRENT_ROWS_FOLDER / f"{table}.parquet").exists():
        return base
    current = files(f"{CURRENT_ROWS_FOLDER}/{table}.parquet")
    is_superseded = f'select 1 from {current} as changed where changed."{key}" = rows."{key}"'  # noqa: S608
    query = f"{base} where not exists ({is_superseded})"
    if list((folder / DELTA_ROWS_FOLDER).glob(f"*/{table}.parquet")):
        query += (
            f" union all select {typed} from {files(f'{DELTA_ROWS_FOLDER}/*/{table}.parquet')} as rows"  # noqa: S608
            f' join {current} as changed on changed."{key}" = rows."{key}" and changed.layer = rows.layer'
        )
    return query


def _typed_columns(table: str, files: Sequence[Path], is_published: bool) -> str:
    """The columns of the contract, selected from `rows` of `files`, which may be of an older version.

    Only a published generation may lack a column. One that is being built must have all.
    """
    stored = set(pq.read_schema(files[0]).names) if files else set()
    typed = []
    for name, kind in TABLES[table].items():
        former = FORMER_NAMES.get((table, name), name)
        found = former if former in stored and name not in stored else name
        value = "null" if found not in stored and is_published else f'rows."{found}"'
        typed.append(f'cast({value} as {kind}) as "{name}"')
    return ", ".join(typed)


def _texts_of_templates(folder: Path) -> str:
    """A SELECT of `reason_texts`, made from the generation's own templates: reasons in `feed_items` need it."""
    table = pq.read_table(folder / TABLES_FOLDER / "reason_templates.parquet", columns=["code", "language", "template"])
    templates = zip(*(column.to_pylist() for column in table.columns), strict=True)
    rows = ", ".join(f"({', '.join(map(literal, row))})" for row in reason_texts(templates))
    return f"select * from (values {rows}) as made({', '.join(TABLES['reason_texts'])})"  # noqa: S608 - quoted


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _in_folder(root: str, relative: str) -> str:
    """The rows of files in one folder; `root` is its SQL text."""
    return _read(f"{_escaped(root)} || {literal(f'/{relative}')}")


def _read(paths: str) -> str:
    return f"read_parquet([{paths}], hive_partitioning = false)"


def _escaped(root: str) -> str:
    # In a path within a generation an asterisk is a pattern; in the path of the folder it is a character.
    return f"regexp_replace({root}, '([*?[])', '[\\1]', 'g')"
