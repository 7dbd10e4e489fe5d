"""Builds one full generation aside, validates it, and announces it. Killed anywhere, the last one stays served.

The tables come in as frames or as files of the lake; nothing is computed from them here but what the look-up needs.
How a generation of changes only is made is in delta.py.
"""

import datetime as dt
import hashlib
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from assets.config import Config
from assets.lake import write_bytes
from assets.publishing import generations
from assets.publishing.database import write_database
from assets.publishing.generations import Manifest
from assets.publishing.lookup import feed_values as feeds
from assets.publishing.lookup.blocks import key_blocks
from assets.publishing.lookup.files import QUERIES, LookupFile, sample_values, write_prefix, write_rows
from assets.publishing.lookup.text_tables import TextIds, TextTableWriter, no_text_ids, templates_of, write_job_texts
from assets.publishing.tables import (
    INCREMENTAL_TABLES,
    Source,
    checksums,
    connect,
    described,
    source_record,
    write_table,
)
from assets.publishing.validation import FeedChecks, KeyChecks, size_problems
from features.errors import JobfeedError
from serving.contract.generation import DATABASE, DICTIONARY_FILE, LOOKUP, LOOKUP_FOLDER, MANIFEST, TABLES_FOLDER
from serving.contract.keys import DIGEST_PREFIX, JOB_DETAIL_PREFIX, KEYSPACES
from serving.contract.tables import KEYS, SCHEMA_VERSION, TABLES
from serving.contract.text_tables import TEXT_TABLES

__all__ = ["Published", "Source", "ValidationFailedError", "publish"]


_SAMPLE_ROWS = 1000


class ValidationFailedError(JobfeedError, RuntimeError):
    """The generation that was built may not be announced; the message says why, a line each."""


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
    """Writes a full generation of `sources` (one per table of the contract) and announces it.

    Raises ValidationFailedError, leaving the last generation served, when it may not be announced.
    """
    published = published.resolve()
    published.mkdir(parents=True, exist_ok=True)
    last = last_good(published)
    config_hash = hash_of(config)
    folder = published / f"{generations.BUILDING_PREFIX}{uuid.uuid4().hex}"
    try:
        files = {table: write_table(folder, table, sources[table]) for table in TABLES}
        tables = {table: described(table, files[table]) for table in TABLES}
        name = generations.generation_name(as_of, content(tables, config_hash))
        if last is not None and last.generation == name and generations.is_whole(published, name):
            return Published(last, is_new=False)
        as_of_text = as_of.astimezone(dt.UTC).isoformat()
        with connect(folder, memory_limit=config.pipeline.duckdb_memory_limit) as con:
            problems = _write_lookup(con, folder, files["feeds"], interactions, config=config, as_of=as_of)
            comparable = last if last is not None and is_near(last, as_of, config) else None
            problems += size_problems(con, config, comparable)
        refuse(problems)
        write_database(folder / DATABASE, folder, final_folder=published / name)
        manifest = Manifest(
            generation=name,
            parent=last.generation if last is not None else None,
            created_at=created_at.astimezone(dt.UTC).isoformat(),
            as_of=as_of_text,
            schema_version=SCHEMA_VERSION,
            code_version=code_version,
            config_hash=config_hash,
            high_water_marks=high_water_marks,
            tables=tables,
            files=checksums(folder, {}),
            kind="full",
            base=name,
            layer=0,
            lookup={stack: [{"path": LOOKUP, "deltas": 0}] for stack in KEYSPACES}
            | {kind: [{"path": _numbered(kind), "deltas": 0}] for kind in TEXT_TABLES},
            sources={table: source_record(sources[table]) for table in TABLES},
        )
        finish(published, folder, manifest)
        return Published(manifest, is_new=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def last_good(published: Path) -> Manifest | None:
    """The served generation's manifest; None where it or the pointer is damaged: a new one must still be published."""
    try:
        current = generations.current_generation(published)
        return generations.read_manifest(published, current) if current is not None else None
    except generations.GenerationError:
        return None


def finish(published: Path, folder: Path, manifest: Manifest) -> None:
    """Gives the finished `folder` its name and announces it."""
    write_bytes(folder / MANIFEST, manifest.to_json())
    generations.seal(folder, published, manifest.generation)
    generations.announce(published, manifest.generation)


def refuse(problems: Sequence[str]) -> None:
    """Raises ValidationFailedError if there are any."""
    if problems:
        raise ValidationFailedError("\n".join(problems))


def hash_of(config: Config) -> str:
    """Tells configurations apart."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


def is_near(last: Manifest, as_of: dt.datetime, config: Config) -> bool:
    """Sizes tell something of a generation of about the same day; after a long pause or in a replay they do not."""
    days = dt.timedelta(days=config.pipeline.publishing.compared_within_days)
    return abs(dt.datetime.fromisoformat(last.as_of) - as_of) <= days


def content(tables: Mapping[str, Mapping[str, Any]], config_hash: str) -> str:
    """What tells one generation's content from another's."""
    lines = [f"{name} {tables[name]['sha256']}" for name in sorted(tables)]
    return "\n".join([SCHEMA_VERSION, config_hash, *lines])


def _write_lookup(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    feed_files: Sequence[Path],
    interactions: Path | None,
    *,
    config: Config,
    as_of: dt.datetime,
) -> list[str]:
    """Writes the base look-up files, checking the rows on the way: they are read once. Returns the problems."""
    checks, keys = FeedChecks(con, interactions, config=config), KeyChecks(con)
    for table in TABLES:
        if table not in INCREMENTAL_TABLES or table == "feeds":
            keys.add(table)
    with TextTableWriter(folder / _numbered("jobs"), "jobs", is_base=True) as file:
        jobs = write_job_texts(con, file, no_text_ids("jobs"))
    numbers = TextIds(jobs, no_text_ids("reasons"), templates_of(con))
    with (
        LookupFile(folder / LOOKUP) as file,
        TextTableWriter(folder / _numbered("reasons"), "reasons", is_base=True) as reasons,
    ):
        file.learn(_samples(folder))
        file.put_numbers(jobs)
        for block in feeds.blocks(feed_files):
            checks.add(block)
            feeds.write_values(file, block, numbers)
            numbers.write_new_reasons(reasons)
        feeds.write_fallback_values(file, con.table("fallback_feeds").to_arrow_table(), numbers, as_of=as_of)
        numbers.write_new_reasons(reasons)
        for table in INCREMENTAL_TABLES:
            if table != "feeds":
                for rows in key_blocks(folder / TABLES_FOLDER / f"{table}.parquet", KEYS[table][0]):
                    keys.add(table, rows)
                    write_rows(file, table, rows)
        for prefix, (_, inputs) in QUERIES.items():
            if inputs[0] not in INCREMENTAL_TABLES:
                write_prefix(file, con, prefix)
        if file.dictionary is not None:
            write_bytes(folder / DICTIONARY_FILE, file.dictionary)
    return checks.problems() + keys.problems()


def _numbered(kind: str) -> str:
    return f"{LOOKUP_FOLDER}/{kind}-0000.npy"


def _samples(folder: Path) -> list[str]:
    """Some of the long values: digests and jobs in full."""
    samples: list[str] = []
    for table, prefix in (("digests", DIGEST_PREFIX), ("jobs", JOB_DETAIL_PREFIX)):
        for rows in key_blocks(folder / TABLES_FOLDER / f"{table}.parquet", KEYS[table][0]):
            samples += sample_values(table, prefix, rows.slice(0, _SAMPLE_ROWS))
            break
    return samples
