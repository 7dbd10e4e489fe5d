"""The difference between two generations: rows of each table, and the feed of one user."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from assets.publishing import generations
from assets.publishing.database import create_tables
from assets.publishing.tables import INCREMENTAL_TABLES
from serving.contract.generation import CURRENT_ROWS_FOLDER, Manifest
from serving.contract.tables import KEYS, TABLES


@dataclass(frozen=True)
class TableDifference:
    """How many keys of one table came, went, or have another row."""

    table: str
    n_added: int
    n_removed: int
    n_changed: int


def differing_tables(published: Path, before: str, after: str, *, memory_limit: str) -> list[TableDifference]:
    """The tables that differ between the generations `before` and `after`, with the number of rows.

    If both have the same base, only the rows that their deltas changed are compared. Raises GenerationError.
    """
    one, other = (generations.read_manifest(published, name) for name in (before, after))
    found = []
    with _connect(published, before, after, memory_limit=memory_limit) as con:
        for table in TABLES:
            if one.sha256(table) == other.sha256(table):
                continue
            difference = _compared(con, table, among=changed_keys(published, table, one, other))
            if difference.n_added or difference.n_removed or difference.n_changed:
                found.append(difference)
    return found


def feed_difference(published: Path, before: str, after: str, user_id: str, *, memory_limit: str) -> pl.DataFrame:
    """The jobs of a user's feed in either generation: job_id, rank and score before and after, by the rank after.

    Raises GenerationError.
    """
    for name in (before, after):
        generations.read_manifest(published, name)
    items = "select unnest(items) as item from {}.feeds where user_id = $user"
    query = f"""
        select
            coalesce(new.item.job_id, old.item.job_id) as job_id,
            old.item.rank as rank_before, new.item.rank as rank_after,
            old.item.score as score_before, new.item.score as score_after
        from ({items.format("before")}) as old
        full join ({items.format("after")}) as new on new.item.job_id = old.item.job_id
        order by rank_after nulls last, rank_before
    """  # noqa: S608 - fixed names
    with _connect(published, before, after, memory_limit=memory_limit) as con:
        rows: pl.DataFrame = con.sql(query, params={"user": user_id}).pl()
        return rows


def changed_keys(published: Path, table: str, one: Manifest, other: Manifest) -> pl.DataFrame | None:
    """The values (`key`) of the first key column whose rows may differ, because their deltas differ; None for all."""
    if table not in INCREMENTAL_TABLES or one.base != other.base:
        return None
    key = KEYS[table][0]
    maps = []
    for manifest in (one, other):
        path = published / manifest.generation / CURRENT_ROWS_FOLDER / f"{table}.parquet"
        empty = pl.DataFrame(schema={key: pl.String, "layer": pl.Int32})
        # A key of no map is in the base; one that was removed is in no delta.
        maps.append(
            pl.read_parquet(path, glob=False).select(key, pl.col("layer").fill_null(-1)) if path.exists() else empty
        )
    both = maps[0].join(maps[1], on=key, how="full", coalesce=True, suffix="_after")
    return both.filter(pl.col("layer").ne_missing(pl.col("layer_after"))).select(key=key)


def _connect(published: Path, before: str, after: str, *, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """A database in memory with the tables of two generations in the schemas `before` and `after`."""
    con = duckdb.connect(config={"memory_limit": memory_limit})
    for schema, name in (("before", before), ("after", after)):
        con.sql(f"create schema {schema}")
        create_tables(con, (published / name).resolve(), schema=schema)
    return con


def _compared(con: duckdb.DuckDBPyConnection, table: str, *, among: pl.DataFrame | None) -> TableDifference:
    key = ", ".join(f'"{name}"' for name in KEYS[table])
    columns = ", ".join(f'"{name}"' for name in TABLES[table])
    condition = ""
    if among is not None:
        con.register("among", among.to_arrow())
        condition = f'where "{KEYS[table][0]}" in (select key from among)'  # noqa: S608 - a name of the contract
    hashes = f'select row({key}) as key, hash({columns}) as hash from {{}}."{table}" {condition}'  # noqa: S608
    query = f"""
        select
            count(*) filter (where old.key is null),
            count(*) filter (where new.key is null),
            count(*) filter (where old.hash <> new.hash)
        from ({hashes.format("before")}) as old
        full join ({hashes.format("after")}) as new on new.key = old.key
    """  # noqa: S608 - names of the contract
    n_added, n_removed, n_changed = con.sql(query).fetchall()[0]
    return TableDifference(table, n_added, n_removed, n_changed)
