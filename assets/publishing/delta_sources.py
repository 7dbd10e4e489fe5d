"""Finds the rows that differ between a run's sources and the served generation, at a cost that follows the difference.

The comparison is with the last generation, never with the last run, so runs that failed or were skipped do no harm.
The rows of a table that share their first key column are taken together: all of them, if any differs.
"""

import glob
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import polars as pl

from assets.increments import LayeredTable
from assets.layers import IS_REMOVED
from assets.publishing.published_jobs import listed_job_ids, named_job_ids, published_job_ids
from assets.publishing.tables import INCREMENTAL_TABLES, UNSTABLE_COLUMNS, Source, source_record
from features.errors import JobfeedError
from serving.contract.generation import Manifest
from serving.contract.tables import KEYS, TABLES

# Every sighting of a job moves `last_seen_at`, which only the pipeline reads: it alone makes no row differ.
_VOLATILE_COLUMNS = ("last_seen_at", *UNSTABLE_COLUMNS)
_MIN_ROWS_FOR_FULL = 1000


class NotComparableError(JobfeedError, RuntimeError):
    """The difference is unknown or too large, so a full generation is due. The message says why."""


@dataclass(frozen=True)
class TableDelta:
    """The keys (first key column) of one table whose rows differ.

    `rows`: all rows that these keys have now, with the table's columns. `removed`: keys without rows now.
    `n_rows_before`: how many rows all of them had.
    """

    rows: pl.DataFrame
    removed: pl.Series
    n_rows_before: int

    @property
    def n(self) -> int:
        """About how many rows came, went or changed."""
        return len(self.rows) + len(self.removed)


def deltas_since(
    last: Manifest, con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], *, max_share: float
) -> dict[str, TableDelta]:
    """The incremental tables that differ from generation `last`, whose tables `con` has as views.

    Raises NotComparableError.
    """
    con.sql("set timezone = 'UTC'")
    found: dict[str, TableDelta] = {}
    for table in INCREMENTAL_TABLES:
        source = sources[table]
        if table == "jobs":
            delta = _delta_of_jobs(last, con, sources, found)
        elif _is_same(last, table, source):
            continue
        else:
            delta = _delta_of_layers_or_all(last, con, table, source, max_share=max_share)
        if delta.n:
            found[table] = delta
    return found


def _delta_of_layers_or_all(
    last: Manifest, con: duckdb.DuckDBPyConnection, table: str, source: Source, *, max_share: float
) -> TableDelta:
    layered = source.layered
    delta = _layered_delta(last, con, table, layered, max_share=max_share) if layered is not None else None
    if delta is not None:
        return delta
    if source.frame is None:
        raise NotComparableError(f"{table}: written anew since the last generation")
    return _compared_rows(con, table, _new_view(con, source, table))


def _is_same(last: Manifest, table: str, source: Source) -> bool:
    record = source_record(source)
    return record is not None and record == last.sources.get(table)


def _new_view(con: duckdb.DuckDBPyConnection, source: Source, table: str) -> str:
    """The name of a view in `con` of the source's rows, typed like the published table."""
    name = f"new_{table}"
    if source.read_from and (source.layered is None or not source.layered.has_layers):
        relation = con.read_parquet([glob.escape(str(path)) for path in source.read_from], hive_partitioning=False)
    else:
        frame = source.frame if source.frame is not None else pl.scan_parquet(list(source.files), glob=False)
        relation = con.from_arrow(frame.select(list(TABLES[table])).collect().to_arrow())
    con.register(f"raw_{table}", relation)
    typed = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in TABLES[table].items())
    con.sql(f'create or replace temp view "{name}" as select {typed} from "raw_{table}"')  # noqa: S608 - names of ours
    return name


def _compared_rows(con: duckdb.DuckDBPyConnection, table: str, new: str) -> TableDelta:
    """Compares the view `new` with the served table by a hash of each key's rows."""
    key = KEYS[table][0]
    columns = ", ".join(f'"{name}"' for name in TABLES[table] if name not in _VOLATILE_COLUMNS)
    hashes = f'select "{key}" as key, sum(hash({columns})::hugeint) as hash, count(*) as n'
    # The names are those of the contract.
    query = f"""
        select coalesce(new.key, old.key) as key, new.key is null as is_removed, coalesce(old.n, 0) as n_before
        from ({hashes} from "{new}" group by 1) as new
        full join ({hashes} from "{table}" group by 1) as old on old.key = new.key
        where new.hash is distinct from old.hash or new.n is distinct from old.n
    """  # noqa: S608
    return _delta_of_keys(con, table, new, query)


