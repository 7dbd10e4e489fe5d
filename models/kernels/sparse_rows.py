"""Compiled loops over the rows of sparse matrices (users x jobs, users x terms): look-ups, sums, the best of a row.

CSR matrices have sorted columns in each row. Work and memory follow the entries, never the width of the matrix times
the rows.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import NO_ENTRY, Csr, CsrArrays, Doubles, Floats, Ints, Longs
from models.kernels.compiling import compiled
from models.kernels.heaps import heap_drain, heap_offer
from models.sort_keys import descending_key


class History(NamedTuple):
    """Jobs of each user's past (B, H), -1 padded: their rows in `vectors` (n, d), and the rows of the job table."""

    vectors: Floats
    vector_rows: Ints
    jobs: Ints


def lookup(table: Csr, columns: Ints, rows: slice | None = None) -> Floats:
    """The entry of row i of `table` (B rows, or its `rows`) at each of `columns[i]` (B, C); 0 without one."""
    found = np.zeros(columns.shape, dtype=np.float32)
    if table.nnz and columns.size:
        _lookup(CsrArrays.of(table.astype(np.float32, copy=False), rows), table.shape[1], columns, found)
    return found


def sums_over_terms(items: Csr, chosen: Ints, users: Csr, rows: slice | None = None) -> Doubles:
    """The product of row i of `users` (B x terms) and row `chosen[i, j]` of `items` (n x terms), for each i and j.

    `rows`: which rows of `users` are meant.
    """
    sums = np.zeros(chosen.shape, dtype=np.float64)
    if users.nnz and items.nnz and chosen.size:
        _sums_over_terms(CsrArrays.of(items), chosen, CsrArrays.of(users, rows), items.shape[1], sums)
    return sums


def best_columns(table: Csr, forbidden: Csr, k: int, rows: slice | None = None) -> Ints:
    """The columns of the `k` largest positive entries of each row, without the `forbidden` ones, -1 padded.

    Equal entries keep the order of columns. `rows`: which rows of `table` are meant; `forbidden` has only these.
    """
    best = np.full((forbidden.shape[0], max(k, 0)), NO_ENTRY, dtype=np.int32)
    if table.nnz and k > 0:
        values = CsrArrays.of(table.astype(np.float32, copy=False), rows)
        _best_columns(values, CsrArrays.of(forbidden), table.shape[1], best)
    return best


def dot_pairs(users: Floats, items: Floats, chosen: Ints) -> Floats:
    """Inner products of row i of `users` (B, d) and the rows `chosen[i]` of `items` (n, d), (B, C).

    Raises ValueError for a row that `items` does not have: the compiled loop would write outside of its arrays.
    """
    if chosen.size and (chosen.min() < 0 or chosen.max() >= len(items)):
        raise ValueError(f"rows must be in 0..{len(items) - 1}; received {chosen.min()}..{chosen.max()}")
    products = np.zeros(chosen.shape, dtype=np.float32)
    if chosen.size and users.shape[1]:
        order = np.empty(chosen.size, dtype=np.int32)
        _by_value(chosen.ravel(), len(items), order)
        _dot_pairs(users, items, chosen, order, products)
    return products


def common_entries(table: Csr, rows: NDArray[Any], others: NDArray[Any]) -> Longs:
    """How many columns have an entry other than 0 both in row `rows[i]` and in row `others[i]` of `table`."""
    counts = np.zeros(len(rows), dtype=np.int64)
    if len(rows):
        _common_entries(CsrArrays.of(table), rows, others, counts)
    return counts


def rarest_common(items: Csr, chosen: Ints, users: Csr, rows: NDArray[Any], *, most: int) -> Ints:
    """The terms that row `chosen[i]` of `items` and row `rows[i]` of `users` share, (n, most), -1 padded.

    The greatest values of the item come first, equal ones in the order of the terms. `rows` must ascend.
    """
    common = np.full((len(chosen), most), -1, dtype=np.int32)
    if len(chosen):
        _rarest_common(CsrArrays.of(items), chosen, CsrArrays.of(users), rows, items.shape[1], common)
    return common


@compiled
def mark_row(flags: Any, matrix: Any, row: Any, value: Any) -> None:
    """Sets `flags` at the columns of one row of a CsrArrays to `value`."""
    for position in range(matrix.indptr[row], matrix.indptr[row + 1]):
        flags[matrix.indices[position]] = value


