"""From ids to the rows and matrices of a model and back. Integer positions mean something only beside their model."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

Csr = Any  # scipy ships no types

MICRO = 1_000_000  # sums are taken over integers: a sum of floats depends on the order, and so on the threads


def positions(ids: pl.Series, wanted: pl.Series) -> NDArray[np.int32]:
    """The position of each wanted id in `ids` (unique), -1 where it is absent or null."""
    index = pl.DataFrame({"id": ids.cast(pl.String)}).with_row_index("position")
    found = pl.DataFrame({"id": wanted.cast(pl.String)}).join(index, on="id", how="left", maintain_order="left")
    return found["position"].cast(pl.Int32).fill_null(-1).to_numpy(writable=True)


def sorted_ids(*series: pl.Series) -> pl.Series:
    """The distinct non-null ids of all `series`, sorted."""
    return pl.concat([values.cast(pl.String).alias("id") for values in series]).drop_nulls().unique().sort()


def matrix(rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any], *, shape: tuple[int, int]) -> Csr:
    """A float32 CSR matrix with sorted indices; places with a negative row or column are left out."""
    kept = (rows >= 0) & (columns >= 0)
    made = sparse.csr_matrix((values[kept].astype(np.float32), (rows[kept], columns[kept])), shape=shape)
    made.sort_indices()
    return made


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows divided by their length; rows of no length stay zero."""
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9), dtype=np.float32)
