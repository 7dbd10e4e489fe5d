"""Users as vectors in the encoder's space: what they state, and the vectors of the jobs that they interacted with."""

import datetime as dt
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import MICRO, Bools, Ints, positions, sorted_ids, unit_rows, widened
from models.fitting.artifacts import Artifact
from models.fitting.embeddings import TextVectors
from models.fitting.job_vectors import JobVectors
from models.fitting.sparse_sums import sparse_sums
from models.fitting.weights import WeightMatrix, decay, recent

HISTORY_DAYS = 90
APPLIED_WEIGHT, SAVED_WEIGHT, REJECTED_WEIGHT = 0.5, 0.4, -0.3
VIEWED_RANGE, VIEWED_FULL_SECONDS = (0.1, 0.4), 300.0
_BLOCK_USERS = 16_384


@dataclass(frozen=True, eq=False)
class UserVectors(Artifact):
    """Users (n) with their vectors (n, d) of length 1 or 0, ids sorted; half precision, a million users are 1 GB.

    `summary_vectors` (m, d) and `summary_rows` (n), -1 for none: the user's own words.
    `model` is that of the `JobVectors` whose space they are in. `job_ids` and `job_digests` (their `row_digests`) are
    its jobs, and `made_of` names what else the vectors were made of: the next run finds by them what changed.
    """

    user_ids: pl.Series
    vectors: NDArray[np.float16]
    summary_vectors: NDArray[np.float16]
    summary_rows: Ints
    has_profile: Bools
    has_history: Bools
    model: str = ""
    job_ids: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.String))
    job_digests: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    made_of: str = ""


def build_user_vectors(
    texts: pl.DataFrame, events: WeightMatrix, embedded: TextVectors, jobs: JobVectors, *, n_threads: int = 2
) -> UserVectors:
    """USER_TEXTS and `event_weights` to vectors: 1.0 * profile + the weighted vectors of the jobs, normalised.

    The profile is the mean of the mean role and the mean skill, of length 1. The users are those with texts or events.
    `events` has the columns of `jobs`. Users are processed in blocks: dense arrays are as large as a block.
    """
    user_ids = sorted_ids(texts["user_id"], events.user_ids)
    n_users = len(user_ids)
    texts = pl.DataFrame({"user_id": user_ids}).join(texts, on="user_id", how="left", maintain_order="left")
    roles, skills = embedded.mean_matrix(texts["roles"]), embedded.mean_matrix(texts["skills"])
    row_of_user = positions(events.user_ids, user_ids)
    # Without any text, or without any job, that has a vector, that side has no dimensions.
    dimensions = max(embedded.vectors.shape[1], jobs.vectors.shape[1])
    of_texts, of_jobs = widened(embedded.vectors, dimensions), widened(jobs.vectors, dimensions)
    vectors = np.zeros((n_users, dimensions), dtype=np.float16)
    has_profile, has_history = np.zeros(n_users, dtype=np.bool_), np.zeros(n_users, dtype=np.bool_)

    def fill(start: int) -> None:
        rows = slice(start, start + _BLOCK_USERS)
        stated = unit_rows(roles[rows] @ of_texts) + unit_rows(skills[rows] @ of_texts)
        profile = unit_rows(stated)
        row = row_of_user[rows]
        history = np.zeros_like(profile)
        history[row >= 0] = events.values[row[row >= 0]] @ of_jobs
        vectors[rows] = unit_rows(profile + history)
        has_profile[rows], has_history[rows] = profile.any(axis=1), history.any(axis=1)

    with ThreadPoolExecutor(n_threads) as pool:
        deque(pool.map(fill, range(0, n_users, _BLOCK_USERS)), maxlen=0)
    summary_vectors, summary_rows = embedded.distinct(texts["summary"])
    summaries = summary_vectors.astype(np.float16)
    return UserVectors(user_ids, vectors, summaries, summary_rows, has_profile, has_history, jobs.model)


