"""The look-up files that a generation of changes puts on top of those that it shares, and when they are merged.

Values of users: one file for each delta; eight of these become one. Values of jobs and of everything else: one file for
all deltas since the base, because a feed asks for fifty jobs but for one user.
"""

import datetime as dt
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import lmdb

from assets.publishing.delta_sources import NotComparableError, TableDelta
from assets.publishing.generations import Manifest
from assets.publishing.lookup.feed_values import write_fallback_values, write_values
from assets.publishing.lookup.files import QUERIES, LookupFile, prefixes_of, values_of, write_rows
from assets.publishing.lookup.text_tables import (
    TextIds,
    TextTableWriter,
    read_text_ids,
    templates_of,
    write_gone_jobs,
    write_job_texts,
)
from assets.publishing.tables import INCREMENTAL_TABLES
from serving.contract.generation import DICTIONARY_FILE, LOOKUP_FOLDER
from serving.contract.keys import (
    COMPONENTS_PREFIX,
    DIGEST_PREFIX,
    FALLBACK_PREFIX,
    KEY_SEPARATOR,
    KEYSPACES,
    keyspace_of,
)
from serving.contract.tables import KEYS, TABLES
from serving.contract.text_tables import TEXT_TABLES, offsets_path, text_ids_path

MERGED_DELTAS = 8
_BATCH_VALUES = 4096


def write_delta_lookup(
    folder: Path,
    last: Manifest,
    changes: Mapping[str, TableDelta],
    replaced: Mapping[str, Any],
    old: duckdb.DuckDBPyConnection,
    new: duckdb.DuckDBPyConnection,
    *,
    layer: int,
    as_of: dt.datetime,
) -> dict[str, list[dict[str, Any]]]:
    """Writes the files of layer number `layer` into `folder`; returns the manifest's `lookup`.

    `old` and `new` have the tables of the last generation and of this one. Raises NotComparableError where all texts
    of reasons changed.
    """
    if "reason_templates" in replaced:
        raise NotComparableError("the texts of reasons changed")
    dictionary = folder / DICTIONARY_FILE
    body = dictionary.read_bytes() if dictionary.exists() else None
    numbers, lookup = _write_numbered_jobs(folder, last, changes, templates_of(new), layer=layer)
    touched = {prefix for table in [*changes, *replaced] for prefix in prefixes_of(table)}
    for stack in KEYSPACES:
        prefixes = sorted(prefix for prefix in touched if keyspace_of(prefix) == stack)
        files = [dict(file) for file in last.lookup[stack]]
        lookup[stack] = files
        if not prefixes:
            continue
        merged = _to_merge(stack, files)
        path = folder / LOOKUP_FOLDER / f"{stack}-{layer:04d}.mdb"
        _start_from(path, [folder / file["path"] for file in merged])
        with LookupFile(path, body) as file:
            for table, change in changes.items():
                if keyspace_of(prefixes_of(table)[0]) == stack:
                    _write_owned(file, table, change, old, numbers)
            for prefix in prefixes:
                if prefix == FALLBACK_PREFIX:
                    _write_differing_fallbacks(file, old, new, numbers, as_of=as_of)
                elif prefix in QUERIES and QUERIES[prefix][1][0] not in INCREMENTAL_TABLES:
                    _write_differing(file, prefix, old, new)
        entry = {"path": str(path.relative_to(folder)), "deltas": 1 + sum(file["deltas"] for file in merged)}
        lookup[stack] = [entry, *files[len(merged) :]]
    if numbers.new_reasons:
        with _changed_texts(folder, last, "reasons", layer=layer) as texts:
            numbers.write_new_reasons(texts)
        lookup["reasons"] = _with_changes(last, "reasons", layer=layer)
    for relative in _files_of(last.lookup) - _files_of(lookup):
        (folder / relative).unlink()
    return lookup


def _write_numbered_jobs(
    folder: Path,
    last: Manifest,
    changes: Mapping[str, TableDelta],
    templates: Mapping[str, Mapping[str, str]],
    *,
    layer: int,
) -> tuple[TextIds, dict[str, list[dict[str, Any]]]]:
    """Writes the texts of jobs that changed; returns the numbers and the manifest's entries of numbered texts."""
    names = {
        kind: read_text_ids([folder / file["path"] for file in reversed(last.lookup[kind])]) for kind in TEXT_TABLES
    }
    lookup = {kind: [dict(file) for file in last.lookup[kind]] for kind in TEXT_TABLES}
    change = changes.get("jobs")
    if change is not None:
        with _changed_texts(folder, last, "jobs", layer=layer) as texts, duckdb.connect() as con:
            if len(change.rows):
                con.register("jobs", change.rows.to_arrow())
                names["jobs"] = write_job_texts(con, texts, names["jobs"])
            write_gone_jobs(texts, change.removed, names["jobs"])
        lookup["jobs"] = _with_changes(last, "jobs", layer=layer)
    return TextIds(names["jobs"], names["reasons"], templates), lookup


