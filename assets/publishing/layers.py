"""The look-up files that a generation of changes puts on top of those that it shares, and when they are merged.

Values of users: one file for each delta; eight of these become one. Values of jobs and of everything else: one file for
all deltas since the base, because a feed asks for fifty jobs but for one user.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import lmdb

from assets.publishing.changes import Change
from assets.publishing.feeds import write_values
from assets.publishing.generations import Manifest
from assets.publishing.lookup import QUERIES, LookupFile, prefixes_of, values_of, write_rows
from assets.publishing.tables import OWNED
from serving.contract import (
    COMPONENTS_PREFIX,
    DICTIONARY_FILE,
    DIGEST_PREFIX,
    KEY_SEPARATOR,
    KEYS,
    LAYERS_FOLDER,
    STACKS,
    TABLES,
    stack_of,
)

MERGED_DELTAS = 8
_BATCH_VALUES = 4096


def write_layers(
    folder: Path,
    last: Manifest,
    changes: Mapping[str, Change],
    replaced: Mapping[str, Any],
    old: duckdb.DuckDBPyConnection,
    new: duckdb.DuckDBPyConnection,
    *,
    layer: int,
    as_of: str,
) -> dict[str, list[dict[str, Any]]]:
    """Writes the files of layer number `layer` into `folder`; returns the manifest's `lookup`.

    `old` and `new` have the tables of the last generation and of this one.
    """
    dictionary = folder / DICTIONARY_FILE
    body = dictionary.read_bytes() if dictionary.exists() else None
    touched = {prefix for prefix, (_, tables) in QUERIES.items() if any(t in changes or t in replaced for t in tables)}
    lookup: dict[str, list[dict[str, Any]]] = {}
    for stack in STACKS:
        prefixes = sorted(prefix for prefix in touched if stack_of(prefix) == stack)
        files = [dict(file) for file in last.lookup[stack]]
        lookup[stack] = files
        if not prefixes:
            continue
        merged = _to_merge(stack, files)
        path = folder / LAYERS_FOLDER / f"{stack}-{layer:04d}.mdb"
        _start_from(path, [folder / file["path"] for file in merged])
        with LookupFile(path, body) as file:
            for table, change in changes.items():
                if stack_of(prefixes_of(table)[0]) == stack:
                    _write_owned(file, table, change, old)
            for prefix in prefixes:
                if QUERIES[prefix][1][0] not in OWNED:
                    _write_differing(file, prefix, old, new, as_of=as_of)
        entry = {"path": str(path.relative_to(folder)), "deltas": 1 + sum(file["deltas"] for file in merged)}
        lookup[stack] = [entry, *files[len(merged) :]]
    for name in {f["path"] for files in last.lookup.values() for f in files}:
        if not any(name == file["path"] for files in lookup.values() for file in files):
            (folder / name).unlink()
    return lookup


def _to_merge(stack: str, files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Which of `files` (the newest first, the base last) the new one takes in."""
    layers = files[:-1]
    if stack != STACKS[0]:
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


def _write_owned(file: LookupFile, table: str, change: Change, old: duckdb.DuckDBPyConnection) -> None:
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
        write_values(file, rows)
    else:
        write_rows(file, table, rows)


def _dated_digests(change: Change, old: duckdb.DuckDBPyConnection) -> list[str]:
    """The keys by date of all digests that the changed users had; those that they still have are put again."""
    owner = KEYS["digests"][0]
    users = [*change.removed.to_list(), *(change.rows[owner].unique().to_list() if len(change.rows) else [])]
    rows = old.sql(
        "select user_id, strftime(digest_date, '%Y-%m-%d') from digests where list_contains($users, user_id)",
        params={"users": users},
    ).fetchall()
    return [KEY_SEPARATOR.join(row) for row in rows]


def _write_differing(
    file: LookupFile, prefix: str, old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection, *, as_of: str
) -> None:
    """The values of a small table that differ from the last generation's, and the keys that are gone."""
    before = {key: value for pairs in values_of(old, prefix, as_of=as_of) for key, value in pairs}
    now = {key: value for pairs in values_of(new, prefix, as_of=as_of) for key, value in pairs}
    file.put_gone(prefix, [key for key in before if key not in now])
    file.put(prefix, [(key, value) for key, value in now.items() if before.get(key) != value])
