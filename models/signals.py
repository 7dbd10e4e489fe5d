"""What the fitted models say of one shard's users and of the jobs that may be shown, aligned row by row.

A user or job that a model does not know has a row of zeros and `is_known` false. Nothing is fitted here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from models.candidates import rank_within
from models.encoding import JobTable

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]
Csr = Any

HISTORY_ITEMS = 12
HISTORY_DAYS = 90
# Kinds of history, strongest first: which reason a similar job is given with.
APPLIED, SAVED, VIEWED = 0, 1, 2


@dataclass(frozen=True)
class Factors:
    """Rows of a fitted matrix for the rows of a table, (n, d), and which of them the model knew."""

    rows: Floats
    is_known: Bools


@dataclass(frozen=True)
class History:
    """What a shard's users did, (U, H) padded with -1: position in `job_ids`, kind; strongest and newest first."""

    job: Ints
    kind: Ints
    job_ids: pl.Series
    vectors: Floats  # (jobs of the history, d)


@dataclass(frozen=True)
class Signals:
    """One shard's view of all models. CSR matrices: users x jobs, or users x what is named."""

    als_users: Factors
    als_jobs: Factors
    content_users: Factors
    content_jobs: Factors
    culture_users: Factors
    culture_jobs: Factors
    neighbours: Csr  # score of each job by what similar users did
    also_applied: Csr  # cosine to the most similar job applied to
    also_applied_source: Csr  # which one: 1 + position in history.job_ids
    affinity: Csr  # users x facets: affinity * confidence
    affinity_confidence: Csr
    history: History
    seen: Csr
    has_history: Bools


def align(ids: pl.Series, rows: NDArray[Any], wanted: pl.Series) -> Factors:
    """The row of `rows` (one per id) for each wanted id; absent ones and rows of no length are not known."""
    found = positions(ids, wanted)
    width = rows.shape[1] if rows.ndim == 2 else 0
    aligned = np.zeros((len(wanted), width), dtype=np.float32)
    hit = found >= 0
    aligned[hit] = rows[found[hit]]
    np.nan_to_num(aligned, copy=False)
    return Factors(rows=aligned, is_known=np.abs(aligned).sum(axis=1) > 0)


def positions(ids: pl.Series, wanted: pl.Series) -> Ints:
    """The position of each wanted id in `ids`, -1 where it is absent."""
    index = pl.DataFrame({"id": ids.cast(pl.String)}).with_row_index("position")
    frame = pl.DataFrame({"id": wanted.cast(pl.String)}).join(index, on="id", how="left", maintain_order="left")
    return np.asarray(frame["position"].cast(pl.Int32).fill_null(-1).to_numpy(), dtype=np.int32)


def history_frame(interactions: pl.DataFrame, users: pl.Series) -> pl.DataFrame:
    """The jobs a user took to, strongest and newest first: columns user (position), job_id, kind, last_at."""
    return (
        interactions.with_columns(user=pl.Series(positions(users, interactions["user_id"]), dtype=pl.Int32))
        .filter(pl.col("user") >= 0, ~pl.col("is_dismissed").fill_null(value=False))
        .with_columns(
            kind=pl.when("is_applied")
            .then(pl.lit(APPLIED, pl.Int32))
            .when("is_saved")
            .then(pl.lit(SAVED, pl.Int32))
            .when(pl.col("is_seen") | (pl.col("n_shares") > 0) | (pl.col("n_relevant") > 0))
            .then(pl.lit(VIEWED, pl.Int32))
        )
        .drop_nulls("kind")
        .select("user", "job_id", "kind", "last_at")
        .sort(["user", "kind", "last_at", "job_id"], descending=[False, False, True, False])
    )


def build_history(frame: pl.DataFrame, *, n_users: int, vector_ids: pl.Series, vectors: NDArray[Any]) -> History:
    """`history_frame` as padded arrays, the first HISTORY_ITEMS jobs of each user."""
    job_ids = frame["job_id"].unique().sort()
    position = positions(job_ids, frame["job_id"])
    user = frame["user"].to_numpy()
    place = rank_within(user)
    kept = place < HISTORY_ITEMS
    job = np.full((n_users, HISTORY_ITEMS), -1, dtype=np.int32)
    kind = np.full((n_users, HISTORY_ITEMS), -1, dtype=np.int32)
    job[user[kept], place[kept]] = position[kept]
    kind[user[kept], place[kept]] = frame["kind"].to_numpy()[kept]
    return History(job=job, kind=kind, job_ids=job_ids, vectors=unit_rows(align(vector_ids, vectors, job_ids).rows))


def unit_rows(rows: Floats) -> Floats:
    """Rows divided by their length; rows of no length stay zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9), dtype=np.float32)


def seen_matrix(interactions: pl.DataFrame, *, users: pl.Series, jobs: JobTable) -> Csr:
    """Which jobs each user has viewed or clicked (or a duplicate of them): CSR users x jobs of ones."""
    seen = interactions.filter(pl.col("is_seen").fill_null(value=False))
    return ones(positions(users, seen["user_id"]), jobs.rows_of(seen["job_id"]), shape=(len(users), jobs.n))


def ones(rows: Ints, columns: Ints, *, shape: tuple[int, int]) -> Csr:
    """A CSR matrix of ones at the given places; negative places are left out, repeated ones count once."""
    kept = (rows >= 0) & (columns >= 0)
    result = sparse.csr_matrix((np.ones(int(kept.sum()), dtype=np.float32), (rows[kept], columns[kept])), shape=shape)
    result.data[:] = 1
    return result


def largest(
    rows: NDArray[Any], columns: NDArray[Any], values: Floats, tokens: NDArray[Any], shape: tuple[int, int]
) -> tuple[Csr, Csr]:
    """Two CSR matrices of one structure: the largest value at each place, and the token (from 1) that came with it."""
    order = np.lexsort((tokens, -values, columns, rows))
    rows, columns, values, tokens = rows[order], columns[order], values[order], tokens[order]
    place = rows.astype(np.int64) * shape[1] + columns
    first = np.flatnonzero(np.diff(place, prepend=-1))
    rows, columns = rows[first], columns[first]
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1))
    return (
        sparse.csr_matrix((values[first], columns, indptr), shape=shape, dtype=np.float32),
        sparse.csr_matrix((tokens[first].astype(np.float32), columns, indptr), shape=shape, dtype=np.float32),
    )
