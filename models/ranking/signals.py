"""What the fitted models say of one shard's users and of the jobs that may be shown, aligned row by row.

A user or job that a model does not know has a row of zeros and `is_known` false. Nothing is fitted here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import (
    Bools,
    Csr,
    Floats,
    Ints,
    csr_from_coordinates,
    csr_of_ones,
    csr_rows_or_empty,
    expand_slices,
    padded_rows,
    positions,
    rank_within,
    rows_or_zeros,
)
from models.fitting.als import AlsModel
from models.fitting.neighbours import JobNeighbours, UserNeighbours
from models.fitting.vectors import JobVectors, UserVectors
from models.ranking.interaction_arrays import APPLIED as APPLIED_BIT
from models.ranking.interaction_arrays import DISMISSED, LIKED, SEEN, Behaviour, Catalog
from models.ranking.interaction_arrays import SAVED as SAVED_BIT
from models.ranking.job_arrays import JobTable
from models.ranking.population import Population
from models.ranking.retrievers.nearest import EXACT_JOBS, JobIndex, build_index
from models.sort_keys import KeyLayout

HISTORY_ITEMS = 12
APPLIED_ITEMS = 30  # newest applications of a user that also_applied starts from
# Kinds of history, strongest first: which reason a similar job is given with.
APPLIED, SAVED, VIEWED = 0, 1, 2
_SCORE_STEPS = 10_000
_APPLIED_KEY = KeyLayout(pair=44, distance=14, place=5)
_PROBED_BY_CONTENT = 1_000  # text vectors lie in tight clusters


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
    catalog: Catalog
    applied_rows: Ints  # of the catalog's jobs in the model of joint applications
    vectors: Floats  # of the model of job vectors
    vector_rows: Ints  # of the catalog's jobs in it
    also_applied_columns: Ints  # the row of the JobTable for each job of the model of joint applications


@dataclass(frozen=True)
class UserRows:
    """Where each model has the users of a population, -1 where it has not."""

    als: Ints
    neighbours: Ints
    vectors: Ints

    def take(self, rows: NDArray[Any]) -> "UserRows":
        """Those of the users at the given positions."""
        return UserRows(self.als[rows], self.neighbours[rows], self.vectors[rows])


@dataclass(frozen=True)
class History:
    """What a shard's users took to, (U, H), -1 padded: position in the catalog, kind; strongest and newest first."""

    job: Ints
    kind: Ints
    catalog: Catalog


@dataclass(frozen=True)
class Signals:
    """One shard's view of all models. CSR matrices: users x jobs, or users x what is named."""

    of_jobs: JobSignals
    als_users: Factors
    content_users: Factors
    culture_users: Factors
    neighbour_links: Csr  # users x users of the neighbours model
    also_applied: Csr  # score of the most related job applied to
    also_applied_source: Csr  # which one: 1 + position in the catalog
    affinity: Csr  # users x facets: affinity * confidence
    affinity_confidence: Csr
    history: History
    seen: Csr
    has_history: Bools


def job_signals(fitted: Fitted, jobs: JobTable, known: Catalog, *, exact_jobs: int = EXACT_JOBS) -> JobSignals:
    """Aligns the models with the jobs that may be shown, once for all shards; `exact_jobs` as in build_index."""
    taken_to = fitted.user_neighbours.history().tocoo()
    column = jobs.rows_of(fitted.user_neighbours.job_ids)[taken_to.col]
    shape = (len(fitted.user_neighbours.user_ids), jobs.n)
    als = align(fitted.als.job_ids, fitted.als.job_factors, jobs.ids)
    content = align(fitted.job_vectors.job_ids, fitted.job_vectors.vectors, jobs.ids)
    return JobSignals(
        als=als,
        als_index=build_index(als.rows, exact_jobs=exact_jobs),
        content=content,
        content_index=build_index(content.rows, exact_jobs=exact_jobs, probed_jobs=_PROBED_BY_CONTENT),
        culture=align(fitted.job_vectors.job_ids, fitted.job_vectors.culture, jobs.ids),
        taken_to=csr_from_coordinates(taken_to.row, column, taken_to.data, shape=shape),
        user_links=fitted.user_neighbours.matrix(),
        catalog=known,
        applied_rows=positions(fitted.also_applied.job_ids, known.representatives),
        vectors=fitted.job_vectors.vectors,
        vector_rows=positions(fitted.job_vectors.job_ids, known.job_ids),
        also_applied_columns=jobs.rows_of(fitted.also_applied.job_ids),
    )


def user_rows(fitted: Fitted, user_ids: pl.Series) -> UserRows:
    """Once for a whole population: an index of a million ids is not made again for each shard."""
    return UserRows(
        als=positions(fitted.als.user_ids, user_ids),
        neighbours=positions(fitted.user_neighbours.user_ids, user_ids),
        vectors=positions(fitted.user_vectors.user_ids, user_ids),
    )


