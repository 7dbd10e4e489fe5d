"""The largest entries of each row, of a sparse matrix or of the product of two."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy import sparse

from models.arrays import MICRO, Csr, CsrArrays
from models.kernels.compiling import compiled
from models.kernels.heaps import heap_offer
from models.sort_keys import descending_key, position_of_key, score_of_key

_BLOCK_ROWS = 8192
_BLOCK_ENTRIES = 1 << 20  # whose scores are computed at once
_SCORE_BITS = 20  # scores are at most MICRO
_SCORE = (1 << _SCORE_BITS) - 1


def largest_of_rows(values: Csr, k: int, *, largest: float = 1.0) -> Csr:
    """The `k` largest positive entries of each row, rounded to millionths of `largest`; equal ones by column."""
    scores = np.empty(values.nnz, dtype=np.int32)
    for start in range(0, values.nnz, _BLOCK_ENTRIES):
        block = values.data[start : start + _BLOCK_ENTRIES].astype(np.float64)
        scores[start : start + _BLOCK_ENTRIES] = np.rint(np.clip(block / largest, 0, 1) * MICRO)
    kept = np.zeros(values.nnz, dtype=np.bool_)
    indptr = np.zeros(values.shape[0] + 1, dtype=np.int64)
    if k > 0:
        _mark_largest(CsrArrays(values.indptr, values.indices, scores), k, kept, indptr[1:])
    np.cumsum(indptr, out=indptr)
    data = (scores[kept] * (largest / MICRO)).astype(np.float32)
    made = sparse.csr_matrix((data, values.indices[kept].astype(np.int32), indptr), shape=values.shape)
    made.sort_indices()
    made.indptr, made.indices = made.indptr.astype(np.int64), made.indices.astype(np.int32)
    return made


@compiled
def _mark_largest(scores: Any, k: int, kept: Any, n_kept: Any) -> None:
    """Marks the `k` largest positive entries of each row in `kept`, all False before, and counts them."""
    heap = np.empty(k, dtype=np.int64)
    for row in range(len(n_kept)):
        start, stop = scores.indptr[row], scores.indptr[row + 1]
        n_positive = 0
        for entry in range(start, stop):
            kept[entry] = scores.data[entry] > 0
            n_positive += kept[entry]
        n_kept[row] = min(n_positive, k)
        if n_positive <= k:
            continue
        size = 0
        for entry in range(start, stop):
            if kept[entry]:
                size = heap_offer(heap, size, descending_key(scores.data[entry], scores.indices[entry]))
        for entry in range(start, stop):
            if kept[entry]:
                kept[entry] = descending_key(scores.data[entry], scores.indices[entry]) <= heap[0]


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
    found = np.empty((n_rows, k), dtype=np.int64)
    lengths = np.zeros(n_rows, dtype=np.int64)

    def block(start: int) -> None:
        stop = min(start + _BLOCK_ROWS, n_rows)
        _best_of_product(CsrArrays.of(rows), CsrArrays.of(columns), start, stop, found, lengths)

    if rows.nnz and columns.nnz and k > 0:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(block, range(0, n_rows, _BLOCK_ROWS)))
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    indices, scores = np.empty(indptr[-1], dtype=np.int32), np.empty(indptr[-1], dtype=np.int32)
    _unpack(found, indptr, indices, scores)
    data = np.empty(len(scores), dtype=np.float32)
    np.divide(scores, MICRO, out=data, casting="same_kind")
    made = sparse.csr_matrix((data, indices, indptr), shape=(n_rows, n_rows))
    made.indptr, made.indices = made.indptr.astype(np.int64), made.indices.astype(np.int32)
    return made


@compiled
def _unpack(found: Any, indptr: Any, indices: Any, scores: Any) -> None:
    for row in range(len(found)):
        for rank in range(indptr[row + 1] - indptr[row]):
            indices[indptr[row] + rank] = found[row, rank] >> _SCORE_BITS
            scores[indptr[row] + rank] = found[row, rank] & _SCORE


@compiled
def _best_of_product(rows: Any, columns: Any, start: int, stop: int, found: Any, lengths: Any) -> None:
    """Puts the best entries of a row, in the order of columns, at the beginning of its row of `found`."""
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
            if micro <= 0 or column == row:
                continue
            if n_touched <= len(heap):
                found[row, size] = _entry(column, micro)
                size += 1
            else:
                size = heap_offer(heap, size, descending_key(micro, column))
        if n_touched > len(heap):
            for rank in range(size):
                found[row, rank] = _entry(position_of_key(heap[rank]), score_of_key(heap[rank]))
        found[row, :size].sort()
        lengths[row] = size


@compiled
def _entry(column: Any, micro: Any) -> Any:
    """Column and score in one integer, which sorts by column."""
    return (np.int64(column) << _SCORE_BITS) | np.int64(micro)
