"""Feeds read block by block, without what look-ups and checks don't need, so that memory is bounded by a block."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# Parquet lets nested fields be read alone; the component values are half of a feed's bytes.
_ITEM_FIELDS = ("rank", "job_id", "score", "confidence", "seen", "explored", "propensity", "reasons")
COLUMNS = (
    "user_id", "generated_at", "recipe", "arm", "source", *(f"items.list.element.{name}" for name in _ITEM_FIELDS),
)  # fmt: skip
_BLOCK_USERS = 16_384
_BATCH_USERS = 4_096


def blocks(files: Sequence[Path]) -> Iterator[pa.Table]:
    """The feeds in `files` without components, at most about 20,000 users at a time."""
    batches: list[pa.RecordBatch] = []
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_USERS, columns=list(COLUMNS)):
                batches.append(batch)
                if sum(batch.num_rows for batch in batches) >= _BLOCK_USERS:
                    yield pa.Table.from_batches(batches)
                    batches = []
    if batches:
        yield pa.Table.from_batches(batches)


def empty_block() -> pa.Table:
    """No feeds, with the columns of a block."""
    item = pa.struct(
        [
            ("rank", pa.int16()),
            ("job_id", pa.string()),
            ("score", pa.float32()),
            ("confidence", pa.float32()),
            ("seen", pa.bool_()),
            ("explored", pa.bool_()),
            ("propensity", pa.float32()),
            ("reasons", pa.list_(pa.struct([("code", pa.string()), ("ref", pa.string()), ("value", pa.float32())]))),
        ]
    )
    columns = [(name, pa.string()) for name in ("user_id", "recipe", "arm", "source")]
    return pa.schema(
        [*columns, ("generated_at", pa.timestamp("us", tz="UTC")), ("items", pa.list_(item))]
    ).empty_table()
