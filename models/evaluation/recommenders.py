"""One interface for whatever scores jobs for users, one way to make lists of the scores, and the plain baselines."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import Csr, positions, unit_rows
from models.fitting.als import AlsModel
from models.fitting.neighbours import JobNeighbours, UserNeighbours
from models.fitting.vectors import UserVectors
from models.ranking.candidates import top_k

Floats = NDArray[np.float32]

LISTS = {"user_id": pl.String, "rank": pl.Int32, "job_id": pl.String, "score": pl.Float32}
NO_OPINION = np.float32(-np.inf)
_BLOCK_CELLS = 16_000_000
_MAX_BLOCK_ROWS = 1024


class Recommender(Protocol):
    """Scores all its jobs for a batch of users."""

    @property
    def job_ids(self) -> pl.Series:
        """The jobs that the columns of `score` stand for; distinct and sorted."""

    def score(self, user_ids: pl.Series) -> Floats:
        """(users, jobs), larger is better, -inf where there is no opinion: all of the row for an unknown user."""


def recommend(
    recommender: Recommender, user_ids: pl.Series, *, k: int, excluded: pl.DataFrame | None = None
) -> pl.DataFrame:
    """LISTS of at most `k` jobs for each of `user_ids`, in their order, ranks from 1; who comes twice is answered once.

    Pairs of `excluded` (user_id, job_id) never come out, nor jobs without an opinion: a list may be short or absent,
    it is never padded. Scores are rounded to six decimals and equal ones come in the order of the ids. Raises
    ValueError for a negative `k`.
    """
    if k < 0:
        raise ValueError(f"recommend: k is {k}; it must be at least 0")
    job_ids, user_ids = recommender.job_ids, user_ids.unique(maintain_order=True).drop_nulls()
    banned_user, banned_job = _places(excluded, user_ids, job_ids)
    rows_at_once = max(1, min(_MAX_BLOCK_ROWS, _BLOCK_CELLS // max(len(job_ids), 1)))
    parts = [pl.DataFrame(schema=LISTS)]
    for start in range(0, len(user_ids), rows_at_once):
        users = user_ids.slice(start, rows_at_once)
        scores = np.round(recommender.score(users), 6)
        banned = slice(*np.searchsorted(banned_user, [start, start + len(users)]))
        scores[banned_user[banned] - start, banned_job[banned]] = NO_OPINION
        best = top_k(scores, k)
        row, place = np.nonzero(best >= 0)
        column = best[row, place]
        parts.append(
            pl.DataFrame(
                {
                    "user_id": users.gather(row),
                    "rank": place + 1,
                    "job_id": job_ids.gather(column),
                    "score": scores[row, column],
                },
                schema_overrides=LISTS,
            )
        )
    return pl.concat(parts)


def _places(
    pairs: pl.DataFrame | None, user_ids: pl.Series, job_ids: pl.Series
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The positions of the users and jobs of `pairs`, by user; pairs of strangers left out."""
    if pairs is None:
        return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
    user, job = positions(user_ids, pairs["user_id"]), positions(job_ids, pairs["job_id"])
    known = np.flatnonzero((user >= 0) & (job >= 0))
    order = known[np.argsort(user[known], kind="stable")]
    return user[order], job[order]


@dataclass(frozen=True, eq=False)
class Popularity:
    """The same scores for everyone: popularity, recency, or any other value of a job. NaN is no opinion."""

    job_ids: pl.Series
    values: Floats

    def score(self, user_ids: pl.Series) -> Floats:
        known = np.where(np.isnan(self.values), NO_OPINION, self.values).astype(np.float32)
        return np.repeat(known[None, :], len(user_ids), axis=0)


@dataclass(frozen=True, eq=False)
class FactorRecommender:
    """Products of user and job rows: ALS, or cosines of content vectors. A row of zeros is no opinion."""

    user_ids: pl.Series
    user_rows: NDArray[np.floating]
    job_ids: pl.Series
    job_rows: Floats

    def score(self, user_ids: pl.Series) -> Floats:
        found = positions(self.user_ids, user_ids)
        users = np.zeros((len(found), self.job_rows.shape[1]), dtype=np.float32)
        users[found >= 0] = self.user_rows[found[found >= 0]]
        scores = users @ self.job_rows.T
        scores[~users.any(axis=1)] = NO_OPINION
        scores[:, ~self.job_rows.any(axis=1)] = NO_OPINION
        return scores


@dataclass(frozen=True, eq=False)
class ItemKnn:
    """Sum over a user's jobs of their likeness to the job: `history` users x jobs, over the neighbours' jobs."""

    user_ids: pl.Series
    history: Csr
    neighbours: JobNeighbours

    @property
    def job_ids(self) -> pl.Series:
        return self.neighbours.job_ids

    def score(self, user_ids: pl.Series) -> Floats:
        return _positive(_rows_of(self.history, positions(self.user_ids, user_ids)) @ self.neighbours.matrix())


@dataclass(frozen=True, eq=False)
class UserKnn:
    """Sum over similar users of what they took to."""

    neighbours: UserNeighbours

    @property
    def job_ids(self) -> pl.Series:
        return self.neighbours.job_ids

    def score(self, user_ids: pl.Series) -> Floats:
        rows = positions(self.neighbours.user_ids, user_ids)
        return _positive(_rows_of(self.neighbours.matrix(), rows) @ self.neighbours.history())


def als_recommender(model: AlsModel, *, job_ids: pl.Series) -> FactorRecommender:
    """ALS over the jobs of `job_ids` (sorted) that may be recommended."""
    shown = _selected(model.job_ids, job_ids)
    return FactorRecommender(model.user_ids, model.user_factors, model.job_ids.gather(shown), model.job_factors[shown])


def content_recommender(users: UserVectors, job_ids: pl.Series, vectors: Floats) -> FactorRecommender:
    """Cosine of the users' vectors and the jobs' `vectors` (n, d) beside sorted `job_ids`."""
    return FactorRecommender(users.user_ids, users.vectors, job_ids, unit_rows(vectors))


def _selected(known: pl.Series, wanted: pl.Series) -> NDArray[np.int32]:
    rows = positions(known, wanted)
    return np.sort(rows[rows >= 0])


def _rows_of(values: Csr, rows: NDArray[np.int32]) -> Csr:
    """The rows of a CSR matrix, empty ones for -1."""
    taken = values[np.maximum(rows, 0)] if values.shape[0] else type(values)((len(rows), values.shape[1]))
    taken.data = np.where(np.repeat(rows >= 0, np.diff(taken.indptr)), taken.data, 0).astype(np.float32)
    return taken


def _positive(scores: Csr) -> Floats:
    dense = scores.toarray().astype(np.float32)
    return np.where(dense > 0, dense, NO_OPINION)
