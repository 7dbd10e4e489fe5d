"""Finds the rows that differ between a run's sources and the served generation, at a cost that follows the difference.

The comparison is with the last generation, never with the last run, so runs that failed or were skipped do no harm.
The rows of a table that share their first key column are taken together: all of them, if any differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.publishing.published_jobs import listed_job_ids, published_job_ids
from assets.publishing.tables import INCREMENTAL_TABLES, UNSTABLE_COLUMNS, Source, source_record
from assets.ranking import feed_changes
from features.errors import JobfeedError
from features.schemas.ranking import FEED_CHANGES, FEEDS
from serving.contract.generation import CURRENT_ROWS_FOLDER, DELTA_ROWS_FOLDER, TABLES_FOLDER, Manifest
from serving.contract.tables import KEYS, TABLES

# Every sighting of a job moves `last_seen_at`, which only the pipeline reads: it alone makes no row differ.
_VOLATILE_COLUMNS = ("last_seen_at", *UNSTABLE_COLUMNS)
_MIN_FEEDS_FOR_FULL = 1000


class NotComparableError(JobfeedError, RuntimeError):
    """The difference is unknown or too large, so a full generation is due. The message says why."""


@dataclass(frozen=True)
class TableDelta:
    """The keys (first key column) of one table whose rows differ.

    `rows`: all rows that these keys have now, with the table's columns. `removed`: keys without rows now.
    `n_rows_before`: how many rows all of them had. `parts`: key and source file, if files are compared.
    """

    rows: pl.DataFrame
    removed: pl.Series
    n_rows_before: int
    parts: pl.DataFrame | None = None

    @property
    def n(self) -> int:
        """About how many rows came, went or changed."""
        return len(self.rows) + len(self.removed)


def deltas_since(
    last: Manifest, folder: Path, con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], *, max_share: float
) -> dict[str, TableDelta]:
    """The incremental tables that differ from generation `last` in `folder`, whose tables `con` has as views.

    Raises NotComparableError.
    """
    con.sql("set timezone = 'UTC'")
    found: dict[str, TableDelta] = {}
    for table in INCREMENTAL_TABLES:
        if table == "jobs":
            delta = _delta_of_jobs(last, con, sources, found)
        elif _is_same(last, table, sources[table]):
            continue
        elif table == "feeds" and sources[table].frame is None:
            delta = _delta_of_feeds(last, folder, sources[table], max_share=max_share)
        else:
            delta = _compared_rows(con, table, _new_view(con, sources[table], table))
        if delta.n:
            found[table] = delta
    return found


def _is_same(last: Manifest, table: str, source: Source) -> bool:
    record = source_record(source)
    return record is not None and record == last.sources.get(table)


def _new_view(con: duckdb.DuckDBPyConnection, source: Source, table: str) -> str:
    """The name of a view in `con` of the source's rows, typed like the published table."""
    name = f"new_{table}"
    if source.read_from:
        relation = con.read_parquet([str(path) for path in source.read_from], hive_partitioning=False)
    else:
        frame = source.frame if source.frame is not None else pl.scan_parquet(list(source.files))
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
    listed = listed_job_ids(rows | {table: delta.rows.lazy() for table, delta in others.items()})
    if _is_same(last, "jobs", source):
        con.register("wanted", listed.unique().collect().to_arrow())
        unpublished = """
            select job_id as key, false as is_removed, 0 as n_before
            from new_jobs semi join wanted using (job_id) anti join jobs using (job_id)
        """
        return _delta_of_keys(con, "jobs", new, unpublished)
    published = con.sql("select job_id from jobs").pl().lazy()
    wanted = published_job_ids(pl.scan_parquet(list(source.read_from), hive_partitioning=False), listed, published)
    con.register("wanted", wanted.collect().to_arrow())
    con.sql("create or replace temp view wanted_jobs as select * from new_jobs semi join wanted using (job_id)")
    return _compared_rows(con, "jobs", "wanted_jobs")