def replace_users(vectors: UserVectors, user_ids: pl.Series, new: UserVectors) -> UserVectors:
    """`vectors` with the rows of `user_ids` as they are in `new`, which has no other users; without those it lacks.

    Both have equally many dimensions. A text that a kept user has too is in `summary_vectors` twice.
    """
    kept = (~vectors.user_ids.is_in(user_ids.implode())).to_numpy()
    ids = pl.concat([vectors.user_ids.filter(pl.Series(kept)), new.user_ids])
    order = ids.arg_sort().to_numpy()
    is_new = order >= (n_kept := int(kept.sum()))
    new_row = order[is_new] - n_kept
    old_row = np.zeros(len(ids), dtype=np.int64)
    old_row[~is_new] = np.flatnonzero(kept)[order[~is_new]]

    def spliced(old_rows: NDArray[Any], new_rows: NDArray[Any]) -> NDArray[Any]:
        # One pass over the rows of all users, without a copy of those that are kept.
        rows = old_rows[old_row] if len(old_rows) else np.empty((len(ids), *old_rows.shape[1:]), dtype=old_rows.dtype)
        rows[is_new] = new_rows[new_row]
        return rows

    n_summaries = len(vectors.summary_vectors)
    moved = np.where(new.summary_rows >= 0, new.summary_rows + n_summaries, -1).astype(np.int32)
    rows = spliced(vectors.summary_rows, moved)
    used, rows[rows >= 0] = np.unique(rows[rows >= 0], return_inverse=True)
    of_new = widened(new.summary_vectors, vectors.vectors.shape[1])
    summaries = np.concatenate([widened(vectors.summary_vectors, of_new.shape[1]), of_new])[used]
    return replace(
        new,
        user_ids=ids.gather(order),
        vectors=spliced(vectors.vectors, new.vectors),
        summary_vectors=summaries,
        summary_rows=rows,
        has_profile=spliced(vectors.has_profile, new.has_profile),
        has_history=spliced(vectors.has_history, new.has_history),
    )


def event_weights(
    daily: pl.LazyFrame, *, as_of: dt.datetime, half_life_days: float, job_ids: pl.Series
) -> WeightMatrix:
    """Users x `job_ids` (sorted): the weight of each job's vector in a user's vector, over the last 90 days.

    Per day 0.5 applied + clamp(dwell / 300 s, 0.1, 0.4) viewed + 0.4 saved - 0.3 dismissed, decayed. A save that the
    user undid does not count.
    """
    low, high = VIEWED_RANGE
    viewed = (pl.col("dwell_seconds").fill_null(0) / VIEWED_FULL_SECONDS).clip(low, high)
    other_events = recent(daily, as_of=as_of, days=HISTORY_DAYS).with_columns(
        amount=_micro(
            APPLIED_WEIGHT * (pl.col("n_applies") > 0)
            + viewed * ((pl.col("n_views") > 0) | (pl.col("n_clicks") > 0))
            + REJECTED_WEIGHT * ((pl.col("n_dismissals") > 0) | (pl.col("n_not_relevant") > 0)),
            half_life_days,
        )
    )
    is_kept = (pl.col("last_saved_at").max() > pl.col("last_unsaved_at").max()).fill_null(value=True)
    saves = (
        recent(daily, as_of=as_of, days=HISTORY_DAYS)
        .filter(
            (pl.col("n_saves") > 0) | pl.col("last_saved_at").is_not_null() | pl.col("last_unsaved_at").is_not_null()
        )
        .group_by("user_id", "job_id")
        .agg(
            is_kept=is_kept,
            amount=_micro(SAVED_WEIGHT * (pl.col("n_saves") > 0), half_life_days).sum(),
        )
        .filter("is_kept")
    )
    rows = pl.concat([part.select("user_id", "job_id", "amount") for part in (other_events, saves)]).filter(
        pl.col("amount") != 0
    )
    users = rows.select(pl.col("user_id").unique()).collect(engine="streaming")["user_id"].sort()
    columns = pl.DataFrame({"job_id": job_ids}).with_row_index("column")
    (sums,) = sparse_sums(rows, amounts=["amount"], user_ids=users, column_of_job=columns, n_columns=len(job_ids))
    sums.data = np.asarray(sums.data / MICRO, dtype=np.float32)
    return WeightMatrix(users, job_ids, sums)


def _micro(weight: pl.Expr, half_life_days: float) -> pl.Expr:
    return (weight * decay(half_life_days) * MICRO).round().cast(pl.Int64)