@compiled
def most_similar(rows: Any, jobs: Any, is_item: Any, history: Any, cosine: Any, best: Any) -> None:
    """The greatest product of each job (B, n) with the user's `history`, and the first history column that has it.

    `rows` are the vectors of `jobs`. A job is not compared with itself. The results go to `cosine` and `best`.
    """
    past_vectors, past_rows, past_jobs = history.vectors, history.vector_rows, history.jobs
    for row in range(jobs.shape[0]):
        for place in range(jobs.shape[1]):
            if not is_item[row, place]:
                continue
            job = jobs[row, place]
            for number in range(past_jobs.shape[1]):
                other = past_rows[row, number]
                if other < 0 or past_jobs[row, number] == job:
                    continue
                total = np.float32(0)
                for dimension in range(rows.shape[1]):
                    total += rows[job, dimension] * past_vectors[other, dimension]
                if total > cosine[row, place]:
                    cosine[row, place] = total
                    best[row, place] = number


@compiled
def _lookup(table: Any, n_columns: int, columns: Any, found: Any) -> None:
    dense = np.zeros(n_columns, dtype=np.float32)
    for row in range(columns.shape[0]):
        for position in range(table.indptr[row], table.indptr[row + 1]):
            dense[table.indices[position]] = table.data[position]
        for place in range(columns.shape[1]):
            found[row, place] = dense[columns[row, place]]
        mark_row(dense, table, row, 0)


@compiled
def _sums_over_terms(items: Any, chosen: Any, users: Any, n_terms: int, sums: Any) -> None:
    dense = np.zeros(n_terms, dtype=np.float64)
    for row in range(chosen.shape[0]):
        if users.indptr[row] == users.indptr[row + 1]:
            continue
        for position in range(users.indptr[row], users.indptr[row + 1]):
            dense[users.indices[position]] = users.data[position]
        for place in range(chosen.shape[1]):
            item = chosen[row, place]
            total = 0.0
            for position in range(items.indptr[item], items.indptr[item + 1]):
                total += np.float64(items.data[position]) * dense[items.indices[position]]
            sums[row, place] = total
        mark_row(dense, users, row, 0)


@compiled
def _best_columns(table: Any, forbidden: Any, n_columns: int, best: Any) -> None:
    is_forbidden = np.zeros(n_columns, dtype=np.bool_)
    heap = np.empty(best.shape[1], dtype=np.int64)
    for row in range(best.shape[0]):
        mark_row(is_forbidden, forbidden, row, True)
        size = 0
        for position in range(table.indptr[row], table.indptr[row + 1]):
            value, column = table.data[position], table.indices[position]
            if value > 0 and not is_forbidden[column]:
                size = heap_offer(heap, size, descending_key(value, column))
        heap_drain(heap, size, best[row])
        mark_row(is_forbidden, forbidden, row, False)


@compiled
def _by_value(values: Any, n_values: int, order: Any) -> None:
    """The positions of `values`, which are below `n_values`, in their order."""
    start = np.zeros(n_values + 1, dtype=np.int32)
    for position in range(len(values)):
        start[values[position] + 1] += 1
    for value in range(n_values):
        start[value + 1] += start[value]
    for position in range(len(values)):
        order[start[values[position]]] = position
        start[values[position]] += 1


@compiled
def _dot_pairs(users: Any, items: Any, chosen: Any, order: Any, products: Any) -> None:
    # Item by item: the users' rows fit into the cache, those of the items don't.
    for number in range(len(order)):
        row, place = divmod(order[number], chosen.shape[1])
        item = chosen[row, place]
        total = np.float32(0)
        for dimension in range(users.shape[1]):
            total += users[row, dimension] * np.float32(items[item, dimension])
        products[row, place] = total


@compiled
def _common_entries(table: Any, rows: Any, others: Any, counts: Any) -> None:
    for pair in range(len(rows)):
        left, left_end = table.indptr[rows[pair]], table.indptr[rows[pair] + 1]
        right, right_end = table.indptr[others[pair]], table.indptr[others[pair] + 1]
        while left < left_end and right < right_end:
            if table.indices[left] < table.indices[right]:
                left += 1
            elif table.indices[left] > table.indices[right]:
                right += 1
            else:
                counts[pair] += table.data[left] != 0 and table.data[right] != 0
                left, right = left + 1, right + 1


@compiled
def _rarest_common(items: Any, chosen: Any, users: Any, rows: Any, n_terms: int, common: Any) -> None:
    is_wanted = np.zeros(n_terms, dtype=np.bool_)
    current = -1
    for pair in range(len(chosen)):
        if rows[pair] != current:
            if current >= 0:
                mark_row(is_wanted, users, current, False)
            current = rows[pair]
            for position in range(users.indptr[current], users.indptr[current + 1]):
                is_wanted[users.indices[position]] = users.data[position] > 0
        item = chosen[pair]
        for place in range(common.shape[1]):
            best, greatest = -1, -np.inf
            for position in range(items.indptr[item], items.indptr[item + 1]):
                term = items.indices[position]
                if is_wanted[term] and items.data[position] > greatest:
                    is_taken = False
                    for earlier in range(place):
                        is_taken |= common[pair, earlier] == term
                    if not is_taken:
                        best, greatest = term, items.data[position]
            common[pair, place] = best
