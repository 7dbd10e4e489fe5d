"""What differs between the sources of a run and the served generation, at a cost that follows the difference.

Compared is with the last generation, never with the last run: runs that failed or were skipped make no difference.
A table's rows belong to owners (the first column of its key); an owner whose rows differ is taken with all of them.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.publishing.generations import Manifest
from assets.publishing.tables import INCREMENTAL_TABLES, UNSTABLE_COLUMNS, Source, source_record
from assets.ranking import feed_changes
from features.errors import JobfeedError
from features.schemas.ranking import FEED_CHANGES, FEEDS
from serving.contract.generation import CURRENT_ROWS_FOLDER, DELTA_ROWS_FOLDER, TABLES_FOLDER
from serving.contract.tables import KEYS, TABLES

# Every sighting of a job moves this, and nobody reads it but the pipeline: alone it makes no row another one.
_VOLATILE_COLUMNS = ("last_seen_at", *UNSTABLE_COLUMNS)
MAP_SCHEMA = {"layer": pl.Int32, "part": pl.String}


class NotComparableError(JobfeedError, RuntimeError):
    """What changed can't be told, or is too much to be told apart: a full generation is due. The message says why."""


@dataclass(frozen=True)
class Change:
    """Owners of one table whose rows changed.

    `rows`: all rows that they have now, with the table's columns. `removed`: who has none any more. `n_rows_before`:
    how many rows all of them had. `parts`: owner and the source file that it comes from, where files are compared.
    """

    rows: pl.DataFrame
    removed: pl.Series
    n_rows_before: int
    parts: pl.DataFrame | None = None

    @property
    def n(self) -> int:
        """The number of rows that came, went or changed, roughly."""
        return len(self.rows) + len(self.removed)


def changes_since(
    last: Manifest, folder: Path, con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], *, max_share: float
) -> dict[str, Change]:
    """The INCREMENTAL_TABLES that changed since generation `last` in `folder`, whose tables `con` has as views.

    Raises NotComparableError.
    """
    con.sql("set timezone = 'UTC'")
    found: dict[str, Change] = {}
    for table in INCREMENTAL_TABLES:
        if table == "jobs":
            change = _changed_jobs(last, con, sources, found)
        elif _is_same(last, table, sources[table]):
            continue
        elif table == "feeds" and sources[table].frame is None:
            change = _changed_feeds(last, folder, sources[table], max_share=max_share)
        else:
            new = _relation(con, sources[table], table)
            change = _changed_rows(con, table, new)
        if change.n:
            found[table] = change
    return found


def _is_same(last: Manifest, table: str, source: Source) -> bool:
    record = source_record(source)
    return record is not None and record == last.sources.get(table)


def _relation(con: duckdb.DuckDBPyConnection, source: Source, table: str) -> str:
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


def _changed_rows(con: duckdb.DuckDBPyConnection, table: str, new: str) -> Change:
    """Compares by a hash of each owner's rows."""
    owner = KEYS[table][0]
    columns = ", ".join(f'"{name}"' for name in TABLES[table] if name not in _VOLATILE_COLUMNS)
    prints = f'select "{owner}" as owner, sum(hash({columns})::hugeint) as print, count(*) as n'
    # The names are those of the contract.
    query = f"""
        select coalesce(new.owner, old.owner) as owner, new.owner is null as is_removed, coalesce(old.n, 0) as n_before
        from ({prints} from "{new}" group by 1) as new
        full join ({prints} from "{table}" group by 1) as old on old.owner = new.owner
        where new.print is distinct from old.print or new.n is distinct from old.n
    """  # noqa: S608
    con.sql(f"create or replace temp table differing as {query}")
    return _change(con, table, new)


def _change(con: duckdb.DuckDBPyConnection, table: str, new: str) -> Change:
    """The change of the owners in `differing` (owner, is_removed, n_before)."""
    owner = KEYS[table][0]
    order = ", ".join(f'"{name}"' for name in KEYS[table])
    rows = con.sql(
        f'select * from "{new}" where "{owner}" in (select owner from differing where not is_removed) order by {order}'  # noqa: S608
    ).pl()
    removed = con.sql("select owner from differing where is_removed order by owner").pl()["owner"].cast(pl.String)
    n_before = con.sql("select coalesce(sum(n_before), 0)::bigint from differing").fetchall()[0][0]
    return Change(rows, removed, n_before)


def _changed_jobs(
    last: Manifest, con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], others: Mapping[str, Change]
) -> Change:
    """Jobs that came, changed or are referred to for the first time; one that was published stays until the next day.

    Whether a job is still referred to could only be told by reading all feeds.
    """
    source = sources["jobs"]
    new = _relation(con, source, "jobs")
    if not source.read_from:
        return _changed_rows(con, "jobs", new)
    con.register("referenced", _referenced(sources, others))
    if _is_same(last, "jobs", source):
        con.sql(
            """
            create or replace temp table differing as
            select distinct job_id as owner, false as is_removed, 0 as n_before
            from referenced semi join new_jobs using (job_id) anti join jobs using (job_id)
            """
        )
        return _change(con, "jobs", new)
    con.sql(
        """
        create or replace temp view wanted_jobs as
        select * from new_jobs
        where status = 'open' or job_id in (select job_id from jobs) or job_id in (select job_id from referenced)
        """
    )
    return _changed_rows(con, "jobs", "wanted_jobs")


