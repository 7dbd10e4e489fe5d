"""Writes look-up files (LMDB): the rows of the tables by key. serving/contract/keys.py describes keys and values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import duckdb
import lmdb
import polars as pl
import pyarrow as pa
import zstandard

from assets.ahead import ahead
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

# Prefix -> the query in sql/publish/ that makes its values, and the tables that it reads.
QUERIES: Mapping[str, tuple[str, Sequence[str]]] = {
    keys.APPLICATIONS_PREFIX: ("lookup_applications", ("applications",)),
    keys.APPLICATION_EVENTS_PREFIX: ("lookup_application_events", ("application_events",)),
    keys.COMPANY_PREFIX: ("lookup_companies", ("company_profiles",)),
    keys.APPLICATION_FUNNEL_PREFIX: ("lookup_application_funnel", ("application_funnel",)),
    keys.DIGEST_PREFIX: ("lookup_digests", ("digests",)),
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
    keys.FOLLOW_UPS_PREFIX: ("lookup_follow_ups", ("follow_ups",)),
    keys.INTERVIEWS_PREFIX: ("lookup_interviews", ("interviews",)),
    keys.JOB_DETAIL_PREFIX: ("lookup_details", ("jobs",)),
    keys.MATCHES_PREFIX: ("lookup_matches", ("matches",)),
    keys.NEARBY_PREFIX: ("lookup_nearby", ("nearby",)),
    keys.OFFERS_PREFIX: ("lookup_offers", ("offers",)),
    keys.PREFERENCES_PREFIX: ("lookup_preferences", ("preferences",)),
    keys.SIMILAR_PREFIX: ("lookup_similar", ("similar_jobs",)),
    keys.SKILL_GAPS_PREFIX: ("lookup_skill_gaps", ("skill_gaps",)),
    keys.LEARNING_PLANS_PREFIX: ("lookup_learning_plans", ("learning_plans",)),
    keys.SKILL_PROGRESS_PREFIX: ("lookup_skill_progress", ("skill_progress",)),
    keys.TRENDING_PREFIX: ("lookup_trending", ("trending",)),
}
# Table -> prefixes of the packed values that are made from it; they hold text ids of jobs and reasons.
PACKED: Mapping[str, Sequence[str]] = {
    "feeds": (keys.FEED_PREFIX, keys.COMPONENTS_PREFIX),
    "fallback_feeds": (keys.FALLBACK_PREFIX,),
    "jobs": (keys.JOB_PREFIX,),
}

Pairs = Sequence[tuple[str, str]]


class LookupFileWriter:
    """A look-up file being written: `put` batches, leave the context, and it is on disk."""

    def __init__(self, path: Path, dictionary: bytes | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.n_keys = 0
        self._dictionary = dictionary
        self._compressor = _compressor(dictionary)
        self._environment = lmdb.open(
            str(path), map_size=_MAP_SIZE_BYTES, subdir=False, lock=False, metasync=False, sync=False, writemap=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            if self._dictionary is not None:
                self.put_raw([(keys.DICTIONARY_KEY, self._dictionary)])
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

    def put(self, prefix: str, pairs: Pairs) -> None:
        """Adds JSON values by the identifiers of `prefix`."""
        values = self._compressed([value for _, value in pairs])
        self.put_raw(list(zip((keys.lookup_key(prefix, identifier) for identifier, _ in pairs), values, strict=True)))

    def put_packed(self, prefix: str, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Adds values that are not JSON."""
        self.put_raw([(keys.lookup_key(prefix, identifier), value) for identifier, value in pairs])

    def put_text_ids(self, jobs: pl.DataFrame) -> None:
        """Adds the text ids of jobs (number, job_id)."""
        text_ids = [str(text_id).encode() for text_id in jobs["number"].to_list()]
        self.put_packed(keys.JOB_PREFIX, list(zip(jobs["job_id"].to_list(), text_ids, strict=True)))

    def put_gone(self, prefix: str, identifiers: Iterable[str]) -> None:
        """Writes tombstones for keys of older files."""
        self.put_raw([(keys.lookup_key(prefix, identifier), b"") for identifier in identifiers])

    def put_raw(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Adds or replaces values as they are stored."""
        with self._environment.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti(sorted(pairs))
        self.n_keys += len(pairs)

    def _compressed(self, values: Sequence[str]) -> list[bytes]:
        """The bytes of the values. A text that several identifiers share is encoded and compressed once."""
        made = {id(value): value.encode() for value in {id(value): value for value in values}.values()}
        large = [key for key, value in made.items() if len(value) >= _COMPRESSED_FROM_BYTES]
        if large:
            frames = self._compressor.multi_compress_to_buffer([made[key] for key in large], threads=-1)
            made |= {key: frames[frame].tobytes() for frame, key in enumerate(large)}
        return [made[id(value)] for value in values]


def write_prefix(file: LookupFileWriter, con: duckdb.DuckDBPyConnection, prefix: str) -> None:
    """Adds the values of `prefix`, read from the tables that `con` has."""
    for pairs in ahead(values_of(con, prefix)):
        file.put(prefix, pairs)


def prefixes_of(table: str) -> list[str]:
    """The prefixes of the values that are made from this table."""
    return [prefix for prefix, (_, tables) in QUERIES.items() if table in tables] + list(PACKED.get(table, ()))


def write_rows(file: LookupFileWriter, table: str, rows: pa.Table) -> None:
    """Adds the JSON values of every prefix that is made from `table`, from these rows: all rows of each key."""
    with duckdb.connect() as con:
        con.register(table, rows)
        for prefix in prefixes_of(table):
            if prefix in QUERIES:
                write_prefix(file, con, prefix)


def sample_values(table: str, prefix: str, rows: pa.Table) -> list[str]:
    """The JSON values of `prefix` of these rows of the table."""
    with duckdb.connect() as con:
        con.register(table, rows)
        return [value for pairs in values_of(con, prefix) for _, value in pairs]


def values_of(con: duckdb.DuckDBPyConnection, prefix: str) -> Iterator[Pairs]:
    """Batches of identifier and JSON of `prefix`, from the tables that `con` has.

    A third column of the query holds other identifiers of the same values, null where there are none.
    """
    for batch in con.sql(query_text(f"publish/{QUERIES[prefix][0]}")).to_arrow_reader(_BATCH_ROWS):
        values = batch.column(1).to_pylist()
        pairs = list(zip(batch.column(0).to_pylist(), values, strict=True))
        for others in batch.columns[2:]:
            named = zip(others.to_pylist(), values, strict=True)
            pairs += [(identifier, value) for identifier, value in named if identifier is not None]
        yield pairs


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
