"""Tables read block by block, all rows of an owner in one, so that memory is bounded by a block."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_BATCH_ROWS = 2048
_BLOCK_BYTES = 64 << 20


def key_blocks(path: Path, owner: str) -> Iterator[pa.Table]:
    """The rows of a file sorted by `owner`, cut where one owner follows another once 64 MB are read."""
    pending: list[pa.RecordBatch] = []
    with pq.ParquetFile(path) as file:
        for read in file.iter_batches(batch_size=_BATCH_ROWS):
            batch = read
            if sum(part.nbytes for part in pending) >= _BLOCK_BYTES:
                kept = _rows_of_first_owner(batch, owner, pending[-1].column(owner)[-1])
                if kept < batch.num_rows:
                    yield pa.Table.from_batches([*pending, batch.slice(0, kept)])
                    pending, batch = [], batch.slice(kept)
            if batch.num_rows:
                pending.append(batch)
    if pending:
        yield pa.Table.from_batches(pending)


def rows_in_batches(path: Path, columns: list[str], n_rows: int) -> Iterator[pa.Table]:
    """`columns` of a file, `n_rows` at a time whatever its row groups are."""
    pending: pa.Table | None = None
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=n_rows, columns=columns):
            table = pa.Table.from_batches([batch])
            pending = table if pending is None else pa.concat_tables([pending, table])
            while pending.num_rows >= n_rows:
                yield pending.slice(0, n_rows)
                pending = pending.slice(n_rows)
    if pending is not None and pending.num_rows:
        yield pending


def _rows_of_first_owner(batch: pa.RecordBatch, owner: str, value: pa.Scalar) -> int:
    """How many rows at the start of `batch` are still those of the owner `value`."""
    wanted = value.as_py()
    return next((n for n, found in enumerate(batch.column(owner).to_pylist()) if found != wanted), batch.num_rows)
