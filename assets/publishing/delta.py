"""Builds a generation of what changed since the served one. Everything else is shared with it by hard links.

Rows that changed lie in `changes/<layer>/`, which of them are current in `changed/`, and their look-up values in a file
on top of the others. A daily full generation starts anew. How changes are found is in changes.py.
"""

import datetime as dt
import hashlib
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from assets.config import Config
from assets.lake import write_parquet
from assets.publishing import full as build
from assets.publishing import generations
from assets.publishing.database import write_database
from assets.publishing.delta_sources import MAP_SCHEMA, Change, NotComparableError, changes_since, is_replay
from assets.publishing.full import Published
from assets.publishing.generations import Manifest
from assets.publishing.lookup.delta_files import write_delta_lookup
from assets.publishing.tables import (
    INCREMENTAL_TABLES,
    Source,
    checksums,
    connect,
    described,
    link,
    source_record,
    write_table,
)
from assets.publishing.validation import FeedChecks, KeyChecks, closed_jobs_in_feeds, size_problems
from serving.contract.generation import CURRENT_ROWS_FOLDER, DATABASE, DELTA_ROWS_FOLDER, MANIFEST
from serving.contract.keys import KEYSPACES
from serving.contract.tables import KEYS, SCHEMA_VERSION, TABLES
from serving.contract.text_tables import TEXT_TABLES

MAX_LOOKUP_FILES = 32


