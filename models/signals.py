"""What the fitted models say of one shard's users and of the jobs that may be shown, aligned row by row.

A user or job that a model does not know has a row of zeros and `is_known` false. Nothing is fitted here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from models.als import AlsModel
from models.candidates import expand, rank_within
from models.encoding import JobTable, UserTable, encode_preferences
from models.ids import matrix, positions
from models.nearest import SEARCH_DIMENSIONS, JobIndex, build_index
from models.neighbours import JobNeighbours, UserNeighbours
from models.vectors import JobVectors, UserVectors

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]
Csr = Any

HISTORY_ITEMS = 12
APPLIED_ITEMS = 30  # newest applications of a user that also_applied starts from
# Kinds of history, strongest first: which reason a similar job is given with.
APPLIED, SAVED, VIEWED = 0, 1, 2
_SCORE_STEPS = 10_000


@dataclass(frozen=True)
class Factors:
    """Rows of a fitted matrix for the rows of a table, (n, d), and which of them the model knew."""

    rows: Floats
    is_known: Bools


@dataclass(frozen=True)
class Fitted:
    """The fitted models as they were trained."""

    als: AlsModel
    also_applied: JobNeighbours
    user_neighbours: UserNeighbours
    job_vectors: JobVectors
    user_vectors: UserVectors


@dataclass(frozen=True)
class JobSignals:
    """The models' side of the jobs that may be shown, the same for all shards."""

    als: Factors
    als_index: JobIndex
    content: Factors
    content_index: JobIndex
    culture: Factors
    taken_to: Csr  # users of the neighbours model x jobs: what each took to
    user_links: Csr  # users x users of that model


@dataclass(frozen=True)
class History:
    """What a shard's users did, (U, H) padded with -1: position in `job_ids`, kind; strongest and newest first."""

    job: Ints
    kind: Ints
    job_ids: pl.Series
    rows: Ints  # of those jobs in the JobTable, -1 where none stands for one
    vectors: Floats  # (jobs of the history, d)


@dataclass(frozen=True)
class Signals:
    """One shard's view of all models. CSR matrices: users x jobs, or users x what is named."""

    of_jobs: JobSignals
    als_users: Factors
    content_users: Factors
    culture_users: Factors
    neighbour_links: Csr  # users x users of the neighbours model
    also_applied: Csr  # score of the most related job applied to
    also_applied_source: Csr  # which one: 1 + position in history.job_ids
    affinity: Csr  # users x facets: affinity * confidence
    affinity_confidence: Csr
    history: History
    seen: Csr
    has_history: Bools


def job_signals(fitted: Fitted, jobs: JobTable) -> JobSignals:
    """Aligns the models with the jobs that may be shown, once for all shards."""
    taken_to = fitted.user_neighbours.history().tocoo()
    column = jobs.rows_of(fitted.user_neighbours.job_ids)[taken_to.col]
    shape = (len(fitted.user_neighbours.user_ids), jobs.n)
    als = align(fitted.als.job_ids, fitted.als.job_factors, jobs.ids)
    content = align(fitted.job_vectors.job_ids, fitted.job_vectors.vectors, jobs.ids)
    return JobSignals(
        als=als,
        als_index=build_index(als.rows),
        content=content,
        content_index=build_index(content.rows, n_dimensions=SEARCH_DIMENSIONS),
        culture=align(fitted.job_vectors.job_ids, fitted.job_vectors.culture, jobs.ids),
        taken_to=matrix(taken_to.row, column, taken_to.data, shape=shape),
        user_links=fitted.user_neighbours.matrix(),
    )


def shard_signals(
    users: UserTable,
    jobs: JobTable,
    *,
    interactions: pl.DataFrame,
    preferences: pl.DataFrame,
    fitted: Fitted,
    of_jobs: JobSignals,
) -> Signals:
    """The models' view of the users. Who switched personalisation off is known to none of them but by the profile.

    `interactions` (schema INTERACTIONS) and `preferences` (PREFERENCES) may hold other users: they are passed over.
    """
    willing = users.ids.filter(pl.Series(users.is_personalised))
    behaviour = interactions.filter(pl.col("user_id").is_in(willing.implode()))
    learned = preferences.filter(pl.col("user_id").is_in(willing.implode()))
    frame = history_frame(behaviour, users.ids)
    history = build_history(frame, n_users=users.n, jobs=jobs, vectors=fitted.job_vectors)
    also_applied, source = _also_applied(frame, fitted.also_applied, users, jobs, history.job_ids)
    affinity, confidence = encode_preferences(learned, users.ids, jobs.vocabularies["facet"])
    row = np.where(users.is_personalised, positions(fitted.user_neighbours.user_ids, users.ids), -1)
    model_row = positions(fitted.user_vectors.user_ids, users.ids)
    has_history = np.append(fitted.user_vectors.has_history, False)[model_row]  # -1: the last, which is nobody
    knows_no_more = users.is_personalised | ~has_history
    acted = interactions.filter(is_acted()).get_column("user_id").unique()
    return Signals(
        of_jobs=of_jobs,
        als_users=_only(align(fitted.als.user_ids, fitted.als.user_factors, users.ids), users.is_personalised),
        content_users=_only(as_factors(fitted.user_vectors.vectors_of(users.ids)), knows_no_more),
        culture_users=as_factors(fitted.user_vectors.summaries_of(users.ids)),
        neighbour_links=_rows_or_empty(of_jobs.user_links, row),
        also_applied=also_applied,
        also_applied_source=source,
        affinity=affinity,
        affinity_confidence=confidence,
        history=history,
        seen=seen_matrix(interactions, users=users.ids, jobs=jobs),
        has_history=positions(acted, users.ids) >= 0,
    )


