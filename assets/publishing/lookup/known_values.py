"""Values that need not be made again: those of the last generation whose rows are still the same.

Most users have the same applications and digests from day to day, and to make their values costs several times what it
costs to read and hash the rows. So a full generation keeps prints: for each id of PRINTED_TABLES a hash of its rows.
The next full generation copies the stored values of ids with equal prints from the base look-up file of the last one.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

    `dictionary`: what the known values are compressed with; new ones must be compressed with it too.
    """

    dictionary: bytes | None = None
    values: lmdb.Cursor | None = None
    prints: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    made: dict[str, list[pl.DataFrame]] = field(default_factory=dict)

    def split(self, table: str, rows: pl.DataFrame) -> tuple[list[tuple[bytes, Stored]], pl.DataFrame]:
        """Keys and stored values that are known, and the rows whose values must be made.

        `rows` hold all rows of each id. The values may be used as long as `known_values` is open.
        """
        if table not in PRINTED_TABLES:
            return [], rows
        key = tables.KEYS[table][0]
        prints = rows.select(id=key, print=rows.hash_rows()).group_by("id", maintain_order=True).agg(pl.sum("print"))
        self.made.setdefault(table, []).append(prints)
        if self.values is None:
            return [], rows
        same = prints.join(self.prints[table], on=["id", "print"], how="semi")["id"]
        is_same = pl.col(key).is_in(same.implode())
        prefix = next(prefix for prefix in prefixes_of(table) if prefix in json_values.VALUES)
        wanted = [keys.lookup_key(prefix, found) for found in value_ids(prefix, rows.filter(is_same))]
        found = self.values.getmulti(wanted)
        if len(found) != len(wanted):
            return [], rows
        return [(name, value) for name, (_, value) in zip(wanted, found, strict=True)], rows.filter(~is_same)

    def write_prints(self, folder: Path) -> None:
        """Writes the prints of what was split into the generation's `folder`."""
        for table in PRINTED_TABLES:
            path = folder / _path(table)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_parquet(pl.concat([pl.DataFrame(schema=_SCHEMA), *self.made.get(table, [])]), path)


@contextmanager
def known_values(published: Path, last: Manifest | None) -> Iterator[KnownValues]:
    """The values of `last`; none if other code made them, or a file of them is not as it was published."""
    if last is None or not _is_whole(published, last):
        yield KnownValues()
        return
    folder = published / last.generation
    try:
        environment = lmdb.open(str(folder / LOOKUP), subdir=False, readonly=True, lock=False)
    except lmdb.Error:  # this process serves the file, and can't open it twice
        yield KnownValues()
        return
    dictionary = (folder / DICTIONARY_FILE).read_bytes() if DICTIONARY_FILE in last.files else None
    prints = {table: pl.read_parquet(folder / _path(table), glob=False) for table in PRINTED_TABLES}
    with environment, environment.begin(buffers=True) as transaction, transaction.cursor() as cursor:
        yield KnownValues(dictionary, cursor, prints)


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