def _delta_of_keys(con: duckdb.DuckDBPyConnection, table: str, new: str, differing: str) -> TableDelta:
    """The delta of the keys that the query `differing` returns (key, is_removed, n_before)."""
    con.sql(f"create or replace temp table differing as {differing}")
    key = KEYS[table][0]
    order = ", ".join(f'"{name}"' for name in KEYS[table])
    rows = con.sql(
        f'select * from "{new}" where "{key}" in (select key from differing where not is_removed) order by {order}'  # noqa: S608
    ).pl()
    removed = con.sql("select key from differing where is_removed order by key").pl()["key"].cast(pl.String)
    n_before = con.sql("select coalesce(sum(n_before), 0)::bigint from differing").fetchall()[0][0]
    return TableDelta(rows, removed, n_before)


def _delta_of_jobs(
    last: Manifest, con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], others: Mapping[str, TableDelta]
) -> TableDelta:
    """Jobs that came, changed or are referred to for the first time. A published job stays until the next full one.

    Only reading all feeds would show whether a job is still referred to.
    """
    source = sources["jobs"]
    new = _new_view(con, source, "jobs")
    if not source.read_from:
        return _compared_rows(con, "jobs", new)
    frames = {name: sources[name].frame for name in TABLES if name not in INCREMENTAL_TABLES}
    rows = {name: frame for name, frame in frames.items() if frame is not None}
    rows |= {table: delta.rows.lazy() for table, delta in others.items()}
    # A closed job may be named for the first time: a user still had its page open, or the event came late.
    referred = pl.concat([listed_job_ids(rows), named_job_ids(rows)])
    if _is_same(last, "jobs", source):
        con.register("wanted", referred.unique().collect().to_arrow())
        unpublished = """
            select job_id as key, false as is_removed, 0 as n_before
            from new_jobs semi join wanted using (job_id) anti join jobs using (job_id)
        """
        return _delta_of_keys(con, "jobs", new, unpublished)
    published = con.sql("select job_id from jobs").pl().lazy()
    wanted = published_job_ids(
        pl.scan_parquet(list(source.read_from), hive_partitioning=False, glob=False), referred, published
    )
    con.register("wanted", wanted.collect().to_arrow())
    con.sql("create or replace temp view wanted_jobs as select * from new_jobs semi join wanted using (job_id)")
    return _compared_rows(con, "jobs", "wanted_jobs")


def _layered_delta(
    last: Manifest, con: duckdb.DuckDBPyConnection, table: str, layered: LayeredTable, *, max_share: float
) -> TableDelta | None:
    """The rows in the layers since the served generation; None if it was made of another base.

    Raises NotComparableError if they are too many.
    """
    recorded, now = last.sources.get(table), layered.mark
    if not isinstance(recorded, Mapping) or recorded.get("base") != now["base"]:
        return None
    key, after = KEYS[table][0], int(recorded["sequence"])
    newest = layered.newest(after=after) if after <= now["sequence"] else None
    if newest is None:
        return None
    changed = newest.select(key).unique().collect()
    _require_few(len(changed), last, table, max_share=max_share)  # before their rows are read: feeds are large
    con.register("changed_keys", changed.to_arrow())
    # The names are those of the contract.
    query = f'select "{key}" as key, count(*) as n from "{table}" semi join changed_keys using ("{key}") group by 1'  # noqa: S608
    before = con.sql(query).pl()
    rows = newest.filter(~pl.col(IS_REMOVED)).select(list(TABLES[table])).collect().sort(list(KEYS[table]))
    gone = newest.filter(pl.col(IS_REMOVED)).select(key).unique().collect()[key]
    delta = TableDelta(rows, gone.filter(gone.is_in(before["key"].implode())).sort(), int(before["n"].sum() or 0))
    _require_few(delta.n, last, table, max_share=max_share)
    return delta


def _require_few(n: int, last: Manifest, table: str, *, max_share: float) -> None:
    """Raises NotComparableError if more than `max_share` of the table, and more than a few rows, differ."""
    n_all = last.rows(table)
    if n > max(_MIN_ROWS_FOR_FULL, max_share * n_all):
        raise NotComparableError(f"{n} of {n_all} rows of {table} changed")
