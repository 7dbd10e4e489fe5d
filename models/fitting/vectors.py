"""Jobs and users as vectors in the encoder's space: sums of text vectors, and of the vectors of jobs a user took to."""

import datetime as dt
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schemas.training import EMBEDDING_DIMENSIONS
from models.arrays import MICRO, Csr, csr_from_coordinates, positions, sorted_ids, unit_rows
from models.fitting.artifacts import Artifact
from models.fitting.embeddings import TextVectors
from models.fitting.sparse_sums import pair_sums
from models.fitting.weights import WeightMatrix, decay, recent

Floats = NDArray[np.float32]

TITLE_WEIGHT, SKILLS_WEIGHT = 0.6, 0.4
HISTORY_DAYS = 90
APPLIED_WEIGHT, SAVED_WEIGHT, REJECTED_WEIGHT = 0.5, 0.4, -0.3
VIEWED_RANGE, VIEWED_FULL_SECONDS = (0.1, 0.4), 300.0
_BLOCK_USERS = 16_384


@dataclass(frozen=True, eq=False)
class JobVectors(Artifact):
    """Jobs (n) with their vectors (n, d) float32 of length 1 or 0, ids sorted.

    What companies say of themselves is kept once each: `about_vectors` (m, d), `about_rows` (n), -1 for none.
    """

    job_ids: pl.Series
    vectors: Floats
    about_vectors: Floats
    about_rows: NDArray[np.int32]

    @property
    def culture(self) -> Floats:
        """(n, d): the company's own words, zeros where it has none."""
        return _taken(self.about_vectors, self.about_rows)


@dataclass(frozen=True, eq=False)
class UserVectors(Artifact):
    """Users (n) with their vectors (n, d) of length 1 or 0, ids sorted; half precision, a million users are 1 GB.

    `summary_vectors` (m, d) and `summary_rows` (n), -1 for none: the user's own words.
    """

    user_ids: pl.Series
    vectors: NDArray[np.float16]
    summary_vectors: NDArray[np.float16]
    summary_rows: NDArray[np.int32]
    has_profile: NDArray[np.bool_]
    has_history: NDArray[np.bool_]

    def vectors_of(self, user_ids: pl.Series) -> Floats:
        """(len(user_ids), d) float32, zeros for a user that is not known."""
        return _taken(self.vectors, positions(self.user_ids, user_ids))

    def summaries_of(self, user_ids: pl.Series) -> Floats:
        """(len(user_ids), d) float32: the users' own words, zeros where there are none."""
        rows = positions(self.user_ids, user_ids)
        known = np.flatnonzero(rows >= 0)
        rows[known] = self.summary_rows[rows[known]]
        return _taken(self.summary_vectors, rows)


def build_job_vectors(texts: pl.DataFrame, embedded: TextVectors) -> JobVectors:
    """JOB_TEXTS to vectors: 0.6 * title + 0.4 * mean of the skills (the extract without any), normalised."""
    texts = texts.sort("job_id")
    n_jobs = len(texts)
    title = _gather(embedded, texts["title"])
    mean_skill = _mean_matrix(texts["skills"], embedded) @ embedded.vectors if n_jobs else title
    extract = _gather(embedded, texts["extract"])
    # A job has skills or an extract, never both.
    vectors = TITLE_WEIGHT * title + SKILLS_WEIGHT * (unit_rows(mean_skill) + extract)
    about_vectors, about_rows = _distinct(embedded, texts["about"])
    return JobVectors(texts["job_id"].rechunk(), unit_rows(vectors.astype(np.float32)), about_vectors, about_rows)


