"""Values that need not be made again: those of the last generation whose rows are still the same.

Most users have the same applications and digests from day to day, and to make their values costs several times what it
costs to read and hash the rows. So a full generation keeps prints: for each id of PRINTED_TABLES a hash of its rows.
The next full generation copies the stored values of ids with equal prints from the base look-up file of the last one.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import lmdb
import polars as pl

from assets.lake import write_parquet
from assets.publishing.lookup import json_values
from assets.publishing.lookup.json_values import value_ids
from assets.publishing.lookup.writer import Stored, prefixes_of
from serving.contract import generation, keys, tables
from serving.contract.generation import DICTIONARY_FILE, LOOKUP, Manifest, sha256_of

# Tables of which most ids keep their rows for a day; the values of each have one prefix of VALUES.
PRINTED_TABLES = (
    "digests", "applications", "application_events", "application_funnel", "interviews", "offers", "follow_ups",
    "jobs",
)  # fmt: skip
_FOLDER = "prints"
_SCHEMA = {"id": pl.String, "print": pl.UInt64}


@dataclass
class KnownValues:
    """What can be copied, and the prints of what is published now.

    `dictionary`: what the known values are compressed with; new ones must be compressed with it too. `file`: the
    look-up file that has them, None for none.
    """

    dictionary: bytes | None = None
    file: Path | None = None
    prints: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    made: dict[str, list[pl.DataFrame]] = field(default_factory=dict)

    def split(self, table: str, rows: pl.DataFrame) -> tuple[list[tuple[bytes, Stored]], pl.DataFrame]:
        """Keys and stored values that are known, and the rows whose values must be made.

        `rows` hold all rows of each id.
        """
        if table not in PRINTED_TABLES:
            return [], rows
        key = tables.KEYS[table][0]
        prints = rows.select(id=key, print=rows.hash_rows()).group_by("id", maintain_order=True).agg(pl.sum("print"))
        self.made.setdefault(table, []).append(prints)
        if self.file is None:
            return [], rows
        same = prints.join(self.prints[table], on=["id", "print"], how="semi")["id"]
        is_same = pl.col(key).is_in(same.implode())
        prefix = next(prefix for prefix in prefixes_of(table) if prefix in json_values.VALUES)
        wanted = [keys.lookup_key(prefix, found) for found in value_ids(prefix, rows.filter(is_same))]
        found = _values(self.file, wanted)
        return (found, rows.filter(~is_same)) if len(found) == len(wanted) else ([], rows)

    def write_prints(self, folder: Path) -> None:
        """Writes the prints of what was split into the generation's `folder`."""
        for table in PRINTED_TABLES:
            path = folder / _path(table)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_parquet(pl.concat([pl.DataFrame(schema=_SCHEMA), *self.made.get(table, [])]), path)


def known_values(published: Path, last: Manifest | None) -> KnownValues:
    """The values of `last`; none if other code made them, or a file of them is not as it was published."""
    if last is None or not _is_whole(published, last):
        return KnownValues()
    folder = published / last.generation
    try:
        _values(folder / LOOKUP, [])
    except lmdb.Error:  # this process serves the file, and can't open it twice
        return KnownValues()
    dictionary = (folder / DICTIONARY_FILE).read_bytes() if DICTIONARY_FILE in last.files else None
    prints = {table: pl.read_parquet(folder / _path(table), glob=False) for table in PRINTED_TABLES}
    return KnownValues(dictionary, folder / LOOKUP, prints)


def _values(path: Path, wanted: Sequence[bytes]) -> list[tuple[bytes, Stored]]:
    """Those of the wanted keys that the look-up file has, with their stored values.

    The file is mapped only meanwhile: what was read of a mapped file counts as memory of the process.
    """
    with (
        lmdb.open(str(path), subdir=False, readonly=True, lock=False) as environment,
        environment.begin() as transaction,
        transaction.cursor() as cursor,
    ):
        return list(cursor.getmulti(wanted))


def _is_whole(published: Path, last: Manifest) -> bool:
    """Whether the files of known values have their checksums, read through: a copy must not spread damage."""
    needed = [LOOKUP, *(_path(table) for table in PRINTED_TABLES)]
    if not last.files.keys() >= set(needed):
        return False
    needed += [DICTIONARY_FILE] if DICTIONARY_FILE in last.files else []
    folder = published / last.generation
    try:
        return all(sha256_of(folder / relative) == last.files[relative]["sha256"] for relative in needed)
    except OSError:
        return False


def _path(table: str) -> str:
    return f"{_FOLDER}/{_made_by()}/{table}.parquet"


@cache
def _made_by() -> str:
    """Differs between versions of the code that makes values and prints: the former are copied only if it is equal.

    Polars promises equal hashes of rows within a version only.
    """
    digest = hashlib.sha256(pl.__version__.encode())
    for module in (json_values, generation, keys, tables):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(repr({table: tables.TABLES[table] for table in PRINTED_TABLES}).encode())
    return digest.hexdigest()[:16]
