"""Compiled loops over products of vectors: the best partners of a row, whatever block the products are made in."""

from typing import Any, NamedTuple

import numpy as np

from models.arrays import NO_ENTRY, Csr, CsrArrays, Floats, Ints, Longs
from models.kernels.compiling import compiled
from models.kernels.heaps import heap_drain, heap_offer
from models.sort_keys import score_of_signed_key, signed_key

# More than a product in single precision of vectors of length 1 and some thousand dimensions is wrong by.
_PRODUCT_ERROR = 1e-4
_DECIMALS = 1e6


class Rows(NamedTuple):
    """Rows of length 1 (n, d) float32, the group of each, and what a pair of rows has beyond its cosine (n, n)."""

    vectors: Floats
    group: Ints
    boost: Csr


def most_similar(rows: Rows, query: Longs, candidate: Longs, *, k: int, least: float) -> tuple[Ints, Floats]:
    """Of each query the `k` best of `candidate` (positions in it, -1 padded) and their scores; ties in its order.

    A score is cosine plus boost, at most 1, to six decimals; those below `least` and of the query's group are left out.
    The last bits of a product depend on the block that it is part of. So products in single precision only tell which
    pairs may be among the best, and the score of these is summed in double precision, pair by pair.
    """
    found = np.full((len(query), max(0, min(k, len(candidate)))), NO_ENTRY, dtype=np.int32)
    scores = np.zeros(found.shape, dtype=np.float32)
    if found.size:
        products = rows.vectors[query] @ rows.vectors[candidate].T
        place = np.full(len(rows.vectors), NO_ENTRY, dtype=np.int32)
        place[candidate] = np.arange(len(candidate), dtype=np.int32)
        arrays = Rows(rows.vectors, rows.group, CsrArrays.of(rows.boost))
        _most_similar(products, arrays, query, candidate, place, np.float32(least), found, scores)
    return found, scores


@compiled
def _most_similar(
    products: Any, rows: Any, query: Any, candidate: Any, place: Any, least: Any, found: Any, scores: Any
) -> None:
    vectors, boost = rows.vectors, rows.boost
    boost_of = np.zeros(len(candidate), dtype=np.float32)
    heap = np.empty(found.shape[1], dtype=np.int64)
    exact = np.zeros(len(candidate), dtype=np.float32)
    for row in range(len(query)):
        first, last = boost.indptr[query[row]], boost.indptr[query[row] + 1]
        for entry in range(first, last):
            column = place[boost.indices[entry]]
            if column >= 0:
                boost_of[column] = boost.data[entry]
                products[row, column] += boost.data[entry]
        size, cut = 0, least - np.float32(_PRODUCT_ERROR)
        for column in range(len(candidate)):
            # One comparison for nearly all columns.
            if products[row, column] < cut or rows.group[candidate[column]] == rows.group[query[row]]:
                continue
            total = 0.0
            for dimension in range(vectors.shape[1]):
                total += np.float64(vectors[query[row], dimension]) * np.float64(vectors[candidate[column], dimension])
            score = np.float32(np.rint(min(1.0, total + boost_of[column]) * _DECIMALS) / _DECIMALS)
            if score < least:
                continue
            exact[column] = score
            size = heap_offer(heap, size, signed_key(score, column))
            if size == len(heap):
                cut = max(cut, score_of_signed_key(heap[0]) - np.float32(_PRODUCT_ERROR))
        heap_drain(heap, size, found[row])
        for rank in range(size):
            scores[row, rank] = exact[found[row, rank]]
        for entry in range(first, last):
            column = place[boost.indices[entry]]
            if column >= 0:
                boost_of[column] = 0