@contextmanager
def _changed_texts(folder: Path, last: Manifest, kind: str, *, layer: int) -> Iterator[TextTableWriter]:
    """The file of all numbered texts that changed since the base, those of the last generation already in it."""
    with TextTableWriter(folder / _texts_path(kind, layer), kind, is_base=False) as file:
        for earlier in last.lookup[kind][:-1]:
            file.copy(folder / earlier["path"])
        yield file


def _with_changes(last: Manifest, kind: str, *, layer: int) -> list[dict[str, Any]]:
    deltas = 1 + sum(file["deltas"] for file in last.lookup[kind])
    return [{"path": _texts_path(kind, layer), "deltas": deltas}, dict(last.lookup[kind][-1])]


def _texts_path(kind: str, layer: int) -> str:
    return f"{LOOKUP_FOLDER}/{kind}-{layer:04d}.npy"


def _files_of(lookup: Mapping[str, Sequence[Mapping[str, Any]]]) -> set[str]:
    """Every file that look-ups read, or that tells the pipeline what has which number."""
    paths = {file["path"] for stack in KEYSPACES for file in lookup[stack]}
    texts = {file["path"] for kind in TEXT_TABLES for file in lookup[kind]}
    return paths | texts | {beside(path) for path in texts for beside in (offsets_path, text_ids_path)}


def _to_merge(stack: str, files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Which of `files` (the newest first, the base last) the new one takes in."""
    layers = files[:-1]
    if stack != KEYSPACES[0]:
        return list(layers)
    single = [file for file in layers if file["deltas"] == 1]
    return list(layers[: len(single)]) if len(single) >= MERGED_DELTAS - 1 else []


def _start_from(path: Path, newest_first: Sequence[Path]) -> None:
    """Fills the file at `path` with the values of older layers, the newest of each key.

    Copies are read, because LMDB opens a file once in a process, and this may be one that serves it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    oldest_first = list(reversed(newest_first))
    if oldest_first:
        shutil.copyfile(oldest_first[0], path)
    for source in oldest_first[1:]:
        copy = path.with_suffix(".copy")
        shutil.copyfile(source, copy)
        with LookupFile(path) as file:
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


def _write_owned(
    file: LookupFile, table: str, change: TableDelta, old: duckdb.DuckDBPyConnection, numbers: TextIds
) -> None:
    """The values of changed owners, made from their rows alone."""
    if table == "digests":
        file.put_gone(DIGEST_PREFIX, _dated_digests(change, old))
    for prefix in prefixes_of(table):
        file.put_gone(prefix, change.removed.to_list())
    if not len(change.rows):
        return
    rows = change.rows.select(list(TABLES[table])).to_arrow()
    if table == "feeds":
        # A feed without items has no components, and may have had some.
        file.put_gone(COMPONENTS_PREFIX, change.rows[KEYS[table][0]].to_list())
        write_values(file, rows, numbers)
        return
    if table == "jobs":
        changed = change.rows.select("job_id")
        file.put_numbers(changed.join(numbers.jobs, on="job_id", maintain_order="left").select("number", "job_id"))
    write_rows(file, table, rows)


def _dated_digests(change: TableDelta, old: duckdb.DuckDBPyConnection) -> list[str]:
    """The keys by date of all digests that the changed users had; those that they still have are put again."""
    owner = KEYS["digests"][0]
    users = [*change.removed.to_list(), *(change.rows[owner].unique().to_list() if len(change.rows) else [])]
    rows = old.sql(
        "select user_id, strftime(digest_date, '%Y-%m-%d') from digests where list_contains($users, user_id)",
        params={"users": users},
    ).fetchall()
    return [KEY_SEPARATOR.join(row) for row in rows]


def _write_differing(
    file: LookupFile, prefix: str, old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection
) -> None:
    """The values of a small table that differ from the last generation's, and the keys that are gone."""
    before = {key: value for pairs in values_of(old, prefix) for key, value in pairs}
    now = {key: value for pairs in values_of(new, prefix) for key, value in pairs}
    file.put_gone(prefix, [key for key in before if key not in now])
    file.put(prefix, [(key, value) for key, value in now.items() if before.get(key) != value])


def _write_differing_fallbacks(
    file: LookupFile,
    old: duckdb.DuckDBPyConnection,
    new: duckdb.DuckDBPyConnection,
    numbers: TextIds,
    *,
    as_of: dt.datetime,
) -> None:
    """The fallback feeds that differ from the last generation's, and the segments that are gone."""
    query = "select segment, md5(to_json(items)::varchar) as print from fallback_feeds"
    before, now = old.sql(query).pl(), new.sql(query).pl()
    file.put_gone(FALLBACK_PREFIX, before.join(now, on="segment", how="anti")["segment"].to_list())
    differing = now.join(before, on=["segment", "print"], how="anti")["segment"].to_list()
    rows = new.sql(
        "select * from fallback_feeds where list_contains($segments, segment) order by segment",
        params={"segments": differing},
    )
    write_fallback_values(file, rows.to_arrow_table(), numbers, as_of=as_of)
