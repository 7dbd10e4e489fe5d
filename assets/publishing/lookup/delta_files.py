"""Writes the look-up files of a delta, and merges those of earlier deltas.

Users have one file for each delta; eight of these are merged into one. Jobs and everything else have one file for all
deltas since the base, because a feed looks up fifty jobs but one user.
"""

import datetime as dt
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import lmdb
import polars as pl

from assets.publishing.delta_sources import NotComparableError, TableDelta
from assets.publishing.lookup.feed_values import write_fallback_values, write_values
from assets.publishing.lookup.text_tables import (
    IdentifiedTexts,
    TextIds,
    names_of,
    read_text_ids,
    templates_of,
    write_gone_jobs,
    write_job_texts,
)
from assets.publishing.lookup.writer import QUERIES, LookupFileWriter, prefixes_of, values_of, values_of_rows
from assets.publishing.tables import INCREMENTAL_TABLES
from serving.contract.generation import DICTIONARY_FILE, LOOKUP_FOLDER, Manifest
from serving.contract.keys import (
    COMPONENTS_PREFIX,
    DIGEST_PREFIX,
    FALLBACK_PREFIX,
    KEY_SEPARATOR,
    KEYSPACES,
    TEXT_TABLES,
    keyspace_of,
)
from serving.contract.tables import KEYS, TABLES
from serving.contract.text_tables import offsets_path, text_ids_path

MERGED_DELTAS = 8
_BATCH_VALUES = 4096
_BATCH_FEEDS = 8192  # for each batch, its reasons are compared with all that have a text
_NO_VALUES = pl.DataFrame(schema={"id": pl.String, "value": pl.String})


def write_delta_lookup(
    folder: Path,
    last: Manifest,
    changes: Mapping[str, TableDelta],
    replaced: Mapping[str, Any],
    old: duckdb.DuckDBPyConnection,
    new: duckdb.DuckDBPyConnection,
    *,
    sequence: int,
    as_of: dt.datetime,
) -> dict[str, list[dict[str, Any]]]:
    """Writes the look-up files of the delta number `sequence` into `folder`; returns the manifest's `lookup`.

    `old` and `new` have the tables of the last generation and of this one. Raises NotComparableError if the
    templates of reasons or the names in them changed, because then all their texts changed.
    """
    if "reason_templates" in replaced or ("display_names" in replaced and _has_renamed(old, new)):
        raise NotComparableError("the texts of reasons changed")
    dictionary = folder / DICTIONARY_FILE
    body = dictionary.read_bytes() if dictionary.exists() else None
    text_ids, lookup = _write_job_texts(folder, last, changes, new, sequence=sequence)
    touched = {prefix for table in [*changes, *replaced] for prefix in prefixes_of(table)}
    for keyspace in KEYSPACES:
        prefixes = sorted(prefix for prefix in touched if keyspace_of(prefix) == keyspace)
        files = [dict(file) for file in last.lookup[keyspace]]
        lookup[keyspace] = files
        if not prefixes:
            continue
        merged = _to_merge(keyspace, files)
        path = folder / LOOKUP_FOLDER / f"{keyspace}-{sequence:04d}.mdb"
        _start_from(path, [folder / file["path"] for file in merged])
        with LookupFileWriter(path, body) as file:
            for table, change in changes.items():
                if keyspace_of(prefixes_of(table)[0]) == keyspace:
                    _write_changed(file, table, change, old, text_ids)
            for prefix in prefixes:
                if prefix == FALLBACK_PREFIX:
                    _write_differing_fallbacks(file, old, new, text_ids, as_of=as_of)
                elif prefix in QUERIES and QUERIES[prefix][1][0] not in INCREMENTAL_TABLES:
                    _write_differing(file, prefix, old, new)
        entry = {"path": str(path.relative_to(folder)), "deltas": 1 + sum(file["deltas"] for file in merged)}
        lookup[keyspace] = [entry, *files[len(merged) :]]
    if text_ids.new_reasons:
        with _changed_texts(folder, last, "reasons", sequence=sequence) as texts:
            text_ids.write_new_reasons(texts)
        lookup["reasons"] = _with_changes(last, "reasons", sequence=sequence)
    for relative in _files_of(last.lookup) - _files_of(lookup):
        (folder / relative).unlink()
    return lookup


