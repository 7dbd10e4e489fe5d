"""Compiled loops over the rows of sparse matrices (users x jobs, users x terms): look-ups, sums, the best of a row.

A CSR matrix is passed as its parts, `indptr` and `indices` with sorted columns in each row. Work and memory follow the
entries, never the width of the matrix times the rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import NO_ENTRY, Csr, Doubles, Floats, Ints
from models.kernels.compiling import compiled
from models.kernels.heaps import heap_drain, heap_offer
from models.sort_keys import descending_key


def lookup(table: Csr, columns: Ints) -> Floats:
    """The entry of row i of `table` (B rows) at each of `columns[i]` (B, C); 0 where it has none."""
    found = np.zeros(columns.shape, dtype=np.float32)
    if table.nnz and columns.size:
        _lookup(table.indptr, table.indices, table.data.astype(np.float32), table.shape[1], columns, found)
    return found


def sums_over_terms(items: Csr, chosen: Ints, users: Csr) -> Doubles:
    """For each pair of row i of `users` (B x terms) and row `chosen[i, j]` of `items` (n x terms) their product."""
    sums = np.zeros(chosen.shape, dtype=np.float64)
    if users.nnz and items.nnz and chosen.size:
        _sums_over_terms(
            items.indptr,
            items.indices,
            items.data,
            chosen,
            users.indptr,
            users.indices,
            users.data,
            items.shape[1],
            sums,
        )
    return sums


def best_columns(table: Csr, forbidden: Csr, k: int) -> Ints:
    """The columns of the `k` largest positive entries of each row but the `forbidden` ones, -1 padded.

    Equal entries in the order of their columns.
    """
    n_rows, n_columns = table.shape
    best = np.full((n_rows, max(k, 0)), NO_ENTRY, dtype=np.int32)
    if table.nnz and k > 0:
        _best_columns(
            table.indptr,
            table.indices,
            table.data.astype(np.float32),
            forbidden.indptr,
            forbidden.indices,
            n_columns,
            best,
        )
    return best


def dot_pairs(users: Floats, items: Floats, chosen: Ints) -> Floats:
    """Inner products of row i of `users` (B, d) and the rows `chosen[i]` of `items` (n, d), (B, C)."""
    products = np.zeros(chosen.shape, dtype=np.float32)
    if chosen.size and users.shape[1]:
        _dot_pairs(users, items, chosen, products)
    return products


def rarest_common(items: Csr, chosen: Ints, users: Csr, rows: NDArray[Any], *, most: int) -> Ints:
    """For each pair of row `chosen[i]` of `items` and row `rows[i]` of `users` the terms that both have, (n, most), -1
    padded: the greatest values of the items first, equal ones in the order of the terms. `rows` ascend."""
    common = np.full((len(chosen), most), -1, dtype=np.int32)
    if len(chosen):
        _rarest_common(
            *(items.indptr, items.indices, items.data, chosen, users.indptr, users.indices, users.data, rows),
            *(items.shape[1], common),
        )
    return common


@compiled
def most_similar(
    rows: Any, jobs: Any, is_item: Any, past_rows: Any, past: Any, past_jobs: Any, cosine: Any, best: Any
) -> None:
    """For each job (B, n) the greatest product with a row of the user's past (B, H; -1 for none), the first of equals.

    `past_jobs` (B, H) are the jobs that the past ones stand for: none is like itself. Found places go to `best`.
    """
    for row in range(jobs.shape[0]):
        for place in range(jobs.shape[1]):
            if not is_item[row, place]:
                continue
            job = jobs[row, place]
            for number in range(past.shape[1]):
                other = past[row, number]
                if other < 0 or past_jobs[row, number] == job:
                    continue
                total = np.float32(0)
                for dimension in range(rows.shape[1]):
                    total += rows[job, dimension] * past_rows[other, dimension]
                if total > cosine[row, place]:
                    cosine[row, place] = total
                    best[row, place] = number


@compiled
def _lookup(indptr: Any, indices: Any, data: Any, n_columns: int, columns: Any, found: Any) -> None:
    dense = np.zeros(n_columns, dtype=np.float32)
    for row in range(columns.shape[0]):
        for position in range(indptr[row], indptr[row + 1]):
            dense[indices[position]] = data[position]
        for place in range(columns.shape[1]):
            found[row, place] = dense[columns[row, place]]
        for position in range(indptr[row], indptr[row + 1]):
            dense[indices[position]] = 0


@compiled
def _sums_over_terms(
    item_indptr: Any, item_terms: Any, item_values: Any, chosen: Any,
    user_indptr: Any, user_terms: Any, user_values: Any, n_terms: int, sums: Any,
) -> None:  # fmt: skip
    dense = np.zeros(n_terms, dtype=np.float64)
    for row in range(chosen.shape[0]):
        if user_indptr[row] == user_indptr[row + 1]:
            continue
        for position in range(user_indptr[row], user_indptr[row + 1]):
            dense[user_terms[position]] = user_values[position]
        for place in range(chosen.shape[1]):
            item = chosen[row, place]
            total = 0.0
            for position in range(item_indptr[item], item_indptr[item + 1]):
                total += np.float64(item_values[position]) * dense[item_terms[position]]
            sums[row, place] = total
        for position in range(user_indptr[row], user_indptr[row + 1]):
            dense[user_terms[position]] = 0


@compiled
def _best_columns(
    indptr: Any, indices: Any, data: Any, forbidden_indptr: Any, forbidden: Any, n_columns: int, best: Any
) -> None:
    is_forbidden = np.zeros(n_columns, dtype=np.bool_)
    heap = np.empty(best.shape[1], dtype=np.int64)
    for row in range(best.shape[0]):
        for position in range(forbidden_indptr[row], forbidden_indptr[row + 1]):
            is_forbidden[forbidden[position]] = True
        size = 0
        for position in range(indptr[row], indptr[row + 1]):
            column = indices[position]
            if data[position] > 0 and not is_forbidden[column]:
                size = heap_offer(heap, size, descending_key(data[position], column))
        heap_drain(heap, size, best[row])
        for position in range(forbidden_indptr[row], forbidden_indptr[row + 1]):
            is_forbidden[forbidden[position]] = False


@compiled
def _dot_pairs(users: Any, items: Any, chosen: Any, products: Any) -> None:
    for row in range(chosen.shape[0]):
        for place in range(chosen.shape[1]):
            item = chosen[row, place]
            total = np.float32(0)
            for dimension in range(users.shape[1]):
                total += users[row, dimension] * np.float32(items[item, dimension])
            products[row, place] = total


@compiled
def _rarest_common(
    item_indptr: Any, item_terms: Any, item_values: Any, chosen: Any, user_indptr: Any, user_terms: Any,
    user_values: Any, rows: Any, n_terms: int, common: Any,
) -> None:  # fmt: skip
    is_wanted = np.zeros(n_terms, dtype=np.bool_)
    current = -1
    for pair in range(len(chosen)):
        if rows[pair] != current:
            if current >= 0:
                for position in range(user_indptr[current], user_indptr[current + 1]):
                    is_wanted[user_terms[position]] = False
            current = rows[pair]
            for position in range(user_indptr[current], user_indptr[current + 1]):
                is_wanted[user_terms[position]] = user_values[position] > 0
        item = chosen[pair]
        for place in range(common.shape[1]):
            best, greatest = -1, -np.inf
            for position in range(item_indptr[item], item_indptr[item + 1]):
                term = item_terms[position]
                if is_wanted[term] and item_values[position] > greatest:
                    is_taken = False
                    for earlier in range(place):
                        is_taken |= common[pair, earlier] == term
                    if not is_taken:
                        best, greatest = term, item_values[position]
            common[pair, place] = best