def publish_changes(
    published: Path,
    sources: Mapping[str, Source],
    *,
    as_of: dt.datetime,
    created_at: dt.datetime,
    config: Config,
    code_version: str,
    high_water_marks: Mapping[str, str],
    interactions: Path | None,
) -> Published:
    """Publishes what changed since the served generation, or a full generation where that can't be told apart.

    Where nothing changed, nothing is announced. Raises ValidationFailedError like `build.publish`.
    """
    published = published.resolve()
    last = build.last_good(published)
    arguments: dict[str, Any] = {
        "as_of": as_of,
        "created_at": created_at,
        "config": config,
        "code_version": code_version,
        "high_water_marks": high_water_marks,
        "interactions": interactions,
    }
    if last is None or not _can_follow(published, last, as_of=as_of, config=config, code_version=code_version):
        return build.publish(published, sources, **arguments)
    folder = published / f"{generations.BUILDING_PREFIX}{uuid.uuid4().hex}"
    try:
        return _publish(published, folder, last, sources, **arguments)
    except NotComparableError:
        return build.publish(published, sources, **arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _can_follow(published: Path, last: Manifest, *, as_of: dt.datetime, config: Config, code_version: str) -> bool:
    same = (SCHEMA_VERSION, code_version, build.hash_of(config))
    return (
        (last.schema_version, last.code_version, last.config_hash) == same
        and set(last.lookup) == {*KEYSPACES, *TEXT_TABLES}
        and not is_replay(last, as_of)
        and max(len(last.lookup[stack]) for stack in KEYSPACES) < MAX_LOOKUP_FILES
        and not generations.verify_touched(published, last.generation)
    )


def _publish(
    published: Path,
    folder: Path,
    last: Manifest,
    sources: Mapping[str, Source],
    *,
    as_of: dt.datetime,
    created_at: dt.datetime,
    config: Config,
    code_version: str,
    high_water_marks: Mapping[str, str],
    interactions: Path | None,
) -> Published:
    before = published / last.generation
    memory_limit = config.pipeline.duckdb_memory_limit
    with connect(before, memory_limit=memory_limit) as old:
        share = config.pipeline.publishing.max_changed_share
        changes = changes_since(last, before, old, sources, max_share=share)
        _share_files(before, folder, last)
        replaced = _replace_small_tables(folder, last, sources)
        if not changes and not replaced:
            return Published(last, is_new=False)
        layer = _next_layer(published, last)
        tables = {**last.tables, **replaced}
        for table, change in changes.items():
            tables[table] = _write_change(folder, table, change, layer, last.tables[table])
        as_of_text = as_of.astimezone(dt.UTC).isoformat()
        with connect(folder, memory_limit=memory_limit) as new:
            problems = _problems(new, folder, changes, layer, interactions, config=config)
            problems += size_problems(new, config, last if build.is_near(last, as_of, config) else None)
            build.refuse(problems)
            lookup = write_delta_lookup(folder, last, changes, replaced, old, new, layer=layer, as_of=as_of)
    name = generations.generation_name(as_of, build.content(tables, last.config_hash))
    write_database(folder / DATABASE, folder, final_folder=published / name)
    manifest = Manifest(
        generation=name,
        parent=last.generation,
        created_at=created_at.astimezone(dt.UTC).isoformat(),
        as_of=as_of_text,
        schema_version=SCHEMA_VERSION,
        code_version=code_version,
        config_hash=last.config_hash,
        high_water_marks=high_water_marks,
        tables=tables,
        files=checksums(folder, _known(before, folder, last)),
        kind="delta",
        base=last.base,
        layer=layer,
        lookup=lookup,
        sources={table: source_record(sources[table]) for table in TABLES},
    )
    build.finish(published, folder, manifest)
    return Published(manifest, is_new=True)


def _next_layer(published: Path, last: Manifest) -> int:
    """A number that no kept delta has: files are named by it, and owners whose rows differ are told apart by it."""
    kept = generations.list_generations(published)
    return 1 + max((found.layer for found in kept if found.base == last.base), default=last.layer)


def _share_files(before: Path, folder: Path, last: Manifest) -> None:
    for relative in last.files:
        if relative not in (MANIFEST, DATABASE):
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            link(before / relative, target)


def _known(before: Path, folder: Path, last: Manifest) -> dict[str, Mapping[str, Any]]:
    """The files of the last generation that this one shares: their checksums need no reading."""
    return {
        relative: entry
        for relative, entry in last.files.items()
        if (folder / relative).exists() and (folder / relative).samefile(before / relative)
    }


def _replace_small_tables(folder: Path, last: Manifest, sources: Mapping[str, Source]) -> dict[str, dict[str, Any]]:
    """Writes the small tables anew; returns the descriptions of those that differ, the others stay shared."""
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


def _write_change(folder: Path, table: str, change: Change, layer: int, last: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the changed rows and who is current in which layer; returns the table's description."""
    owner = KEYS[table][0]
    written = []
    if len(change.rows):
        path = folder / DELTA_ROWS_FOLDER / f"{layer:04d}" / f"{table}.parquet"
        write_parquet(change.rows.select(list(TABLES[table])).with_columns(layer=pl.lit(layer, pl.Int32)), path)
        written.append(path)
    path = folder / CURRENT_ROWS_FOLDER / f"{table}.parquet"
    entries = _map_entries(table, change, layer)
    if path.exists():
        # The file is shared with the last generation: it is replaced, never written into.
        entries = pl.concat([pl.read_parquet(path).join(entries, on=owner, how="anti"), entries])
    write_parquet(entries.sort(owner), path)
    written.append(path)
    digest = hashlib.sha256(last["sha256"].encode())
    for path in written:
        digest.update(generations.sha256_of(path).encode())
    parts = [*(folder / DELTA_ROWS_FOLDER).glob(f"*/{table}.parquet"), path]
    base = last["bytes"] if "base_bytes" not in last else last["base_bytes"]
    return {
        "rows": last["rows"] - change.n_rows_before + len(change.rows),
        "bytes": base + sum(part.stat().st_size for part in parts),
        "base_bytes": base,
        "sha256": digest.hexdigest(),
    }


def _map_entries(table: str, change: Change, layer: int) -> pl.DataFrame:
    owner = KEYS[table][0]
    schema = {owner: pl.String, **MAP_SCHEMA}
    if len(change.rows):
        current = change.rows.select(owner).unique().with_columns(layer=pl.lit(layer, pl.Int32))
        if change.parts is not None:
            current = current.join(change.parts, on=owner, how="left")
        else:
            current = current.with_columns(part=pl.lit(None, pl.String))
    else:
        current = pl.DataFrame(schema=schema)
    removed = pl.DataFrame({owner: change.removed.cast(pl.String)}).with_columns(
        layer=pl.lit(None, pl.Int32), part=pl.lit(None, pl.String)
    )
    return pl.concat([current.select(list(schema)), removed.select(list(schema))])


def _problems(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    changes: Mapping[str, Change],
    layer: int,
    interactions: Path | None,
    *,
    config: Config,
) -> list[str]:
    """What is wrong with the changed rows, and with the others because of jobs that closed."""
    keys = KeyChecks(con)
    for table, change in changes.items():
        if len(change.rows):
            keys.add(table, change.rows.select(list(KEYS[table])).to_arrow())
    feeds = changes["feeds"].rows if "feeds" in changes else pl.DataFrame()
    users = feeds["user_id"] if len(feeds) else pl.Series([], dtype=pl.String)
    checks = FeedChecks(con, interactions, config=config, users=users)
    if len(feeds):
        checks.add(feeds.select(list(TABLES["feeds"])).to_arrow())
    problems = keys.problems() + checks.problems()
    if "jobs" in changes:
        problems += closed_jobs_in_feeds(folder, changes["jobs"], layer)
    return problems