def _has_renamed(old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection) -> bool:
    """Whether something has another name now. A name that came with a new town, or went, changes no text."""
    before, now = (
        {tuple(key): text for *key, text in con.sql("select kind, name, language, text from display_names").fetchall()}
        for con in (old, new)
    )
    return any(now.get(key, text) != text for key, text in before.items())


def _write_job_texts(
    folder: Path,
    last: Manifest,
    changes: Mapping[str, TableDelta],
    new: duckdb.DuckDBPyConnection,
    *,
    sequence: int,
) -> tuple[TextIds, dict[str, list[dict[str, Any]]]]:
    """Writes the texts of jobs that changed; returns the text ids and the manifest's entries of text tables."""
    ids = {kind: read_text_ids([folder / file["path"] for file in reversed(last.lookup[kind])]) for kind in TEXT_TABLES}
    lookup = {kind: [dict(file) for file in last.lookup[kind]] for kind in TEXT_TABLES}
    change = changes.get("jobs")
    if change is not None:
        with _changed_texts(folder, last, "jobs", sequence=sequence) as texts, duckdb.connect() as con:
            if len(change.rows):
                con.register("jobs", change.rows.to_arrow())
                ids["jobs"] = write_job_texts(con, texts, ids["jobs"], names_of(new))
            write_gone_jobs(texts, change.removed, ids["jobs"])
        lookup["jobs"] = _with_changes(last, "jobs", sequence=sequence)
    return TextIds(ids["jobs"], ids["reasons"], templates_of(new), names_of(new)), lookup


@contextmanager
def _changed_texts(folder: Path, last: Manifest, kind: str, *, sequence: int) -> Iterator[IdentifiedTexts]:
    """A text table of all changes since the base. It starts with the table of the last generation."""
    with IdentifiedTexts(folder / _texts_path(kind, sequence), kind, is_base=False) as file:
        for earlier in last.lookup[kind][:-1]:
            file.copy(folder / earlier["path"])
        yield file


def _with_changes(last: Manifest, kind: str, *, sequence: int) -> list[dict[str, Any]]:
    deltas = 1 + sum(file["deltas"] for file in last.lookup[kind])
    return [{"path": _texts_path(kind, sequence), "deltas": deltas}, dict(last.lookup[kind][-1])]


def _texts_path(kind: str, sequence: int) -> str:
    return f"{LOOKUP_FOLDER}/{kind}-{sequence:04d}.npy"


def _files_of(lookup: Mapping[str, Sequence[Mapping[str, Any]]]) -> set[str]:
    """Every file that look-ups read, and the files of text ids."""
    paths = {file["path"] for keyspace in KEYSPACES for file in lookup[keyspace]}
    texts = {file["path"] for kind in TEXT_TABLES for file in lookup[kind]}
    return paths | texts | {beside(path) for path in texts for beside in (offsets_path, text_ids_path)}


