"""Copies the served generation into PostgreSQL, under the same table names, in one transaction. Off by default.

Readers there see the old generation or the new one, whole. If the generation there has the same base, only the rows
that differ are copied. Lists of structs are jsonb. The DSN comes from the environment and appears in no message.
"""

import io
import re
from collections.abc import Set
from itertools import starmap
from pathlib import Path

import duckdb
import polars as pl
import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from assets.publishing import generations
from assets.publishing.database import FORMER_NAMES
from assets.publishing.diff import changed_keys
from assets.publishing.tables import connect
from features.errors import JobfeedError
from serving.contract.generation import GenerationError, Manifest
from serving.contract.tables import KEYS, SCHEMA_VERSION, TABLES

DSN_VARIABLE = "JOBFEED_POSTGRES_DSN"
_BATCH_ROWS = 2048
_LOCK_KEY = 0x6A6F6266656564  # "jobfeed"
_ATTEMPTS = 4
_BACKOFF_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 15.0
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exceptions, transaction rollbacks; too many
# connections, lock not available, and a server that ends or starts.
_PASSING_CLASSES = ("08", "40")
_PASSING_STATES = ("53300", "55P03", "57P01", "57P02", "57P03")
_NOT_READY = re.compile(r"starting up|shutting down|recovery|too many")
_TYPES = {
    "varchar": "text",
    "varchar[]": "text[]",
    "timestamp with time zone": "timestamptz",
    "double": "double precision",
    "float": "real",
}
_PLAIN_TYPES = ("boolean", "smallint", "integer", "bigint", "date")


class PostgresError(JobfeedError, RuntimeError):
    """The generation could not be copied; the message says why, without the DSN or any row."""


def replicate(dsn: str, published: Path, generation: str, *, schema: str, memory_limit: str) -> dict[str, int]:
    """Makes the tables in `schema` equal to those of `generation`; returns how many rows of each table were written.

    Creates missing tables and columns. Raises PostgresError and leaves the old rows.
    """
    manifest = generations.read_manifest(published, generation)
    retrying = Retrying(
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=_BACKOFF_SECONDS, max=_LONGEST_WAIT_SECONDS),
        retry=retry_if_exception(_may_pass),
        reraise=True,
    )
    try:
        return retrying(_replicated, dsn, published, manifest, schema=schema, memory_limit=memory_limit)
    except psycopg.Error as error:
        # Its text may hold the address, the user or a row: the message gives only its kind and code.
        raise PostgresError(
            f"PostgreSQL keeps the generation that it has: {type(error).__name__}, SQLSTATE {error.sqlstate or 'none'}"
        ) from None


def _replicated(dsn: str, published: Path, manifest: Manifest, *, schema: str, memory_limit: str) -> dict[str, int]:
    """One attempt, in one transaction."""
    with psycopg.connect(dsn, connect_timeout=10) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK_KEY])
        _create(cursor, schema)
        there = _generation_there(cursor, published, schema)
        written = {}
        with connect(published / manifest.generation, memory_limit=memory_limit) as con:
            for table in TABLES:
                if there is not None and there.sha256(table) == manifest.sha256(table):
                    continue
                keys = changed_keys(published, table, there, manifest) if there is not None else None
                written[table] = _copy(cursor, con, schema, table, keys)
        cursor.execute(sql.SQL("delete from {}").format(_name(schema, "generation")))
        cursor.execute(
            sql.SQL("insert into {} values (%s, %s, %s)").format(_name(schema, "generation")),
            [manifest.generation, manifest.as_of, SCHEMA_VERSION],
        )
        return written


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt may succeed: the connection failed or broke, the server starts, a transaction conflicts.

    A refused connection has no SQLSTATE. If its text is the server's, only a server that is not ready yet is worth it.
    """
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is not None:
        return error.sqlstate[:2] in _PASSING_CLASSES or error.sqlstate in _PASSING_STATES
    is_of_server = "FATAL:" in str(error)
    return isinstance(error, psycopg.OperationalError) and (
        not is_of_server or _NOT_READY.search(str(error)) is not None
    )


def postgres_type(duckdb_type: str) -> str:
    """The PostgreSQL type of a column of the contract."""
    if duckdb_type in _PLAIN_TYPES:
        return duckdb_type
    return _TYPES.get(duckdb_type, "jsonb")


def _create(cursor: psycopg.Cursor, schema: str) -> None:
    cursor.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    cursor.execute(
        sql.SQL("create table if not exists {} (generation text primary key, as_of timestamptz, schema_version text)")
        .format(_name(schema, "generation"))
    )  # fmt: skip
    there: dict[str, set[str]] = {}
    found = "select table_name, column_name from information_schema.columns where table_schema = %s"
    for table, column in cursor.execute(found, [schema]):
        there.setdefault(table, set()).add(column)
    for table, columns in TABLES.items():
        if table in there:
            _add_columns(cursor, _name(schema, table), table, there[table])
            continue
        key = sql.SQL(", ").join(sql.Identifier(name) for name in KEYS[table])
        cursor.execute(
            sql.SQL("create table {} ({}, primary key ({}))").format(
                _name(schema, table), sql.SQL(", ").join(starmap(_declared, columns.items())), key
            )
        )


def _add_columns(cursor: psycopg.Cursor, identifier: sql.Identifier, table: str, there: Set[str]) -> None:
    """Gives an older copy the columns that it lacks. It is altered only then, because altering waits for readers."""
    for name, kind in TABLES[table].items():
        former = FORMER_NAMES.get((table, name), name)
        if name in there:
            continue
        if former in there:
            rename = sql.SQL("alter table {} rename column {} to {}")
            cursor.execute(rename.format(identifier, sql.Identifier(former), sql.Identifier(name)))
        else:
            cursor.execute(sql.SQL("alter table {} add column {}").format(identifier, _declared(name, kind)))


def _declared(name: str, kind: str) -> sql.Composed:
    """A column's name and type as `create table` takes them."""
    return sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(postgres_type(kind)))