def _delta_of_feeds(last: Manifest, folder: Path, source: Source, *, max_share: float) -> TableDelta:
    """The delta of the shard files that were replaced: as ranking recorded it, else by comparing the shards."""
    recorded = last.sources.get("feeds")
    if not isinstance(recorded, Mapping) or set(recorded) != {path.name for path in source.files}:
        raise NotComparableError("the feeds lie in other shards than those of the last generation")
    now = source_record(source)
    chains: dict[str, list[pl.DataFrame]] = {}
    unrecorded = []
    for path in source.files:
        known, present = recorded[path.name], now[path.name]
        if known == present:
            continue
        chain = feed_changes.chain(source.changes, path.stem, known, present) if source.changes is not None else None
        if chain is None:
            unrecorded.append(path)
        else:
            chains[path.name] = chain
    parts = [_recorded_delta(chains), *([_compared_feeds(folder, unrecorded)] if unrecorded else [])]
    rows = pl.concat([part.rows for part in parts])
    delta = TableDelta(
        rows if len(parts) == 1 else rows.sort("user_id"),
        pl.concat([part.removed for part in parts]).sort(),
        sum(part.n_rows_before for part in parts),
        pl.concat([part.parts for part in parts if part.parts is not None]),
    )
    n_all = last.rows("feeds")
    if delta.n > max(_MIN_FEEDS_FOR_FULL, max_share * n_all):
        raise NotComparableError(f"{delta.n} of {n_all} feeds changed")
    return delta


def _recorded_delta(chains: Mapping[str, Sequence[pl.DataFrame]]) -> TableDelta:
    """The delta of chains of replacements, by the shard file's name. The last replacement of a user's feed counts."""
    frames = [frame.with_columns(part=pl.lit(name)) for name, chain in chains.items() for frame in chain]
    schema = {**FEED_CHANGES.columns, "part": pl.String}
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=schema)
    # The items are long, so they are left out here and gathered once, in the order of users.
    users = (
        rows.select("user_id", "is_removed", "existed", "part")
        .with_row_index("row")
        .group_by("user_id")
        .agg(pl.col("row", "is_removed", "part").last(), existed=pl.col("existed").first())
        .sort("user_id")
    )
    present = users.filter(~pl.col("is_removed"))
    removed = users.filter("is_removed", "existed")["user_id"]
    n_before = int(present["existed"].sum()) + len(removed)
    return TableDelta(
        rows[present["row"]].select(list(TABLES["feeds"])), removed, n_before, present.select("user_id", "part")
    )


def _compared_feeds(folder: Path, replaced: Sequence[Path]) -> TableDelta:
    """The delta of replaced shards against the generation in `folder`.

    Only the instant and length of every feed is read first: ranking either makes a feed anew, with the run's `as_of`,
    or shortens it.
    """
    new = _signatures(replaced)
    old = _current_signatures(folder, [path.name for path in replaced])
    both = new.join(old, on="user_id", how="full", suffix="_before", coalesce=True)
    removed = both.filter(pl.col("part").is_null())["user_id"]
    differs = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in ("generated_at", "n_items", "part")
    )
    present = both.filter(pl.col("part").is_not_null(), differs)
    touched = set(present["part"].unique())
    rows = FEEDS.empty()
    if touched:
        scan = pl.scan_parquet([path for path in replaced if path.name in touched], hive_partitioning=False)
        users = present["user_id"].implode()
        rows = scan.filter(pl.col("user_id").is_in(users)).select(list(TABLES["feeds"])).collect()
    n_before = int(present["part_before"].is_not_null().sum()) + len(removed)
    return TableDelta(rows, removed, n_before, present.select("user_id", "part"))


def _signatures(files: Sequence[Path], *columns: str) -> pl.DataFrame:
    """user_id, generated_at, n_items, part (the file's name) and `columns` of every feed in `files`."""
    frames = []
    for path in files:
        with pq.ParquetFile(path) as file:
            read = file.read(columns=["user_id", "generated_at", "items.list.element.rank", *columns])
        lengths = pc.list_value_length(read["items"])
        frame = pl.DataFrame(read.drop_columns(["items"]).append_column("n_items", lengths))
        frames.append(frame.with_columns(pl.col("n_items").cast(pl.Int64), part=pl.lit(path.name)))
    return pl.concat(frames)


def _current_signatures(folder: Path, parts: Sequence[str]) -> pl.DataFrame:
    """The signatures of the feeds of the generation in `folder` that come from the source files `parts`."""
    base = _signatures([folder / TABLES_FOLDER / "feeds" / name for name in parts])
    current_rows = folder / CURRENT_ROWS_FOLDER / "feeds.parquet"
    if not current_rows.exists():
        return base
    current = pl.read_parquet(current_rows)
    base = base.join(current, on="user_id", how="anti")
    delta_files = sorted((folder / DELTA_ROWS_FOLDER).glob("*/feeds.parquet"))
    if not delta_files:
        return base
    of_deltas = _signatures(delta_files, "layer").drop("part")
    current = current.filter(pl.col("part").is_in(parts))
    return pl.concat([base, of_deltas.join(current, on=["user_id", "layer"]).select(base.columns)])
