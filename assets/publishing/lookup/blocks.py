"""Reads tables block by block, so that memory is bounded by a block."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_BATCH_ROWS = 2048
_BLOCK_BYTES = 32 << 20
_KEY_BATCH_BYTES, _KEY_BATCH_ROWS = 8 << 20, 16_384  # at most, so that a block is not much larger than it should be


def key_blocks(path: Path, key: str) -> Iterator[pa.Table]:
    """The rows of a file sorted by `key` in blocks of about 32 MB; all rows of a key value are in one block."""
    pending: list[pa.RecordBatch] = []
    n_bytes = 0
    with pq.ParquetFile(path) as file:
        for read in file.iter_batches(batch_size=_rows_of_batch(file.metadata)):
            batch = read
            if n_bytes >= _BLOCK_BYTES:
                kept = _rows_of_first_key(batch, key, pending[-1].column(key)[-1])
                if kept < batch.num_rows:
                    yield pa.Table.from_batches([*pending, batch.slice(0, kept)])
                    pending, n_bytes, batch = [], 0, batch.slice(kept)
            if batch.num_rows:
                pending.append(batch)
                n_bytes += batch.nbytes  # slow for nested columns: asked once a batch
    if pending:
        yield pa.Table.from_batches(pending)


def rows_in_batches(files: Iterable[Path], columns: list[str], n_rows: int) -> Iterator[pa.Table]:
    """`columns` of the files, `n_rows` at a time regardless of files and row groups."""
    pending: list[pa.Table] = []
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=min(n_rows, _BATCH_ROWS), columns=columns):
                pending.append(pa.Table.from_batches([batch]))
                if sum(part.num_rows for part in pending) >= n_rows:
                    table = pa.concat_tables(pending)
                    yield table.slice(0, n_rows)
                    pending = [table.slice(n_rows)]
    if sum(part.num_rows for part in pending):
        yield pa.concat_tables(pending)


def _rows_of_batch(metadata: pq.FileMetaData) -> int:
    """How many rows are read at once: each batch costs some time, and a digest has 30 kB, an event 150 bytes."""
    n_bytes = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    n_rows: int = metadata.num_rows * _KEY_BATCH_BYTES // max(1, n_bytes)
    return max(1, min(_KEY_BATCH_ROWS, n_rows))


def _rows_of_first_key(batch: pa.RecordBatch, key: str, value: pa.Scalar) -> int:
    """The number of rows at the start of `batch` that have `value` in the column `key`."""
    wanted = value.as_py()
    return next((n for n, found in enumerate(batch.column(key).to_pylist()) if found != wanted), batch.num_rows)