def is_acted() -> pl.Expr:
    """True for an interaction that says something of the user, beyond having been shown a job."""
    counters = (
        "n_views",
        "n_clicks",
        "n_saves",
        "n_shares",
        "n_applies",
        "n_dismissals",
        "n_relevant",
        "n_not_relevant",
    )
    return pl.sum_horizontal(*(pl.col(name).fill_null(0) for name in counters)) > 0


def align(ids: pl.Series, rows: NDArray[Any], wanted: pl.Series) -> Factors:
    """The row of `rows` (one per id) for each wanted id; absent ones and rows of no length are not known."""
    found = positions(ids, wanted)
    aligned = np.zeros((len(wanted), rows.shape[1]), dtype=np.float32)
    hit = found >= 0
    aligned[hit] = rows[found[hit]]
    return as_factors(aligned)


def as_factors(rows: Floats) -> Factors:
    """Rows as they are; those of zeros are not known."""
    return Factors(rows=rows, is_known=np.asarray(rows.any(axis=1), dtype=bool))


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


def build_history(frame: pl.DataFrame, *, n_users: int, jobs: JobTable, vectors: JobVectors) -> History:
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
    found = align(vectors.job_ids, vectors.vectors, job_ids)
    return History(job=job, kind=kind, job_ids=job_ids, rows=jobs.rows_of(job_ids), vectors=found.rows)


def seen_matrix(interactions: pl.DataFrame, *, users: pl.Series, jobs: JobTable) -> Csr:
    """Which jobs each user has viewed or clicked (or a duplicate of them): CSR users x jobs of ones."""
    seen = interactions.filter(pl.col("is_seen").fill_null(value=False))
    return ones(positions(users, seen["user_id"]), jobs.rows_of(seen["job_id"]), shape=(len(users), jobs.n))


def ones(rows: NDArray[Any], columns: NDArray[Any], *, shape: tuple[int, int]) -> Csr:
    """A CSR matrix of ones at the given places; negative places are left out, repeated ones count once."""
    made = matrix(rows, columns, np.ones(len(rows), dtype=np.float32), shape=shape)
    made.data[:] = 1
    return made


def _also_applied(
    frame: pl.DataFrame, model: JobNeighbours, users: UserTable, jobs: JobTable, history_ids: pl.Series
) -> tuple[Csr, Csr]:
    """Per user and job the largest score to one of the user's applications, and that application."""
    applied = frame.filter(pl.col("kind") == APPLIED)
    user = applied["user"].to_numpy()
    place = rank_within(user)
    kept = place < APPLIED_ITEMS
    user, place = user[kept], place[kept]
    job_ids = applied["job_id"].filter(pl.Series(kept))
    applied_job = np.full((users.n, APPLIED_ITEMS), -1, dtype=np.int64)
    applied_job[user, place] = positions(history_ids, job_ids)
    row = positions(model.job_ids, job_ids)
    user, place, row = user[row >= 0], place[row >= 0], row[row >= 0]
    pair, position = expand(model.indptr[row], np.diff(model.indptr)[row])
    column = jobs.rows_of(model.job_ids)[model.indices[position]].astype(np.int64)
    step = np.rint(np.clip(model.scores[position].astype(np.float64), 0, 1) * _SCORE_STEPS).astype(np.int64)
    shown = (column >= 0) & (step > 0)
    # One integer for place in the matrix, score and application: sorted, the first of each place is the largest.
    pair_place = user[pair[shown]].astype(np.int64) * jobs.n + column[shown]
    key = np.sort((pair_place << 19) | ((_SCORE_STEPS - step[shown]) << 5) | place[pair[shown]])
    key = key[np.flatnonzero(np.diff(key >> 19, prepend=-1))]
    rows, columns = np.divmod(key >> 19, max(jobs.n, 1))
    scores = (_SCORE_STEPS - ((key >> 5) & 0x3FFF)) / _SCORE_STEPS
    source = 1 + applied_job[rows, key & 31]
    shape = (users.n, jobs.n)
    return matrix(rows, columns, scores, shape=shape), matrix(rows, columns, source, shape=shape)


def _only(factors: Factors, allowed: Bools) -> Factors:
    return Factors(rows=factors.rows, is_known=factors.is_known & allowed)


def _rows_or_empty(table: Csr, rows: NDArray[Any]) -> Csr:
    """The given rows of a CSR matrix; an empty row for -1."""
    known = np.flatnonzero(rows >= 0)
    picker = sparse.csr_matrix(
        (np.ones(len(known), dtype=np.float32), (known, rows[known])), shape=(len(rows), table.shape[0])
    )
    return (picker @ table).tocsr()
