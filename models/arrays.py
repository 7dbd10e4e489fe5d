"""Array types, and conversions between ids, positions, sparse matrices and padded rows.

A position is an index into one model or vocabulary and means nothing without it.
"""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
Csr = Any  # scipy.sparse.csr_matrix: scipy ships no types

MICRO = 1_000_000  # sums add integers: a sum of floats depends on the order, and so on the threads
_DIGEST_SEED, _DIGEST_ROWS = 7, 1024
NO_ENTRY = -1  # an unknown id or code, and the padding of a row


class CsrArrays(NamedTuple):
    """A CSR matrix as compiled loops take it."""

    indptr: Any
    indices: Any
    data: Any

    @classmethod
    def of(cls, matrix: Csr, rows: slice | None = None) -> "CsrArrays":
        """The matrix, or some of its rows; nothing is copied."""
        indptr = matrix.indptr if rows is None else matrix.indptr[rows.start : rows.stop + 1]
        return cls(indptr, matrix.indices, matrix.data)


def positions(ids: pl.Series, wanted: pl.Series) -> Ints:
    """The position of each wanted id in `ids` (unique), -1 where it is absent or null."""
    index = pl.DataFrame({"id": ids.cast(pl.String)}).with_row_index("position")
    found = pl.DataFrame({"id": wanted.cast(pl.String)}).join(index, on="id", how="left", maintain_order="left")
    return found["position"].cast(pl.Int32).fill_null(NO_ENTRY).to_numpy(writable=True)


def codes(values: pl.Series, vocabulary: pl.Series) -> Ints:
    """The position of each value in a vocabulary of some thousand strings, -1 where it is absent or null."""
    if len(vocabulary) == 0:
        return np.full(len(values), NO_ENTRY, dtype=np.int32)
    encoded = values.cast(pl.String).cast(pl.Enum(vocabulary), strict=False).to_physical()
    return np.asarray(encoded.cast(pl.Int32).fill_null(NO_ENTRY).to_numpy(), dtype=np.int32)


def names_at(vocabulary: pl.Series, positions: Ints) -> pl.Series:
    """The names at positions of a vocabulary, null at -1."""
    indices = pl.Series(np.where(positions < 0, len(vocabulary), positions), dtype=pl.UInt32)
    return pl.concat([vocabulary.cast(pl.String), pl.Series([None], dtype=pl.String)]).gather(indices)


def sorted_ids(*series: pl.Series) -> pl.Series:
    """The distinct non-null ids of all `series`, sorted."""
    return pl.concat([values.cast(pl.String).alias("id") for values in series]).drop_nulls().unique().sort()


def csr_from_coordinates(
    rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any], *, shape: tuple[int, int]
) -> Csr:
    """A float32 CSR matrix with sorted indices; entries with a negative row or column are left out."""
    kept = (rows >= 0) & (columns >= 0)
    made = sparse.csr_matrix((values[kept].astype(np.float32), (rows[kept], columns[kept])), shape=shape)
    made.sort_indices()
    return made


def csr_with_columns(matrix: Csr, column: Ints, *, n_columns: int) -> Csr:
    """The matrix with each column at the place that `column` gives it, those at -1 left out; indices are sorted."""
    place = column[matrix.indices]
    kept = place >= 0
    indptr = np.append(0, np.cumsum(kept))[matrix.indptr]
    made = sparse.csr_matrix((matrix.data[kept], place[kept], indptr), shape=(matrix.shape[0], n_columns))
    made.sort_indices()
    return made


def csr_of_ones(rows: NDArray[Any], columns: NDArray[Any], *, shape: tuple[int, int]) -> Csr:
    """A CSR matrix of ones at the coordinates; negative ones are left out, repeated ones count once."""
    made = csr_from_coordinates(rows, columns, np.ones(len(rows), dtype=np.float32), shape=shape)
    made.data[:] = 1
    return made


def csr_of_shape(n_rows: int, n_columns: int) -> Csr:
    """An empty float32 CSR matrix."""
    return sparse.csr_matrix((n_rows, n_columns), dtype=np.float32)


def csr_rows_or_empty(table: Csr, rows: NDArray[Any]) -> Csr:
    """The given rows of a CSR matrix; an empty row for -1."""
    known = np.flatnonzero(rows >= 0)
    picker = sparse.csr_matrix(
        (np.ones(len(known), dtype=np.float32), (known, rows[known])), shape=(len(rows), table.shape[0])
    )
    return (picker @ table).tocsr()


def widened(rows: NDArray[Any], n_columns: int) -> NDArray[Any]:
    """The rows, or as many rows of `n_columns` zeros if they have no columns at all."""
    return rows if rows.shape[1] else np.zeros((len(rows), n_columns), dtype=rows.dtype)


def rows_or_zeros(values: NDArray[Any], rows: Ints) -> Floats:
    """The given rows as float32; zeros for -1."""
    known = rows >= 0
    if known.all():
        return values[rows].astype(np.float32, copy=False)
    found = np.zeros((len(rows), values.shape[1]), dtype=np.float32)
    found[known] = values[rows[known]]
    return found


def unit_rows(rows: Floats) -> Floats:
    """Rows divided by their length; rows of no length stay zero."""
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9), dtype=np.float32)


def row_digests(rows: Floats) -> NDArray[np.uint64]:
    """A hash of each row: rows that differ in one number differ, others have the same one by chance (1 in 2^32)."""
    factors = np.random.default_rng(_DIGEST_SEED).integers(0, 2**64, rows.shape[1], dtype=np.uint64) | np.uint64(1)
    words = np.ascontiguousarray(rows, dtype=np.float32).view(np.uint32)
    found = np.zeros(len(rows), dtype=np.uint64)
    for start in range(0, len(rows), _DIGEST_ROWS):  # in blocks: the words get twice as long
        block = slice(start, start + _DIGEST_ROWS)
        found[block] = words[block].astype(np.uint64) @ factors
    return found


def rank_within(rows: NDArray[Any]) -> Longs:
    """0, 1, 2 … within each run of equal values of the sorted array `rows`."""
    if len(rows) == 0:
        return np.empty(0, dtype=np.int64)
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 1))
    return np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))


def expand_slices(starts: NDArray[Any], counts: NDArray[Any]) -> tuple[Longs, Longs]:
    """For slices [start, start + count) of a flat array: the slice of each element, and its position."""
    counts = counts.astype(np.int64)
    slice_index = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    position = (
        np.arange(int(ends[-1]) if len(ends) else 0)
        - np.repeat(ends - counts, counts)
        + np.repeat(starts.astype(np.int64), counts)
    )
    return slice_index, position


def take_or_missing(values: Ints, columns: NDArray[Any]) -> Ints:
    """The entries of each row of `values` (B, C) at its `columns` (B, n); -1 for a column of -1."""
    if values.shape[1] == 0:
        return np.full(columns.shape, NO_ENTRY, dtype=np.int32)
    return np.where(columns >= 0, np.take_along_axis(values, np.maximum(columns, 0), axis=1), NO_ENTRY).astype(np.int32)


def padded_rows(rows: NDArray[Any], values: Ints, *, n_rows: int, width: int) -> Ints:
    """(row, value) pairs, sorted by row, as a (n_rows, width) array padded with -1; longer rows are cut."""
    ranks = rank_within(rows)
    kept = ranks < width
    table = np.full((n_rows, width), NO_ENTRY, dtype=np.int32)
    table[rows[kept], ranks[kept]] = values[kept]
    return table