def _to_merge(keyspace: str, files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The `files` (the newest first, the base last) that the new one replaces."""
    of_deltas = files[:-1]
    if keyspace != KEYSPACES[0]:
        return list(of_deltas)
    single = [file for file in of_deltas if file["deltas"] == 1]
    return list(of_deltas[: len(single)]) if len(single) >= MERGED_DELTAS - 1 else []


def _start_from(path: Path, newest_first: Sequence[Path]) -> None:
    """Fills the file at `path` with the values of older files, the newest of each key.

    It reads copies: a process can open an LMDB file only once, and this process may be serving it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    oldest_first = list(reversed(newest_first))
    if oldest_first:
        shutil.copyfile(oldest_first[0], path)
    for source in oldest_first[1:]:
        copy = path.with_suffix(".copy")
        shutil.copyfile(source, copy)
        with LookupFileWriter(path) as file:
            for pairs in _raw_values(copy):
                file.put_raw(pairs)
        copy.unlink()


def _raw_values(path: Path) -> Iterator[list[tuple[bytes, bytes]]]:
    with (
        lmdb.open(str(path), subdir=False, readonly=True, lock=False) as environment,
        environment.begin() as transaction,
        transaction.cursor() as cursor,
    ):
        pairs: list[tuple[bytes, bytes]] = []
        for key, value in cursor:
            pairs.append((key, value))
            if len(pairs) == _BATCH_VALUES:
                yield pairs
                pairs = []
        yield pairs


def _write_changed(
    file: LookupFileWriter, table: str, change: TableDelta, old: duckdb.DuckDBPyConnection, text_ids: TextIds
) -> None:
    """Writes the values of changed keys, made from their rows alone."""
    if table == "digests":
        file.put_gone(DIGEST_PREFIX, _dated_digests(change, old))
    for prefix in prefixes_of(table):
        file.put_gone(prefix, change.removed.to_list())
    if not len(change.rows):
        return
    rows = change.rows.select(list(TABLES[table]))
    if table == "feeds":
        # A feed that lost its items has no components any more.
        file.put_gone(COMPONENTS_PREFIX, change.rows[KEYS[table][0]].to_list())
        for some in rows.iter_slices(_BATCH_FEEDS):
            write_values(file, some.to_arrow(), text_ids)
        return
    if table == "jobs":
        changed = change.rows.select("job_id")
        file.put_text_ids(changed.join(text_ids.jobs, on="job_id", maintain_order="left").select("number", "job_id"))
    for prefix, values in values_of_rows(table, rows):
        file.put(prefix, values)


def _dated_digests(change: TableDelta, old: duckdb.DuckDBPyConnection) -> list[str]:
    """The keys by date of all digests that the changed users had; digests that they still have are written again."""
    key = KEYS["digests"][0]
    users = [*change.removed.to_list(), *(change.rows[key].unique().to_list() if len(change.rows) else [])]
    rows = old.sql(
        "select user_id, strftime(digest_date, '%Y-%m-%d') from digests where list_contains($users, user_id)",
        params={"users": users},
    ).fetchall()
    return [KEY_SEPARATOR.join(row) for row in rows]


def _write_differing(
    file: LookupFileWriter, prefix: str, old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection
) -> None:
    """The values of a small table that differ from the last generation's, and the keys that are gone."""
    before, now = (pl.concat([_NO_VALUES, *values_of(con, prefix)]) for con in (old, new))
    file.put_gone(prefix, before.join(now, on="id", how="anti", maintain_order="left")["id"].to_list())
    file.put(prefix, now.join(before, on=["id", "value"], how="anti", maintain_order="left"))


def _write_differing_fallbacks(
    file: LookupFileWriter,
    old: duckdb.DuckDBPyConnection,
    new: duckdb.DuckDBPyConnection,
    text_ids: TextIds,
    *,
    as_of: dt.datetime,
) -> None:
    """The fallback feeds that differ from the last generation's, and the segments that are gone."""
    query = "select segment, hash(items) as print from fallback_feeds"
    before, now = old.sql(query).pl(), new.sql(query).pl()
    file.put_gone(FALLBACK_PREFIX, before.join(now, on="segment", how="anti")["segment"].to_list())
    differing = now.join(before, on=["segment", "print"], how="anti")["segment"].to_list()
    rows = new.sql(
        "select * from fallback_feeds where list_contains($segments, segment) order by segment",
        params={"segments": differing},
    )
    write_fallback_values(file, rows.to_arrow_table(), text_ids, as_of=as_of)
