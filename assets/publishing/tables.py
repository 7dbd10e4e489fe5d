"""The Parquet files of a generation: written from frames or shared with the lake, with a record of their sources."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

from assets.increments import LayeredTable
from assets.lake import file_identity, write_parquet
from assets.layers import IS_REMOVED
from assets.publishing import generations
from assets.publishing.database import create_tables
from features.schemas.catalog import JOBS
from serving.contract.generation import TABLES_FOLDER, sha256_of
from serving.contract.tables import KEYS, TABLES

# Tables that a delta updates by key, jobs after the tables that refer to them. The others are small: replaced whole.
INCREMENTAL_TABLES = (
    "feeds", "matches", "similar_jobs", "preferences", "digests", "skill_gaps", "learning_plans", "skill_progress",
    "applications", "application_events", "application_funnel", "interviews", "offers", "follow_ups", "jobs",
)  # fmt: skip
# The time that a digest took to render differs from run to run. It is published, but does not make a digest differ.
UNSTABLE_COLUMNS = ("generation_time_seconds",)
_FILES_AT_ONCE = 2


@dataclass(frozen=True)
class Source:
    """One table to publish: a frame, or the lake's Parquet files as they are (hard-linked, not copied).

    `read_from`: the lake's files behind the frame, which has all their rows except for `jobs`. `layered`: the table, if
    it is written by increments; `files` are then its base.
    """

    frame: pl.LazyFrame | None = None
    files: Sequence[Path] = ()
    read_from: Sequence[Path] = ()
    layered: LayeredTable | None = None


def write_table(folder: Path, table: str, source: Source) -> list[Path]:
    """Puts a whole table into the generation's `folder`; returns its files."""
    if source.frame is not None:
        path = folder / TABLES_FOLDER / f"{table}.parquet"
        rows = source.frame.select(list(TABLES[table]))
        stored = _stored_as_published(table, source, rows)
        if stored is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            return [link(stored, path)]
        write_parquet(rows.sort(KEYS[table]), path)
        return [path]
    target = folder / TABLES_FOLDER / table
    target.mkdir(parents=True)
    newest = source.layered.newest() if source.layered is not None else None
    if newest is None:
        return [link(path, target / path.name) for path in source.files]
    return list(_merge_layers(source, newest, target, list(TABLES[table])))


def _stored_as_published(table: str, source: Source, rows: pl.LazyFrame) -> Path | None:
    """The lake's file, if it holds exactly `rows` in the order of their key; else None. Large tables mostly do."""
    has_layers = source.layered is not None and source.layered.has_layers
    if table == JOBS.name or has_layers or len(source.read_from) != 1:
        return None
    path = source.read_from[0]
    if list(pl.read_parquet_schema(path).items()) != list(rows.collect_schema().items()):
        return None
    return path if is_in_order(pl.read_parquet(path, columns=list(KEYS[table]), glob=False)) else None


def is_in_order(keys: pl.DataFrame) -> bool:
    """Whether the rows are sorted by all columns and distinct. Nulls, which a sort puts first, count as no order."""
    is_after = pl.lit(value=False)
    for name in reversed(keys.columns):
        here, before = pl.col(name), pl.col(name).shift()
        is_after = (here > before) | ((here == before) & is_after)
    first, others = keys.head(1), keys.select(is_after.alias("is_after"))["is_after"].slice(1)
    return not any(column.has_nulls() for column in first) and bool(others.fill_null(value=False).all())


def _merge_layers(source: Source, newest: pl.LazyFrame, target: Path, columns: Sequence[str]) -> Iterator[Path]:
    """Writes the files of the base without the rows that layers replaced, and a file of the layers' rows."""
    by = list(source.layered.by) if source.layered is not None else []
    replaced = newest.select(by).collect().lazy()
    for path in source.files:
        kept = (
            pl.scan_parquet(path, glob=False).select(columns).join(replaced, on=by, how="anti", maintain_order="left")
        )
        write_parquet(kept.collect(), target / path.name)
        yield target / path.name
    write_parquet(newest.filter(~pl.col(IS_REMOVED)).select(columns).collect().sort(by), target / "layers.parquet")
    yield target / "layers.parquet"


def link(source: Path, target: Path) -> Path:
    """Hard-links a file: the lake replaces files and never writes into one, so this is a copy that costs nothing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def described(table: str, files: Sequence[Path]) -> dict[str, Any]:
    """Rows, bytes and the SHA-256 of a whole table."""
    is_unstable = any(name in TABLES[table] for name in UNSTABLE_COLUMNS)
    digest_of = _sha256_of_stable_columns if is_unstable else sha256_of
    digest = hashlib.sha256("".join(digest_of(path) for path in files).encode()).hexdigest()
    return {
        "rows": sum(pq.read_metadata(path).num_rows for path in files),
        "bytes": sum(path.stat().st_size for path in files),
        "sha256": digest,
    }


def _sha256_of_stable_columns(path: Path) -> str:
    """The SHA-256 of the stored bytes of all columns but UNSTABLE_COLUMNS: nothing is decoded."""
    digest = hashlib.sha256()
    metadata = pq.read_metadata(path)
    with path.open("rb") as file:
        for group in range(metadata.num_row_groups):
            for number in range(metadata.num_columns):
                column = metadata.row_group(group).column(number)
                if column.path_in_schema in UNSTABLE_COLUMNS:
                    continue
                starts = (column.dictionary_page_offset, column.data_page_offset)
                file.seek(min(start for start in starts if start is not None))
                digest.update(f"{column.path_in_schema} {column.num_values}\n".encode())
                digest.update(file.read(column.total_compressed_size))
    return digest.hexdigest()


def checksums(folder: Path, known: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Size, SHA-256 and mtime of every file in `folder`, made durable. Files that are `known` are not read again."""

    def entry(path: Path) -> tuple[str, dict[str, Any]]:
        relative = str(path.relative_to(folder))
        if relative in known:
            return relative, dict(known[relative])
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        status = path.stat()
        return relative, {"bytes": status.st_size, "sha256": sha256_of(path), "mtime_ns": status.st_mtime_ns}

    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        return dict(pool.map(entry, sorted(path for path in folder.rglob("*") if path.is_file())))


def source_record(source: Source) -> Any:
    """What the manifest keeps of a source, so that the next run can see whether it is still the same."""
    if source.layered is not None:
        return source.layered.mark
    if source.frame is not None:
        return file_identity(source.read_from) if source.read_from else None
    return {path.name: file_identity([path]) for path in source.files}


def connect(folder: Path, *, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """A database in memory with the tables in `folder` as views."""
    # With the prefix of builds, so that pruning also removes what a killed run spilled.
    spill = folder.parent / f"{generations.BUILDING_PREFIX}spill-{folder.name}"
    con = duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": str(spill)})
    create_tables(con, folder)
    return con
