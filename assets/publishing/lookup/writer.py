"""Writes look-up files (LMDB): the rows of the tables by key. serving/contract/keys.py describes keys and values."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Self

import duckdb
import lmdb
import numpy as np
import polars as pl
import zstandard

from assets.ahead import ahead
from assets.publishing.lookup.json_values import VALUES, json_values
from assets.sql import query_text
from serving.contract import keys

_MAP_SIZE_BYTES = 1 << 40  # address space, not disk
_BATCH_ROWS = 2048
_LEVEL = 3
# Shorter values gain less than decompression costs. A page reads dozens of job cards: they are not compressed.
_COMPRESSED_FROM_BYTES = 1024
_DICTIONARY_BYTES = 64 << 10
_DICTIONARY_SAMPLES = 1000
_LEAST_SAMPLE_BYTES = 20 * _DICTIONARY_BYTES
_FULL_BYTES = 16 << 20  # less is left for the next write of a batch

# Prefix -> the query in sql/publish/ that makes its values, and the tables that it reads.
QUERIES: Mapping[str, tuple[str, Sequence[str]]] = {
    keys.COMPANY_PREFIX: ("lookup_companies", ("company_profiles",)),
    keys.DOCUMENT_PREFIX: (
        "lookup_documents",
        (
            "market_trends",
            "skill_demand",
            "metrics",
            "reason_templates",
            "recipes",
            "display_names",
            "company_profiles",
        ),
    ),
    keys.NEARBY_PREFIX: ("lookup_nearby", ("nearby",)),
    keys.SIMILAR_PREFIX: ("lookup_similar", ("similar_jobs",)),
    keys.TRENDING_PREFIX: ("lookup_trending", ("trending",)),
}
# Table -> prefixes of the packed values that are made from it; they hold text ids of jobs and reasons.
PACKED: Mapping[str, Sequence[str]] = {
    "feeds": (keys.FEED_PREFIX, keys.COMPONENTS_PREFIX),
    "fallback_feeds": (keys.FALLBACK_PREFIX,),
    "jobs": (keys.JOB_PREFIX,),
}

Stored = bytes | memoryview


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Raises errors of LMDB as OSError. It calls what a full disk leaves unwritten an input/output error."""
    try:
        yield
    except lmdb.Error as error:
        if shutil.disk_usage(path.parent).free < _FULL_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise OSError(errno.EIO, str(error).strip(), str(path)) from error


