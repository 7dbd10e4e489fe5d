"""Builds one full generation aside, validates it, and announces it. If killed anywhere, the last one stays served.

The tables are frames or files of the lake; only the look-up files are computed here. delta.py builds deltas.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from assets.ahead import ahead
from assets.lake import write_bytes
from assets.publishing import generations
from assets.publishing.build import Published, PublishingRun, announce, building_folder
from assets.publishing.lookup.blocks import key_blocks, rows_in_batches
from assets.publishing.lookup.feed_values import write_fallback_values, write_values
from assets.publishing.lookup.json_values import json_values
from assets.publishing.lookup.known_values import KnownValues, known_values
from assets.publishing.lookup.text_tables import (
    IdentifiedTexts,
    TextIds,
    names_of,
    no_text_ids,
    templates_of,
    write_job_texts,
)
from assets.publishing.lookup.writer import QUERIES, LookupFileWriter, Stored, values_of_rows, write_prefix
from assets.publishing.tables import INCREMENTAL_TABLES, Source, described, write_table
from assets.publishing.validation import Validation, refuse, size_problems
from serving.contract.generation import DICTIONARY_FILE, LOOKUP, LOOKUP_FOLDER, TABLES_FOLDER
from serving.contract.keys import DIGEST_PREFIX, JOB_DETAIL_PREFIX, KEYSPACES, TEXT_TABLES
from serving.contract.tables import KEYS, TABLES

_SAMPLE_ROWS = 1000
_BLOCK_USERS = 4_096


def publish_full(run: PublishingRun, sources: Mapping[str, Source]) -> Published:
    """Writes a full generation of `sources` (one per table of the contract) and announces it.

    Raises ValidationFailedError, leaving the last generation served, if it may not be announced.
    """
    run.published.mkdir(parents=True, exist_ok=True)
    last = run.last_good()
    with building_folder(run.published) as folder:
        files = {table: write_table(folder, table, sources[table]) for table in TABLES}
        tables = {table: described(table, files[table]) for table in TABLES}
        name = run.generation_name(tables)
        if last is not None and last.generation == name and generations.is_whole(run.published, name):
            return Published(last, is_new=False)
        with run.connect(folder) as con:
            known = known_values(run.published, None if run.is_afresh else last)
            problems = _write_lookup(con, run, folder, files, known)
            refuse([*problems, *size_problems(con, run, last)])
        lookup = {keyspace: [{"path": LOOKUP, "deltas": 0}] for keyspace in KEYSPACES}
        lookup |= {kind: [{"path": _text_table(kind), "deltas": 0}] for kind in TEXT_TABLES}
        return announce(run, folder, sources, last, tables, lookup)


def _write_lookup(
    con: duckdb.DuckDBPyConnection,
    run: PublishingRun,
    folder: Path,
    files: Mapping[str, Sequence[Path]],
    known: KnownValues,
) -> list[str]:
    """Writes the base look-up files and validates the rows in the same pass. Returns the problems."""
    validation = Validation(con, run)
    for table in TABLES:
        if table not in INCREMENTAL_TABLES or table == "feeds":
            validation.add_keys(table)
    with IdentifiedTexts(folder / _text_table("jobs"), "jobs", is_base=True) as file:
        jobs = write_job_texts(con, file, no_text_ids("jobs"), names_of(con))
    text_ids = TextIds(jobs, no_text_ids("reasons"), templates_of(con), names_of(con))
    with (
        LookupFileWriter(folder / LOOKUP, known.dictionary) as file,
        IdentifiedTexts(folder / _text_table("reasons"), "reasons", is_base=True) as reasons,
    ):
        if known.dictionary is None:
            file.learn(_samples(folder))
        file.put_text_ids(jobs)
        for block in ahead(_valid_feeds(validation, files["feeds"])):
            write_values(file, block, text_ids)
            text_ids.write_new_reasons(reasons)
        write_fallback_values(file, con.table("fallback_feeds").to_arrow_table(), text_ids, as_of=run.as_of)
        text_ids.write_new_reasons(reasons)
        for pairs in ahead(_valid_values(validation, files, known, file)):
            file.put_raw(pairs)
        for prefix, (_, inputs) in QUERIES.items():
            if inputs[0] not in INCREMENTAL_TABLES:
                write_prefix(file, con, prefix)
        if file.dictionary is not None:
            write_bytes(folder / DICTIONARY_FILE, file.dictionary)
    known.write_prints(folder)
    return validation.problems()


def _valid_feeds(validation: Validation, files: Sequence[Path]) -> Iterator[pa.Table]:
    """The feeds of the files in blocks, each added to `validation`."""
    for block in ahead(rows_in_batches(files, list(TABLES["feeds"]), _BLOCK_USERS)):
        validation.add_feeds(block)
        yield block


def _valid_values(
    validation: Validation, files: Mapping[str, Sequence[Path]], known: KnownValues, file: LookupFileWriter
) -> Iterator[list[tuple[bytes, Stored]]]:
    """Keys and stored JSON values of the incremental tables, block by block. All keys of the tables are validated."""
    for table in INCREMENTAL_TABLES:
        if table != "feeds":
            blocks = chain.from_iterable(key_blocks(path, KEYS[table][0]) for path in files[table])
            for rows in map(pl.DataFrame, ahead(blocks)):
                validation.add_keys(table, rows)
                copied, others = known.split(table, rows)
                yield copied
                for prefix, values in values_of_rows(table, others):
                    yield file.stored(prefix, values)


def _text_table(kind: str) -> str:
    return f"{LOOKUP_FOLDER}/{kind}-0000.npy"


def _samples(folder: Path) -> list[str]:
    """Some of the long values: digests and jobs in full."""
    samples: list[str] = []
    for table, prefix in (("digests", DIGEST_PREFIX), ("jobs", JOB_DETAIL_PREFIX)):
        for rows in key_blocks(folder / TABLES_FOLDER / f"{table}.parquet", KEYS[table][0]):
            samples += json_values(prefix, pl.DataFrame(rows.slice(0, _SAMPLE_ROWS)))["value"].to_list()
            break
    return samples
