"""The steps that full and delta generations share: the run, the folder under construction, the announcement."""

import datetime as dt
import hashlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from assets.config.loading import Config
from assets.instants import future_problem
from assets.lake import Lake, write_bytes
from assets.publishing import generations
from assets.publishing.database import write_database
from assets.publishing.tables import Source, checksums, connect, source_record
from assets.user_rows import scan_rows_of
from features.schemas.catalog import INTERACTIONS
from features.schemas.features import USER_PROFILES
from serving.contract.generation import DATABASE, MANIFEST, GenerationError, Manifest
from serving.contract.tables import SCHEMA_VERSION, TABLES

Lookup = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class PublishingRun:
    """Where a run publishes to, by which settings, and what its feeds are validated against.

    `interactions` and `profiles` are the tables INTERACTIONS and USER_PROFILES that the feeds were ranked with, and
    `lake` (if any) is where they are stored.
    `is_forced`: the result is announced even if it has no jobs or is older than what is served. `is_afresh`: a full
    generation takes nothing over from the last one, which holds users who were erased.
    """

    published: Path
    config: Config
    as_of: dt.datetime
    created_at: dt.datetime
    code_version: str
    high_water_marks: Mapping[str, str]
    interactions: pl.LazyFrame
    profiles: pl.LazyFrame
    is_forced: bool = False
    is_afresh: bool = False
    lake: Lake | None = None

    def people(self, users: pl.Series) -> tuple[pl.LazyFrame, pl.LazyFrame]:
        """The interactions and profiles of these users."""
        if self.lake is None:
            is_wanted = pl.col("user_id").is_in(users.implode())
            return self.interactions.filter(is_wanted), self.profiles.filter(is_wanted)
        interactions = scan_rows_of(self.lake, "catalog", INTERACTIONS, users)
        return interactions, scan_rows_of(self.lake, "features", USER_PROFILES, users)

    @cached_property
    def config_hash(self) -> str:
        """Differs between configurations."""
        return hashlib.sha256(self.config.model_dump_json().encode()).hexdigest()

    def connect(self, folder: Path) -> duckdb.DuckDBPyConnection:
        """A database in memory with the tables in `folder` as views."""
        return connect(folder, memory_limit=self.config.pipeline.duckdb_memory_limit)

    def last_good(self) -> Manifest | None:
        """The served generation's manifest; None if it or the pointer is damaged, which must not stop a new one."""
        try:
            current = generations.current_generation(self.published)
            return generations.read_manifest(self.published, current) if current is not None else None
        except GenerationError:
            return None

    def is_older_than(self, last: Manifest | None) -> bool:
        """Whether `last` is of a later instant, as it is for a replay or a run that a later one overtook.

        A generation of the future, which a wrong clock made, is never the later one: it would end all publishing.
        """
        if last is None:
            return False
        served = dt.datetime.fromisoformat(last.as_of)
        return self.as_of < served and future_problem(served, now=self.created_at) is None

    def generation_name(self, tables: Mapping[str, Mapping[str, Any]]) -> str:
        """The name of the generation that holds `tables`: equal content has an equal name."""
        lines = [f"{name} {tables[name]['sha256']}" for name in sorted(tables)]
        return generations.generation_name(self.as_of, "\n".join([SCHEMA_VERSION, self.config_hash, *lines]))


@dataclass(frozen=True)
class Published:
    """The manifest of a build.

    `is_new` is false if the served generation is equal, and nothing was announced. `is_announced` is false if the
    generation was stored only, because the served one is of a later instant.
    """

    manifest: Manifest
    is_new: bool
    is_announced: bool = True


@contextmanager
def building_folder(published: Path) -> Iterator[Path]:
    """The path of a folder to build in, which is removed unless it was announced."""
    folder = published / f"{generations.BUILDING_PREFIX}{uuid.uuid4().hex}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_views(run: PublishingRun, folder: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes the generation's database over its `tables`, which must be in `folder`; look-up files may follow."""
    write_database(folder / DATABASE, folder, final_folder=run.published / run.generation_name(tables))


def announce(
    run: PublishingRun,
    folder: Path,
    sources: Mapping[str, Source],
    last: Manifest | None,
    tables: Mapping[str, Mapping[str, Any]],
    lookup: Lookup,
    *,
    sequence: int = 0,
) -> Published:
    """Completes the generation in `folder`, gives it its name and announces it, unless the served one is newer.

    The database is written too if it is not there yet.

    `sequence` numbers a delta on `last`; 0 is a full generation. A delta's base is that of `last`.
    """
    name = run.generation_name(tables)
    if not (folder / DATABASE).exists():
        write_views(run, folder, tables)
    base = last if sequence else None
    manifest = Manifest(
        generation=name,
        parent=last.generation if last is not None else None,
        created_at=run.created_at.astimezone(dt.UTC).isoformat(),
        as_of=run.as_of.astimezone(dt.UTC).isoformat(),
        schema_version=SCHEMA_VERSION,
        code_version=run.code_version,
        config_hash=run.config_hash,
        high_water_marks=run.high_water_marks,
        tables=tables,
        files=checksums(folder, _shared_files(run.published, folder, base) if base is not None else {}),
        kind="delta" if base is not None else "full",
        base=base.base if base is not None else name,
        delta_sequence=sequence,
        lookup=lookup,
        sources={table: source_record(sources[table]) for table in TABLES},
    )
    is_announced = run.is_forced or not run.is_older_than(last)
    finish(run.published, folder, manifest, is_announced=is_announced)
    return Published(manifest, is_new=True, is_announced=is_announced)


def finish(published: Path, folder: Path, manifest: Manifest, *, is_announced: bool = True) -> None:
    """Gives the finished `folder` the name in the manifest; announces it if `is_announced`."""
    write_bytes(folder / MANIFEST, manifest.to_json())
    generations.seal(folder, published, manifest.generation)
    if is_announced:
        generations.announce(published, manifest.generation)


def _shared_files(published: Path, folder: Path, last: Manifest) -> dict[str, Mapping[str, Any]]:
    """The files of `last` that `folder` shares: their checksums are known."""
    return {
        relative: entry
        for relative, entry in last.files.items()
        if (folder / relative).exists() and (folder / relative).samefile(published / last.generation / relative)
    }
