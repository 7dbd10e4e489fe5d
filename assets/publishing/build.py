"""Builds one generation aside, validates it, and announces it. Killed anywhere, the last one stays served.

The tables come in as frames or as files of the lake; nothing is computed from them here but what the look-up needs.
"""

import datetime as dt
import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assets.config import Config
from assets.lake import content_hash, write_bytes, write_parquet
from assets.publishing import generations
from assets.publishing.database import write_database
from assets.publishing.generations import Manifest
from assets.publishing.lookup import write_lookup
from assets.publishing.validation import problems_of
from serving.contract import DATABASE, KEYS, LOOKUP, MANIFEST, SCHEMA_VERSION, TABLES, TABLES_FOLDER

# How long a digest took to render differs from run to run; it is told, but does not make a digest another one.
_UNSTABLE_COLUMNS = ("generation_time_seconds",)


class ValidationFailedError(RuntimeError):
    """The generation that was built may not be announced; the message says why, a line each."""


@dataclass(frozen=True)
class Source:
    """One table to publish: a frame, or the lake's Parquet files as they are (hard-linked, not copied)."""

    frame: pl.LazyFrame | None = None
    files: Sequence[Path] = ()


@dataclass(frozen=True)
class Published:
    """What became of a build: the manifest, and whether it was announced (an equal generation is not)."""

    manifest: Manifest
    is_new: bool


def publish(
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
    """Writes a generation of `sources` (one per table of the contract) and announces it.

    Raises ValidationFailedError, leaving the last generation served, when it may not be announced.
    """
    published.mkdir(parents=True, exist_ok=True)
    current = generations.current_generation(published)
    last = generations.read_manifest(published, current) if current is not None else None
    config_hash = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    folder = published / f"{generations.BUILDING_PREFIX}{uuid.uuid4().hex}"
    try:
        files = {table: _write_table(folder, table, sources[table]) for table in TABLES}
        tables = {table: _described(table, files[table]) for table in TABLES}
        name = generations.generation_name(as_of, _content(tables, config_hash))
        if last is not None and last.generation == name:
            return Published(last, is_new=False)
        write_database(folder / DATABASE, files, memory_limit=config.pipeline.duckdb_memory_limit)
        comparable = last if last is not None and _is_near(last, as_of, config) else None
        problems = problems_of(folder, interactions, config=config, last=comparable)
        if problems:
            raise ValidationFailedError("\n".join(problems))
        as_of_text = as_of.astimezone(dt.UTC).isoformat()
        write_lookup(
            folder / LOOKUP, folder / DATABASE, as_of=as_of_text, memory_limit=config.pipeline.duckdb_memory_limit
        )
        manifest = Manifest(
            generation=name,
            parent=current,
            created_at=created_at.astimezone(dt.UTC).isoformat(),
            as_of=as_of_text,
            schema_version=SCHEMA_VERSION,
            code_version=code_version,
            config_hash=config_hash,
            high_water_marks=high_water_marks,
            tables=tables,
            files=_checksums(folder),
        )
        write_bytes(folder / MANIFEST, manifest.to_json())
        generations.seal(folder, published, name)
        generations.announce(published, name)
        return Published(manifest, is_new=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_near(last: Manifest, as_of: dt.datetime, config: Config) -> bool:
    """Sizes tell something of a generation of about the same day; after a long pause or in a replay they do not."""
    days = dt.timedelta(days=config.pipeline.publishing.compared_within_days)
    return abs(dt.datetime.fromisoformat(last.as_of) - as_of) <= days


def _write_table(folder: Path, table: str, source: Source) -> list[Path]:
    if source.frame is not None:
        path = folder / TABLES_FOLDER / f"{table}.parquet"
        write_parquet(source.frame.select(list(TABLES[table])).sort(KEYS[table]), path)
        return [path]
    target = folder / TABLES_FOLDER / table
    target.mkdir(parents=True)
    return [_link(path, target / path.name) for path in source.files]


def _link(source: Path, target: Path) -> Path:
    """The lake replaces files and never writes into one, so a second name for it is a copy that costs nothing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target


def _described(table: str, files: Sequence[Path]) -> dict[str, Any]:
    frame = pl.scan_parquet(list(files), hive_partitioning=False)
    unstable = [name for name in _UNSTABLE_COLUMNS if name in TABLES[table]]
    if unstable:
        digest = content_hash(frame.drop(unstable).collect())
    else:
        digest = hashlib.sha256("".join(generations.sha256_of(path) for path in files).encode()).hexdigest()
    return {
        "rows": int(frame.select(pl.len()).collect().item()),
        "bytes": sum(path.stat().st_size for path in files),
        "sha256": digest,
    }


def _content(tables: Mapping[str, Mapping[str, Any]], config_hash: str) -> str:
    lines = [f"{name} {tables[name]['sha256']}" for name in sorted(tables)]
    return "\n".join([SCHEMA_VERSION, config_hash, *lines])


def _checksums(folder: Path) -> dict[str, dict[str, Any]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in paths:
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
    return {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": generations.sha256_of(path)}
        for path in paths
    }