def _referenced(sources: Mapping[str, Source], others: Mapping[str, Change]) -> Any:
    """The jobs that changed rows and the small tables refer to, as an Arrow table of job_id."""
    item_id = pl.col("items").struct.field("job_id").alias("job_id")
    lists = [change.rows.lazy() for table, change in others.items() if table in ("feeds", "similar_jobs")]
    frames = [
        frame.select("items").explode("items").select(item_id)
        for frame in [*lists, sources["fallback_feeds"].frame]
        if frame is not None
    ]
    frames += [frame.select("job_id") for name in ("trending", "nearby") if (frame := sources[name].frame) is not None]
    return pl.concat(frames).drop_nulls().unique().collect().to_arrow()


def _changed_feeds(last: Manifest, folder: Path, source: Source, *, max_share: float) -> Change:
    """The changes in the shard files that were replaced: as ranking tells them, else by comparing the shards."""
    files = source.files
    recorded = last.sources.get("feeds")
    if not isinstance(recorded, Mapping) or set(recorded) != {path.name for path in files}:
        raise NotComparableError("the feeds lie in other shards than those of the last generation")
    now = source_record(source)
    told, untold = [], []
    for path in files:
        if now[path.name] == recorded[path.name]:
            continue
        links = _links(source.changes, path, recorded[path.name], now[path.name])
        if links is None:
            untold.append(path)
        else:
            told.append((path.name, links))
    parts = [_told_changes(told), *([_compared(folder, untold)] if untold else [])]
    rows = pl.concat([part.rows for part in parts])
    change = Change(
        rows if len(parts) == 1 else rows.sort("user_id"),
        pl.concat([part.removed for part in parts]).sort(),
        sum(part.n_rows_before for part in parts),
        pl.concat([part.parts for part in parts if part.parts is not None]),
    )
    n_all = last.rows("feeds")
    if change.n > max(1000, max_share * n_all):
        raise NotComparableError(f"{change.n} of {n_all} feeds changed")
    return change


def _links(changes: Path | None, path: Path, known: str, now: str) -> list[pl.DataFrame] | None:
    return feed_changes.chain(changes, path.stem, known, now) if changes is not None else None


def _told_changes(told: Sequence[tuple[str, Sequence[pl.DataFrame]]]) -> Change:
    """What chains of replacements tell, by the shard file's name: of each user the last word."""
    frames = [frame.with_columns(part=pl.lit(name)) for name, links in told for frame in links]
    schema = {**FEED_CHANGES.columns, "part": pl.String}
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=schema)
    # Told apart without the items, which are long: these are taken once, in the order of users.
    light = rows.select("user_id", "is_removed", "existed", "part").with_row_index("row")
    words = (
        light.group_by("user_id")
        .agg(pl.col("row", "is_removed", "part").last(), existed=pl.col("existed").first())
        .sort("user_id")
    )
    now = words.filter(~pl.col("is_removed"))
    removed = words.filter("is_removed", "existed")["user_id"]
    n_before = int(now["existed"].sum()) + len(removed)
    changed = rows[now["row"]].select(list(TABLES["feeds"]))
    return Change(changed, removed, n_before, now.select("user_id", "part"))


def _compared(folder: Path, replaced: Sequence[Path]) -> Change:
    """What differs from the generation in `folder`; of all feeds is read first when each was made and its length:
    ranking gives a feed the run's `as_of` or shortens it, and does nothing else to one.
    """
    new = _signatures(replaced)
    old = _current_signatures(folder, [path.name for path in replaced])
    both = new.join(old, on="user_id", how="full", suffix="_before", coalesce=True)
    removed = both.filter(pl.col("part").is_null())["user_id"]
    changed = both.filter(
        pl.col("part").is_not_null(),
        pl.any_horizontal(
            pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in ("generated_at", "n_items", "part")
        ),
    )
    touched = set(changed["part"].unique())
    rows = (
        pl.scan_parquet([path for path in replaced if path.name in touched], hive_partitioning=False)
        .filter(pl.col("user_id").is_in(changed["user_id"].implode()))
        .select(list(TABLES["feeds"]))
        .collect()
        if touched
        else FEEDS.empty()
    )
    n_before = int(changed["part_before"].is_not_null().sum()) + len(removed)
    return Change(rows, removed, n_before, changed.select("user_id", "part"))


def _signatures(files: Sequence[Path], *columns: str) -> pl.DataFrame:
    """Of every feed in `files`: user_id, generated_at, n_items, part (the file's name), and `columns`."""
    frames = []
    for path in files:
        with pq.ParquetFile(path) as file:
            read = file.read(columns=["user_id", "generated_at", "items.list.element.rank", *columns])
        lengths = pc.list_value_length(read["items"])
        frame = pl.DataFrame(read.drop_columns(["items"]).append_column("n_items", lengths))
        frames.append(frame.with_columns(pl.col("n_items").cast(pl.Int64), part=pl.lit(path.name)))
    return pl.concat(frames)


def _current_signatures(folder: Path, parts: Sequence[str]) -> pl.DataFrame:
    """The same of the feeds of the generation in `folder` that come from the source files `parts`."""
    base = _signatures([folder / TABLES_FOLDER / "feeds" / name for name in parts])
    changed = folder / CURRENT_ROWS_FOLDER / "feeds.parquet"
    if not changed.exists():
        return base
    current = pl.read_parquet(changed)
    base = base.join(current, on="user_id", how="anti")
    layers = sorted((folder / DELTA_ROWS_FOLDER).glob("*/feeds.parquet"))
    if not layers:
        return base
    of_layers = (
        _signatures(layers, "layer")
        .drop("part")
        .join(current.filter(pl.col("part").is_in(parts)), on=["user_id", "layer"])
        .select(base.columns)
    )
    return pl.concat([base, of_layers])


def is_replay(last: Manifest, as_of: dt.datetime) -> bool:
    """Whether the run computes for no later instant than the last generation: then `generated_at` tells nothing."""
    return as_of <= dt.datetime.fromisoformat(last.as_of)
