"""The generation's look-up file (LMDB): the rows of its database again, by key, for the service."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import lmdb

import serving.contract as contract
from serving.contract import lookup_key

_SQL = Path(__file__).resolve().parent.parent.parent / "sql" / "publish"
_MAP_SIZE_BYTES = 1 << 40  # address space, not disk
_BATCH_ROWS = 4096

_QUERIES = {
    contract.DIGEST_PREFIX: "lookup_digests",
    contract.DOCUMENT_PREFIX: "lookup_documents",
    contract.FALLBACK_PREFIX: "lookup_fallback_feeds",
    contract.FEED_PREFIX: "lookup_feeds",
    contract.JOB_DETAIL_PREFIX: "lookup_details",
    contract.JOB_PREFIX: "lookup_jobs",
    contract.NEARBY_PREFIX: "lookup_nearby",
    contract.PREFERENCES_PREFIX: "lookup_preferences",
    contract.SIMILAR_PREFIX: "lookup_similar",
    contract.SKILL_GAPS_PREFIX: "lookup_skill_gaps",
    contract.TRENDING_PREFIX: "lookup_trending",
}


def write_lookup(path: Path, database: Path, *, as_of: str, memory_limit: str) -> int:
    """Writes the look-up file at `path` from the finished `database`; returns the number of keys."""
    n_keys = 0
    environment = lmdb.open(
        str(path), map_size=_MAP_SIZE_BYTES, subdir=False, lock=False, metasync=False, sync=False, writemap=False
    )
    config: dict[str, str | bool | int | float | list[str]] = {"memory_limit": memory_limit}
    with environment, duckdb.connect(str(database), read_only=True, config=config) as con:
        for prefix, query in _QUERIES.items():
            for rows in _batches(con, query, as_of=as_of):
                pairs = [(lookup_key(prefix, identifier), value.encode()) for identifier, value in rows]
                with environment.begin(write=True) as transaction, transaction.cursor() as cursor:
                    cursor.putmulti(pairs)
                n_keys += len(pairs)
        environment.sync(True)
    return n_keys


def _batches(con: duckdb.DuckDBPyConnection, query: str, *, as_of: str) -> Iterator[list[tuple[str, str]]]:
    text = (_SQL / f"{query}.sql").read_text(encoding="utf-8")
    relation = con.sql(text, params={"as_of": as_of}) if "$as_of" in text else con.sql(text)
    for batch in relation.to_arrow_reader(_BATCH_ROWS):
        identifiers, values = batch.column(0).to_pylist(), batch.column(1).to_pylist()
        yield list(zip(identifiers, values, strict=True))