class LookupFileWriter:
    """A look-up file being written: `put` batches, leave the context, and it is on disk.

    Raises OSError if the disk is full or fails.
    """

    def __init__(self, path: Path, dictionary: bytes | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.n_keys = 0
        self._dictionary = dictionary
        self._compressor = _compressor(dictionary)
        with _disk_errors(path):
            self._environment = lmdb.open(
                str(path),
                map_size=_MAP_SIZE_BYTES,
                subdir=False,
                lock=False,
                metasync=False,
                sync=False,
                writemap=False,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            if self._dictionary is not None:
                self.put_raw([(keys.DICTIONARY_KEY, self._dictionary)])
            with _disk_errors(self._path):
                self._environment.sync(True)
        self._environment.close()

    @property
    def dictionary(self) -> bytes | None:
        """What long values are compressed with: given or learned."""
        return self._dictionary

    def learn(self, samples: Sequence[str]) -> None:
        """Learns a dictionary from values like those that will be put, before any is put."""
        self._dictionary = train_dictionary([sample.encode() for sample in samples])
        self._compressor = _compressor(self._dictionary)

    def put(self, prefix: str, values: pl.DataFrame) -> None:
        """Adds JSON values: columns id, value, and maybe other_id, another id of the same value or null."""
        self.put_raw(self.stored(prefix, values))

    def stored(self, prefix: str, values: pl.DataFrame) -> list[tuple[bytes, Stored]]:
        """The key and the stored bytes of each of these values, for `put_raw`."""
        if values.is_empty():
            return []
        stored = self._stored(values["value"])
        pairs = list(zip(values["id"].to_list(), stored, strict=True))
        if "other_id" in values.columns:
            others = zip(values["other_id"].to_list(), stored, strict=True)
            pairs += [(other, value) for other, value in others if other is not None]
        return [(keys.lookup_key(prefix, identifier), value) for identifier, value in pairs]

    def put_packed(self, prefix: str, pairs: Sequence[tuple[str, Stored]]) -> None:
        """Adds values that are not JSON."""
        self.put_raw([(keys.lookup_key(prefix, identifier), value) for identifier, value in pairs])

    def put_text_ids(self, jobs: pl.DataFrame) -> None:
        """Adds the text ids of jobs (number, job_id)."""
        text_ids = [str(text_id).encode() for text_id in jobs["number"].to_list()]
        self.put_packed(keys.JOB_PREFIX, list(zip(jobs["job_id"].to_list(), text_ids, strict=True)))

    def put_gone(self, prefix: str, identifiers: Iterable[str]) -> None:
        """Writes tombstones for keys of older files."""
        self.put_raw([(keys.lookup_key(prefix, identifier), b"") for identifier in identifiers])

    def put_raw(self, pairs: Sequence[tuple[bytes, Stored]]) -> None:
        """Adds or replaces values as they are stored."""
        if not pairs:
            return
        with (
            _disk_errors(self._path),
            self._environment.begin(write=True) as transaction,
            transaction.cursor() as cursor,
        ):
            cursor.putmulti(sorted(pairs, key=itemgetter(0)))
        self.n_keys += len(pairs)

    def _stored(self, values: pl.Series) -> list[Stored]:
        """The bytes of the values, the long ones compressed. No text of them becomes a Python string."""
        texts = values.to_arrow(compat_level=pl.CompatLevel.oldest())
        starts, body = np.frombuffer(texts.buffers()[1], np.int64), memoryview(texts.buffers()[2] or b"")
        lengths = np.diff(starts)
        stored: list[Stored] = [
            body[start:end] for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
        ]
        long = np.flatnonzero(lengths >= _COMPRESSED_FROM_BYTES)
        if len(long):
            segments = zstandard.BufferWithSegments(body, np.column_stack([starts[long], lengths[long]]).tobytes())
            frames = self._compressor.multi_compress_to_buffer(segments, threads=-1)
            for frame, place in enumerate(long.tolist()):
                stored[place] = frames[frame].tobytes()
        return stored


def write_prefix(file: LookupFileWriter, con: duckdb.DuckDBPyConnection, prefix: str) -> None:
    """Adds the values of `prefix`, read from the tables that `con` has."""
    for values in ahead(values_of(con, prefix)):
        file.put(prefix, values)


def prefixes_of(table: str) -> list[str]:
    """The prefixes of the values that are made from this table."""
    queried = [prefix for prefix, (_, tables) in QUERIES.items() if table in tables]
    return [*(prefix for prefix, (of, _) in VALUES.items() if of == table), *queried, *PACKED.get(table, ())]


def values_of_rows(table: str, rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each prefix of JSON values that is made from `table`, and its values of these rows: all rows of each key."""
    for prefix in prefixes_of(table):
        if prefix in VALUES:
            yield prefix, json_values(prefix, rows)
        elif prefix in QUERIES:
            with duckdb.connect() as con:
                con.register(table, rows.to_arrow())
                for values in values_of(con, prefix):
                    yield prefix, values


def values_of(con: duckdb.DuckDBPyConnection, prefix: str) -> Iterator[pl.DataFrame]:
    """Batches of the columns id and value of a prefix in QUERIES, from the tables that `con` has."""
    for batch in con.sql(query_text(f"publish/{QUERIES[prefix][0]}")).to_arrow_reader(_BATCH_ROWS):
        yield pl.DataFrame(batch)


def train_dictionary(values: Sequence[bytes]) -> bytes | None:
    """A compression dictionary of what values have in common; None if there are too few to learn from."""
    step = max(1, len(values) // _DICTIONARY_SAMPLES)
    samples: list[bytes | bytearray | memoryview] = list(values[::step])
    if sum(len(sample) for sample in samples) < _LEAST_SAMPLE_BYTES:
        return None
    return bytes(zstandard.train_dictionary(_DICTIONARY_BYTES, samples).as_bytes())


def _compressor(dictionary: bytes | None) -> zstandard.ZstdCompressor:
    made = zstandard.ZstdCompressionDict(dictionary) if dictionary is not None else None
    return zstandard.ZstdCompressor(level=_LEVEL, dict_data=made, write_checksum=True, write_content_size=True)