def build_user_vectors(
    texts: pl.DataFrame, events: WeightMatrix, embedded: TextVectors, jobs: JobVectors, *, n_threads: int = 2
) -> UserVectors:
    """USER_TEXTS and `event_weights` to vectors: 1.0 * profile + the weighted vectors of the jobs, normalised.

    The profile is the mean of the mean role and the mean skill, of length 1. Users are those of either. `events` has
    the columns of `jobs`. Users are taken in blocks, so that what is dense follows the block.
    """
    user_ids = sorted_ids(texts["user_id"], events.user_ids)
    n_users = len(user_ids)
    texts = pl.DataFrame({"user_id": user_ids}).join(texts, on="user_id", how="left", maintain_order="left")
    roles, skills = _mean_matrix(texts["roles"], embedded), _mean_matrix(texts["skills"], embedded)
    row_of_user = positions(events.user_ids, user_ids)
    vectors = np.zeros((n_users, EMBEDDING_DIMENSIONS), dtype=np.float16)
    has_profile, has_history = np.zeros(n_users, dtype=np.bool_), np.zeros(n_users, dtype=np.bool_)

    def fill(start: int) -> None:
        rows = slice(start, start + _BLOCK_USERS)
        stated = unit_rows(roles[rows] @ embedded.vectors) + unit_rows(skills[rows] @ embedded.vectors)
        profile = unit_rows(stated)
        row = row_of_user[rows]
        done = np.zeros_like(profile)
        done[row >= 0] = events.values[row[row >= 0]] @ jobs.vectors
        vectors[rows] = unit_rows(profile + done)
        has_profile[rows], has_history[rows] = profile.any(axis=1), done.any(axis=1)

    with ThreadPoolExecutor(n_threads) as pool:
        deque(pool.map(fill, range(0, n_users, _BLOCK_USERS)), maxlen=0)
    summary_vectors, summary_rows = _distinct(embedded, texts["summary"])
    return UserVectors(user_ids, vectors, summary_vectors.astype(np.float16), summary_rows, has_profile, has_history)


def event_weights(
    daily: pl.LazyFrame, *, as_of: dt.datetime, half_life_days: float, job_ids: pl.Series
) -> WeightMatrix:
    """The weight of the vector of each of `job_ids` (sorted) in each user's, over the last 90 days.

    Per day 0.5 applied + clamp(dwell / 300 s, 0.1, 0.4) viewed + 0.4 saved - 0.3 turned down, decayed. A save that was
    taken back does not count. SPEC section 5, content.
    """
    low, high = VIEWED_RANGE
    viewed = (pl.col("dwell_seconds").fill_null(0) / VIEWED_FULL_SECONDS).clip(low, high)
    acts = recent(daily, as_of=as_of, days=HISTORY_DAYS).with_columns(
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
    rows = pl.concat([part.select("user_id", "job_id", "amount") for part in (acts, saves)]).filter(
        pl.col("amount") != 0
    )
    users = rows.select(pl.col("user_id").unique()).collect(engine="streaming")["user_id"].sort()
    columns = pl.DataFrame({"job_id": job_ids}).with_row_index("column")
    (sums,) = pair_sums(rows, amounts=["amount"], user_ids=users, column_of_job=columns, n_columns=len(job_ids))
    sums.data = np.asarray(sums.data / MICRO, dtype=np.float32)
    return WeightMatrix(users, job_ids, sums)


def _micro(weight: pl.Expr, half_life_days: float) -> pl.Expr:
    return (weight * decay(half_life_days) * MICRO).round().cast(pl.Int64)


def _mean_matrix(lists: pl.Series, embedded: TextVectors) -> Csr:
    """(rows, texts): the mean over a row's list as a matrix to multiply the text vectors with."""
    flat = pl.DataFrame({"text": lists}).with_row_index("row").explode("text").drop_nulls("text")
    column = embedded.rows_of(flat["text"])
    row = flat["row"].to_numpy().astype(np.int64)
    n_found = np.bincount(row[column >= 0], minlength=len(lists))
    return csr_from_coordinates(row, column, 1 / np.maximum(n_found[row], 1), shape=(len(lists), len(embedded.hashes)))


def _gather(embedded: TextVectors, texts: pl.Series) -> Floats:
    return _taken(embedded.vectors, embedded.rows_of(texts))


def _taken(vectors: NDArray[np.floating], rows: NDArray[np.int32]) -> Floats:
    """The given rows as float32, zeros for -1."""
    taken = np.zeros((len(rows), vectors.shape[1]), dtype=np.float32)
    known = rows >= 0
    taken[known] = vectors[rows[known]]
    return taken


def _distinct(embedded: TextVectors, texts: pl.Series) -> tuple[Floats, NDArray[np.int32]]:
    """The vectors that `texts` use, once each, and each text's row in them."""
    rows = embedded.rows_of(texts)
    used, inverse = np.unique(rows[rows >= 0], return_inverse=True)
    place = np.full(len(rows), -1, dtype=np.int32)
    place[rows >= 0] = inverse
    return embedded.vectors[used], place