def shard_signals(people: Population, rows: UserRows, *, fitted: Fitted, of_jobs: JobSignals) -> Signals:
    """The models' view of the users. Who switched personalisation off is known to none of them but by the profile."""
    users, behaviour = people.users, people.behaviour
    willing = users.is_personalised
    history = build_history(behaviour, willing, of_jobs.catalog)
    also_applied, source = _also_applied(behaviour, willing, fitted.also_applied, of_jobs, n_jobs=len(of_jobs.als.rows))
    has_history = np.append(fitted.user_vectors.has_history, False)[rows.vectors]  # -1: the last, which is nobody
    summary_rows = np.append(fitted.user_vectors.summary_rows, -1)[rows.vectors]
    vectors = as_factors(rows_or_zeros(fitted.user_vectors.vectors, rows.vectors))
    return Signals(
        of_jobs=of_jobs,
        als_users=_only(as_factors(rows_or_zeros(fitted.als.user_factors, rows.als)), willing),
        content_users=_only(vectors, willing | ~has_history),
        culture_users=as_factors(rows_or_zeros(fitted.user_vectors.summary_vectors, summary_rows)),
        neighbour_links=csr_rows_or_empty(of_jobs.user_links, np.where(willing, rows.neighbours, -1)),
        also_applied=also_applied,
        also_applied_source=source,
        affinity=people.affinity,
        affinity_confidence=people.affinity_confidence,
        history=history,
        seen=pairs_with(behaviour, SEEN, of_jobs.catalog, n_jobs=len(of_jobs.als.rows)),
        has_history=behaviour.has_acted,
    )


def align(ids: pl.Series, rows: NDArray[Any], wanted: pl.Series) -> Factors:
    """The row of `rows` (one per id) for each wanted id; absent ones and rows of no length are not known."""
    return as_factors(rows_or_zeros(rows, positions(ids, wanted)))


def as_factors(rows: Floats) -> Factors:
    """Rows as they are; those of zeros are not known."""
    return Factors(rows=rows, is_known=np.asarray(rows.any(axis=1), dtype=bool))


def build_history(behaviour: Behaviour, willing: Bools, known: Catalog) -> History:
    """The first HISTORY_ITEMS jobs of each willing user: applied before saved before viewed, the newest first."""
    acts, user = behaviour.acts, behaviour.user
    kind = np.select(
        [(acts & APPLIED_BIT) > 0, (acts & SAVED_BIT) > 0, (acts & (SEEN | LIKED)) > 0], [APPLIED, SAVED, VIEWED], -1
    )
    kept = np.flatnonzero((kind >= 0) & ((acts & DISMISSED) == 0) & willing[user])
    # Rows come newest first: a stable sort by user and kind keeps that within both.
    kept = kept[np.argsort(user[kept].astype(np.int64) * 4 + kind[kept], kind="stable")]
    shape = (len(willing), HISTORY_ITEMS)
    return History(
        job=padded_rows(user[kept], behaviour.job[kept], n_rows=shape[0], width=shape[1]),
        kind=padded_rows(user[kept], kind[kept].astype(np.int32), n_rows=shape[0], width=shape[1]),
        catalog=known,
    )


def pairs_with(behaviour: Behaviour, acts: np.uint8, known: Catalog, *, n_jobs: int) -> Csr:
    """The pairs with any of the `acts` (or a duplicate's): CSR users x jobs of ones."""
    kept = (behaviour.acts & acts) > 0
    shape = (len(behaviour.indptr) - 1, n_jobs)
    return csr_of_ones(behaviour.user[kept], known.rows[behaviour.job[kept]], shape=shape)


def _also_applied(
    behaviour: Behaviour, willing: Bools, model: JobNeighbours, of_jobs: JobSignals, *, n_jobs: int
) -> tuple[Csr, Csr]:
    """Per user and job the largest score to one of the user's newest applications, and that application."""
    acts, every = behaviour.acts, behaviour.user
    kept = np.flatnonzero(((acts & APPLIED_BIT) > 0) & ((acts & DISMISSED) == 0) & willing[every])
    user, applied = every[kept], behaviour.job[kept]
    place = rank_within(user)
    applied_job = padded_rows(user, applied, n_rows=len(willing), width=APPLIED_ITEMS)
    row = of_jobs.applied_rows[applied]
    usable = (place < APPLIED_ITEMS) & (row >= 0)
    user, place, row = user[usable], place[usable], row[usable]
    pair, position = expand_slices(model.indptr[row], np.diff(model.indptr)[row])
    column = of_jobs.also_applied_columns[model.indices[position]].astype(np.int64)
    step = np.rint(np.clip(model.scores[position].astype(np.float64), 0, 1) * _SCORE_STEPS).astype(np.int64)
    shown = (column >= 0) & (step > 0)
    # One integer for place in the matrix, score and application: sorted, the first of each place is the largest.
    pair_place = user[pair[shown]].astype(np.int64) * n_jobs + column[shown]
    key = np.sort(_APPLIED_KEY.pack(pair=pair_place, distance=_SCORE_STEPS - step[shown], place=place[pair[shown]]))
    pair_place = _APPLIED_KEY.unpack(key, "pair")
    is_first = np.diff(pair_place, prepend=-1) > 0
    key, pair_place = key[is_first], pair_place[is_first]
    rows, columns = np.divmod(pair_place, max(n_jobs, 1))
    scores = (_SCORE_STEPS - _APPLIED_KEY.unpack(key, "distance")) / _SCORE_STEPS
    source = 1 + applied_job[rows, _APPLIED_KEY.unpack(key, "place")]
    shape = (len(willing), n_jobs)
    return csr_from_coordinates(rows, columns, scores, shape=shape), csr_from_coordinates(
        rows, columns, source, shape=shape
    )


def _only(factors: Factors, allowed: Bools) -> Factors:
    return Factors(rows=factors.rows, is_known=factors.is_known & allowed)
