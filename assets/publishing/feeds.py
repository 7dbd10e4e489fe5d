"""Feeds read block by block for look-ups and checks, so that memory is bounded by a block."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.publishing.components import packed
from assets.publishing.lookup import LookupFile, write_prefix
from serving.contract import COMPONENTS_PREFIX, FEED_PREFIX, TABLES

_BLOCK_USERS = 16_384
_BATCH_USERS = 4_096


def blocks(files: Sequence[Path]) -> Iterator[pa.Table]:
    """The feeds in `files`, at most about 20,000 users at a time."""
    batches: list[pa.RecordBatch] = []
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_USERS, columns=list(TABLES["feeds"])):
                batches.append(batch)
                if sum(batch.num_rows for batch in batches) >= _BLOCK_USERS:
                    yield pa.Table.from_batches(batches)
                    batches = []
    if batches:
        yield pa.Table.from_batches(batches)


def write_values(file: LookupFile, block: pa.Table) -> None:
    """Adds the look-up values of the feeds in `block`."""
    with duckdb.connect() as con:
        con.register("feeds", without_components(block))
        write_prefix(file, con, FEED_PREFIX, as_of="")
    file.put_packed(COMPONENTS_PREFIX, packed(block))


def without_components(block: pa.Table) -> pa.Table:
    """The same feeds, the items without their components: SQL over them costs a third."""
    chunks = []
    for items in block.column("items").chunks:
        flat = items.flatten()
        names = [field.name for field in flat.type if field.name != "components"]
        kept = pa.StructArray.from_arrays([flat.field(name) for name in names], names)
        offsets = pc.subtract(items.offsets, items.offsets[0])
        chunks.append(type(items).from_arrays(offsets, kept))
    place = block.schema.get_field_index("items")
    return block.set_column(place, "items", pa.chunked_array(chunks)) if chunks else block
