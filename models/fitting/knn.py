"""The largest entries of each row, of a sparse matrix or of the product of two."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy import sparse

from models.arrays import MICRO, Csr, CsrArrays, rank_within
from models.kernels.compiling import compiled
from models.kernels.heaps import heap_offer
from models.sort_keys import KeyLayout, descending_key, position_of_key, score_of_key

_BLOCK_ROWS = 8192
_KEY = KeyLayout(row=11, falling_score=21, column=31)
_KEY_BLOCK_ROWS = 1024


def largest_of_rows(values: Csr, k: int, *, largest: float = 1.0) -> Csr:
    """The `k` largest positive entries of each row, rounded to millionths of `largest`; equal ones by column.

    Row, score and column are packed into one integer each, which NumPy sorts ten times faster than three keys.
    """
    parts = []
    for start in range(0, values.shape[0], _KEY_BLOCK_ROWS):
        block = values[start : start + _KEY_BLOCK_ROWS]
        row = np.repeat(np.arange(block.shape[0], dtype=np.int64), np.diff(block.indptr))
        score = np.rint(np.clip(block.data.astype(np.float64) / largest, 0, 1) * MICRO).astype(np.int64)
        kept = score > 0
        keys = _KEY.pack(row=row[kept], falling_score=MICRO - score[kept], column=block.indices[kept])
        keys.sort()
        keys = keys[rank_within(_KEY.unpack(keys, "row")) < k]
        score = MICRO - _KEY.unpack(keys, "falling_score")
        part = sparse.csr_matrix(
            (
                (score * (largest / MICRO)).astype(np.float32),
                (_KEY.unpack(keys, "row"), _KEY.unpack(keys, "column")),
            ),
            shape=block.shape,
        )
        part.sort_indices()
        parts.append(part)
    return stack_rows(parts, values.shape)


def stack_rows(parts: list[Csr], shape: tuple[int, int]) -> Csr:
    """The parts stacked, with int64 `indptr` and int32 `indices`; an empty matrix of `shape` for no parts."""
    made = sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix(shape, dtype=np.float32)
    made.indptr, made.indices = made.indptr.astype(np.int64), made.indices.astype(np.int32)
    return made


def most_similar_rows(rows: Csr, columns: Csr, k: int, *, n_threads: int) -> Csr:
    """The `k` largest entries of each row of `rows @ columns` (n x n, products in [0, 1]), without the diagonal.

    `rows` (n x m) and `columns` (m x n) are float32. Returns CSR float32 with sorted columns. Scores are rounded to
    millionths; those that round to 0 are left out; equal ones keep the order of columns. The whole product is never
    built: it has thousands of entries per user, and all of them would have to be sorted.
    """
    n_rows = rows.shape[0]
    found = np.empty((n_rows, k), dtype=np.int32)
    scores = np.empty((n_rows, k), dtype=np.int32)
    lengths = np.zeros(n_rows, dtype=np.int64)

    def block(start: int) -> None:
        stop = min(start + _BLOCK_ROWS, n_rows)
        _best_of_product(CsrArrays.of(rows), CsrArrays.of(columns), start, stop, found, scores, lengths)

    if rows.nnz and columns.nnz and k > 0:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(block, range(0, n_rows, _BLOCK_ROWS)))
    is_kept = np.arange(k) < lengths[:, None]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    made = sparse.csr_matrix(
        ((scores[is_kept] / MICRO).astype(np.float32), found[is_kept], indptr), shape=(n_rows, n_rows)
    )
    made.sort_indices()
    made.indptr, made.indices = made.indptr.astype(np.int64), made.indices.astype(np.int32)
    return made


@compiled
def _best_of_product(rows: Any, columns: Any, start: int, stop: int, found: Any, scores: Any, lengths: Any) -> None:
    sums = np.zeros(len(lengths), dtype=np.float32)
    touched = np.empty(len(lengths), dtype=np.int32)
    heap = np.empty(found.shape[1], dtype=np.int64)  # the best entries of one row
    for row in range(start, stop):
        n_touched = 0
        for position in range(rows.indptr[row], rows.indptr[row + 1]):
            value, middle = rows.data[position], rows.indices[position]
            for entry in range(columns.indptr[middle], columns.indptr[middle + 1]):
                column = columns.indices[entry]
                if sums[column] == 0:
                    touched[n_touched] = column
                    n_touched += 1
                sums[column] += value * columns.data[entry]
        size = 0
        for rank in range(n_touched):
            column = touched[rank]
            micro = np.float32(np.rint(np.float64(min(sums[column], np.float32(1))) * MICRO))  # exact below 2 ** 24
            sums[column] = 0
            if micro > 0 and column != row:
                size = heap_offer(heap, size, descending_key(micro, column))
        for rank in range(size):
            found[row, rank] = position_of_key(heap[rank])
            scores[row, rank] = np.int32(score_of_key(heap[rank]))
        lengths[row] = size
