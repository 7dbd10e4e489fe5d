"""Sums by user and job of a table that is too large to load with its ids: rows are streamed, small integers are kept.

The amounts are whole numbers (millionths), so that neither the order of rows nor the threads change a sum.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy import sparse

from models.arrays import Csr

_CHUNK_ROWS = 2_000_000


def sparse_sums(
    rows: pl.LazyFrame, *, amounts: Sequence[str], user_ids: pl.Series, column_of_job: pl.DataFrame, n_columns: int
) -> list[Csr]:
    """The sums of each of the Int64 columns `amounts` of `rows` (user_id, job_id, …), CSR int64 users x columns.

    `user_ids` (distinct) are the rows of the result. `column_of_job` (job_id, column) gives the columns; several jobs
    may share one. Other users and jobs are skipped. Sums of 0 have no entry.
    """
    users = pl.LazyFrame({"user_id": user_ids}).with_row_index("row").cast({"row": pl.Int32})
    columns = column_of_job.lazy().select("job_id", pl.col("column").cast(pl.Int32))
    coded = rows.join(columns, on="job_id", how="inner").join(users, on="user_id", how="inner")
    batches = coded.select("row", "column", *amounts).collect_batches(
        chunk_size=_CHUNK_ROWS, maintain_order=False, engine="streaming"
    )
    found: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = [[] for _ in amounts]
    for batch in batches:
        for parts, name in zip(found, amounts, strict=True):
            kept = batch.filter(pl.col(name) != 0)
            parts.append((kept["row"].to_numpy(), kept["column"].to_numpy(), kept[name].to_numpy()))
    return [_summed(found.pop(0), shape=(len(user_ids), n_columns)) for _ in amounts]


def _summed(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]], *, shape: tuple[int, int]) -> Csr:
    if not parts:
        return sparse.csr_matrix(shape, dtype=np.int64)
    row, column, amount = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    parts.clear()
    made = sparse.coo_matrix((amount, (row, column)), shape=shape).tocsr()  # sums repeated coordinates
    made.eliminate_zeros()
    made.sort_indices()
    return made
