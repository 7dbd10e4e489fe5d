"""Compiled loops over the rows of dense matrices (users x jobs): the best of a row, in one pass over it."""

from typing import Any

import numpy as np

from models.arrays import NO_ENTRY, Csr, CsrArrays, Doubles, Floats, Ints, csr_of_shape
from models.kernels.compiling import compiled
from models.kernels.heaps import heap_drain, heap_offer
from models.kernels.sparse_rows import mark_row
from models.sort_keys import score_of_signed_key, signed_key

_DECIMALS = 1e6


def top_k(scores: Floats, k: int) -> Ints:
    """The `k` best columns of each row, -1 padded; -inf is never chosen; equal scores in the order of columns."""
    return _best(scores, None, k, step=0.0)


def top_k_rounded(scores: Floats, forbidden: Csr, k: int) -> Ints:
    """The `k` best columns of each row that are not `forbidden`, by the scores rounded to six decimals.

    A matrix product differs in its last bits with the size of the block; rounded scores don't.
    """
    return _best(scores, forbidden, k, step=_DECIMALS)


def sums_of_runs(rows: Floats, starts: Ints) -> Doubles:
    """The sum of the rows `starts[i]` to `starts[i + 1]` for each i, in their order and in double precision."""
    sums = np.zeros((len(starts) - 1, rows.shape[1]), dtype=np.float64)
    _sums_of_runs(rows, starts, sums)
    return sums


def _best(scores: Floats, forbidden: Csr | None, k: int, *, step: float) -> Ints:
    found = np.full((scores.shape[0], max(0, min(k, scores.shape[1]))), NO_ENTRY, dtype=np.int32)
    if found.size:
        banned = csr_of_shape(*scores.shape) if forbidden is None else forbidden
        _top_k(scores, CsrArrays.of(banned), np.float32(step), found)
    return found


@compiled
def _top_k(scores: Any, forbidden: Any, step: Any, found: Any) -> None:
    is_forbidden = np.zeros(scores.shape[1], dtype=np.bool_)
    heap = np.empty(found.shape[1], dtype=np.int64)
    for row in range(found.shape[0]):
        mark_row(is_forbidden, forbidden, row, True)
        size, threshold = 0, np.float32(-np.inf)
        for column in range(scores.shape[1]):
            score = scores[row, column]
            # One comparison for nearly all columns; of equal ones the first is in the heap already.
            if score <= threshold or is_forbidden[column]:
                continue
            if step > 0:
                score = np.float32(np.rint(score * step) / step)
            size = heap_offer(heap, size, signed_key(score, column))
            if size == len(heap):
                threshold = score_of_signed_key(heap[0])
                if step > 0:
                    threshold -= np.float32(0.5) / step  # what is rounded up to it or beyond is not lost
        heap_drain(heap, size, found[row])
        mark_row(is_forbidden, forbidden, row, False)


@compiled
def strongest_of_columns(table: Any, is_wanted: Any, least_share: Any, rows: Any) -> None:
    """The rows of the greatest entries of each wanted column of `table` (n, columns), the first of equal ones first.

    Into `rows` (columns, k), whose entries stay where none is left that is finite and at least `least_share` of the
    greatest. No NaN.
    """
    for column in range(table.shape[1]):
        if not is_wanted[column]:
            continue
        least = np.float32(-np.inf)
        for place in range(rows.shape[1]):
            best, greatest = -1, np.float32(-np.inf)
            for row in range(table.shape[0]):
                value = table[row, column]
                if value > greatest:
                    best, greatest = row, value
            if best < 0 or greatest < least:
                break
            if place == 0:
                least = least_share * greatest
            rows[column, place] = best
            table[best, column] = -np.inf


@compiled
def _sums_of_runs(rows: Any, starts: Any, sums: Any) -> None:
    for run in range(len(sums)):
        for row in range(starts[run], starts[run + 1]):
            for column in range(rows.shape[1]):
                sums[run, column] += np.float64(rows[row, column])
