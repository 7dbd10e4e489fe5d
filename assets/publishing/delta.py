"""Builds a delta: a generation of the rows that changed since the served one, which shares all else by hard links.

Delta rows lie in `changes/<sequence>/`, the map of which of them are current in `changed/`, and their look-up values in
files on top of the others. The daily full generation starts anew. delta_sources.py finds the rows.
"""

import datetime as dt
import hashlib
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from assets.lake import write_parquet
from assets.publishing import generations
from assets.publishing.build import Published, PublishingRun, announce, building_folder, write_views
from assets.publishing.delta_sources import NotComparableError, TableDelta, deltas_since
from assets.publishing.full import publish_full
from assets.publishing.lookup.delta_files import write_delta_lookup
from assets.publishing.tables import INCREMENTAL_TABLES, Source, described, link, source_record, write_table
from assets.publishing.validation import Validation, closed_jobs_in_feeds, refuse, size_problems
from features.schemas.ranking import FEEDS
from serving.contract.generation import CURRENT_ROWS_FOLDER, DATABASE, DELTA_ROWS_FOLDER, MANIFEST, Manifest, sha256_of
from serving.contract.keys import KEYSPACES, TEXT_TABLES
from serving.contract.tables import KEYS, SCHEMA_VERSION, TABLES

MAX_LOOKUP_FILES = 32


def publish_delta(run: PublishingRun, sources: Mapping[str, Source]) -> Published:
    """Publishes what changed since the served generation, or a full generation if the two can't be compared.

    Announces nothing if nothing changed. Raises ValidationFailedError like `publish_full`.
    """
    last = run.last_good()
    if last is not None and _can_follow(run, last):
        try:
            with building_folder(run.published) as folder:
                return _publish(run, sources, last, folder)
        except NotComparableError:
            pass
    return publish_full(run, sources)


def _can_follow(run: PublishingRun, last: Manifest) -> bool:
    same = (SCHEMA_VERSION, run.code_version, run.config_hash)
    return (
        (last.schema_version, last.code_version, last.config_hash) == same
        and set(last.lookup) == {*KEYSPACES, *TEXT_TABLES}
        # In a replay `generated_at` may not differ, by which changed feeds are found.
        and run.as_of > dt.datetime.fromisoformat(last.as_of)
        and max(len(last.lookup[keyspace]) for keyspace in KEYSPACES) < MAX_LOOKUP_FILES
        and not generations.verify_touched(run.published, last.generation)
    )


def _publish(run: PublishingRun, sources: Mapping[str, Source], last: Manifest, folder: Path) -> Published:
    before = run.published / last.generation
    with run.connect(before) as old:
        max_share = run.config.pipeline.publishing.max_changed_share
        deltas = deltas_since(last, old, sources, max_share=max_share)
        _share_files(before, folder, last)
        replaced = _replace_small_tables(folder, last, sources)
        if not deltas and not replaced:
            return Published(last, is_new=False)
        sequence = _next_sequence(run.published, last)
        tables = {**last.tables, **replaced}
        for table, delta in deltas.items():
            tables[table] = _write_delta(folder, table, delta, sequence, last.tables[table])
        with run.connect(folder) as new, new.cursor() as checked, ThreadPoolExecutor(1) as pool:
            # They take as long as the checks, and lie in the folder that goes if those refuse.
            writing = pool.submit(
                write_delta_lookup, folder, last, deltas, replaced, old, new, sequence=sequence, as_of=run.as_of
            )
            problems = _problems(checked, run, deltas)
            if "jobs" in deltas:
                problems += closed_jobs_in_feeds(folder, deltas["jobs"], sequence)
            refuse([*problems, *size_problems(checked, run, last)])
            write_views(run, folder, tables)
            lookup = writing.result()
    return announce(run, folder, sources, last, tables, lookup, sequence=sequence)


def _next_sequence(published: Path, last: Manifest) -> int:
    """A number that no kept delta has: it names files and shows which keys differ between two deltas."""
    kept = generations.list_generations(published)
    return 1 + max((found.delta_sequence for found in kept if found.base == last.base), default=last.delta_sequence)


def _share_files(before: Path, folder: Path, last: Manifest) -> None:
    for relative in last.files:
        if relative not in (MANIFEST, DATABASE):
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            link(before / relative, target)


def _replace_small_tables(folder: Path, last: Manifest, sources: Mapping[str, Source]) -> dict[str, dict[str, Any]]:
    """Writes the small tables anew. Returns the descriptions of those that differ; the others stay shared."""
    replaced = {}
    for table in TABLES:
        record = source_record(sources[table])
        if table in INCREMENTAL_TABLES or (record is not None and record == last.sources.get(table)):
            continue
        made = folder / ".new"
        [path] = write_table(made, table, sources[table])
        description = described(table, [path])
        if description != last.tables[table]:
            path.replace(folder / path.relative_to(made))
            replaced[table] = description
        shutil.rmtree(made)
    return replaced


def _write_delta(folder: Path, table: str, delta: TableDelta, sequence: int, last: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the delta rows and the map of current rows. Returns the table's description."""
    written = []
    if len(delta.rows):
        path = folder / DELTA_ROWS_FOLDER / f"{sequence:04d}" / f"{table}.parquet"
        write_parquet(delta.rows.select(list(TABLES[table])).with_columns(layer=pl.lit(sequence, pl.Int32)), path)
        written.append(path)
    path = folder / CURRENT_ROWS_FOLDER / f"{table}.parquet"
    key, current = KEYS[table][0], _current_rows(table, delta, sequence)
    if path.exists():
        # The file is shared with the last generation: it is replaced, never written into.
        earlier = pl.read_parquet(path, glob=False).select(current.columns)
        current = pl.concat([earlier.join(current, on=key, how="anti"), current])
    write_parquet(current.sort(key), path)
    written.append(path)
    digest = hashlib.sha256(last["sha256"].encode())
    for path in written:
        digest.update(sha256_of(path).encode())
    parts = [*(folder / DELTA_ROWS_FOLDER).glob(f"*/{table}.parquet"), path]
    base_bytes = last.get("base_bytes", last["bytes"])
    return {
        "rows": last["rows"] - delta.n_rows_before + len(delta.rows),
        "bytes": base_bytes + sum(part.stat().st_size for part in parts),
        "base_bytes": base_bytes,
        "sha256": digest.hexdigest(),
    }


def _current_rows(table: str, delta: TableDelta, sequence: int) -> pl.DataFrame:
    """Which delta holds each key's rows; null for a removed key."""
    key = KEYS[table][0]
    present = delta.rows.select(key).unique().with_columns(layer=pl.lit(sequence, pl.Int32))
    removed = pl.DataFrame({key: delta.removed.cast(pl.String)})
    return pl.concat([present, removed], how="diagonal")


def _problems(con: duckdb.DuckDBPyConnection, run: PublishingRun, deltas: Mapping[str, TableDelta]) -> list[str]:
    """What is wrong with the delta rows."""
    feeds = deltas["feeds"].rows.select(list(TABLES["feeds"])) if "feeds" in deltas else FEEDS.empty()
    validation = Validation(con, run, users=feeds["user_id"])
    for table, delta in deltas.items():
        if len(delta.rows):
            validation.add_keys(table, delta.rows)
    validation.add_frame_of_feeds(feeds)
    return validation.problems()