def _generation_there(cursor: psycopg.Cursor, published: Path, schema: str) -> Manifest | None:
    """The generation whose rows PostgreSQL has, if it is still on disk to compare with."""
    found = cursor.execute(sql.SQL("select generation from {}").format(_name(schema, "generation"))).fetchone()
    try:
        return generations.read_manifest(published, found[0]) if found is not None else None
    except GenerationError:
        return None


def _copy(
    cursor: psycopg.Cursor, con: duckdb.DuckDBPyConnection, schema: str, table: str, keys: pl.DataFrame | None
) -> int:
    """Replaces the rows of `keys` (values of the first key column), or all; returns the number of rows written."""
    column = KEYS[table][0]
    condition = ""
    if keys is None:
        cursor.execute(sql.SQL("delete from {}").format(_name(schema, table)))
    else:
        cursor.execute(
            sql.SQL("delete from {} where {} = any(%s)").format(_name(schema, table), sql.Identifier(column)),
            [keys["key"].to_list()],
        )
        con.register("copied_keys", keys.to_arrow())
        condition = f'where "{column}" in (select key from copied_keys)'  # noqa: S608 - a name of the contract
    columns = ", ".join(_as_text(name, kind) for name, kind in TABLES[table].items())
    relation = con.sql(f'select {columns} from "{table}" {condition}')  # noqa: S608 - names of the contract
    names = sql.SQL(", ").join(map(sql.Identifier, TABLES[table]))
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(_name(schema, table), names)
    n_rows = 0
    with cursor.copy(statement) as copy:
        for batch in relation.to_arrow_reader(_BATCH_ROWS):
            copy.write(_csv(batch))
            n_rows += batch.num_rows
    return n_rows


def _as_text(name: str, kind: str) -> str:
    """The SQL of a column as PostgreSQL reads it from text; it stores no NUL characters."""
    column = f'"{name}"'
    if kind == "varchar":
        return f"replace({column}, chr(0), '') as {column}"
    if kind == "timestamp with time zone":
        return f"strftime({column} at time zone 'UTC', '%Y-%m-%d %H:%M:%S.%f+00') as {column}"
    if kind == "varchar[]":
        escaped = r"""'"' || replace(replace(replace(x, chr(0), ''), '\', '\\'), '"', '\"') || '"'"""
        elements = f"list_transform({column}, lambda x: coalesce({escaped}, 'null'))"
        return f"'{{' || array_to_string({elements}, ',') || '}}' as {column}"
    if postgres_type(kind) == "jsonb":
        # An escaped NUL goes; a backslash before "u0000" in the text itself stays, which is escaped too.
        nul = r"(^|[^\\])((?:\\\\)*)(?:\\u0000)+"
        return rf"regexp_replace(to_json({column})::varchar, '{nul}', '\1\2', 'g') as {column}"
    return f"{column}::varchar as {column}"


def _csv(batch: pa.RecordBatch) -> bytes:
    """Strings are quoted and nulls are not, which is how COPY tells them apart."""
    body = io.BytesIO()
    csv.write_csv(batch, body, csv.WriteOptions(include_header=False))
    return body.getvalue()


def _name(schema: str, table: str) -> sql.Identifier:
    return sql.Identifier(schema, table)
