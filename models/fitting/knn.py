"""The most similar rows of each row by a product of sparse matrices, without the product: only the best are kept.

Compiled: a row's sums lie in one dense array, a heap keeps the best of them. SciPy would make every entry of the
product, thousands for each user, and leave them all to be sorted.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy import sparse

from models.arrays import MICRO, Csr
from models.kernels.compiling import compiled
from models.kernels.heaps import heap_offer

_BLOCK_ROWS = 8192
_PLACE_BITS = 32


def most_similar_rows(rows: Csr, columns: Csr, k: int, *, n_threads: int) -> Csr:
    """For each row of `rows @ columns` (n x n, products in [0, 1]) its `k` largest entries but the diagonal's.

    `rows` (n x m) and `columns` (m x n) are float32. CSR float32 with sorted columns; scores are rounded to millionths,
    what rounds to 0 is left out, equal ones are taken in the order of columns.
    """
    n_rows = rows.shape[0]
    found = np.empty((n_rows, k), dtype=np.int32)
    scores = np.empty((n_rows, k), dtype=np.int32)
    lengths = np.zeros(n_rows, dtype=np.int64)

    def block(start: int) -> None:
        stop = min(start + _BLOCK_ROWS, n_rows)
        _best_of_product(
            rows.indptr, rows.indices, rows.data, columns.indptr, columns.indices, columns.data,
            start, stop, n_rows, found, scores, lengths,
        )  # fmt: skip

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
def _best_of_product(
    row_indptr: Any, row_indices: Any, row_data: Any, column_indptr: Any, column_indices: Any, column_data: Any,
    start: int, stop: int, n_columns: int, found: Any, scores: Any, lengths: Any,
) -> None:  # fmt: skip
    sums = np.zeros(n_columns, dtype=np.float32)
    touched = np.empty(n_columns, dtype=np.int32)
    heap = np.empty(found.shape[1], dtype=np.int64)
    for row in range(start, stop):
        n_touched = 0
        for position in range(row_indptr[row], row_indptr[row + 1]):
            value, middle = row_data[position], row_indices[position]
            for place in range(column_indptr[middle], column_indptr[middle + 1]):
                column = column_indices[place]
                if sums[column] == 0:
                    touched[n_touched] = column
                    n_touched += 1
                sums[column] += value * column_data[place]
        size = 0
        for place in range(n_touched):
            column = touched[place]
            micro = np.int64(np.rint(np.float64(min(sums[column], np.float32(1))) * MICRO))
            sums[column] = 0
            if micro > 0 and column != row:
                size = heap_offer(heap, size, ((MICRO - micro) << _PLACE_BITS) | np.int64(column))
        for place in range(size):
            found[row, place] = np.int32(heap[place] & np.int64(0xFFFFFFFF))
            scores[row, place] = np.int32(MICRO - (heap[place] >> _PLACE_BITS))
        lengths[row] = size
