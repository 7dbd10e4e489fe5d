"""One interface for models that score jobs for users, one way to turn scores into lists, and plain baselines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import Csr, Floats, Ints, csr_rows_or_empty, positions, rows_or_zeros, sorted_ids, unit_rows
from models.fitting.als import AlsModel
from models.fitting.item_knn import JobNeighbours
from models.fitting.sparse_models import SparseModel
from models.fitting.user_knn import UserNeighbours
from models.fitting.user_vectors import UserVectors
from models.ranking.candidates import first_allowed, top_k

LISTS = {"user_id": pl.String, "rank": pl.Int32, "job_id": pl.String, "score": pl.Float32}
NEGLIGIBLE_SCORE = 1e-6
NO_OPINION = np.float32(-np.inf)
_BLOCK_CELLS = 16_000_000
_MAX_BLOCK_ROWS = 1024


class Recommender(Protocol):
    """Scores all its jobs for a batch of users."""

    @property
    def job_ids(self) -> pl.Series:
        """The jobs of the columns of `score`; distinct and sorted."""

    def score(self, user_ids: pl.Series) -> Floats:
        """(users, jobs): larger is better, -inf is no opinion; the row of an unknown user is -inf."""


def recommend(
    recommender: Recommender, user_ids: pl.Series, *, k: int, excluded: pl.DataFrame | None = None
) -> pl.DataFrame:
    """LISTS of at most `k` jobs for each of the distinct `user_ids`, in their order, ranks from 1.

    Pairs of `excluded` (user_id, job_id) and jobs without an opinion are never returned: a list may be short or absent,
    it is never padded. Scores are rounded to six decimals; equal ones are in the order of the ids. Raises ValueError
    for a negative `k`.
    """
    if k < 0:
        raise ValueError(f"recommend: k is {k}; it must be at least 0")
    job_ids, user_ids = recommender.job_ids, user_ids.unique(maintain_order=True).drop_nulls()
    banned_user, banned_job = excluded_positions(excluded, user_ids, job_ids)
    rows_at_once = max(1, min(_MAX_BLOCK_ROWS, _BLOCK_CELLS // max(len(job_ids), 1)))
    parts = [pl.DataFrame(schema=LISTS)]
    for start in range(0, len(user_ids), rows_at_once):
        users = user_ids.slice(start, rows_at_once)
        scores = np.round(recommender.score(users), 6)
        banned = slice(*np.searchsorted(banned_user, [start, start + len(users)]))
        scores[banned_user[banned] - start, banned_job[banned]] = NO_OPINION
        best = top_k(scores, k)
        row, position = np.nonzero(best >= 0)
        column = best[row, position]
        parts.append(
            pl.DataFrame(
                {
                    "user_id": users.gather(row),
                    "rank": position + 1,
                    "job_id": job_ids.gather(column),
                    "score": scores[row, column],
                },
                schema_overrides=LISTS,
            )
        )
    return pl.concat(parts)


def same_for_all(values: Floats, excluded: Csr, *, k: int) -> Ints:
    """The `k` jobs with the greatest `values` that are not `excluded` (users x jobs), (U, k), -1 padded.

    Popularity and recency are such lists. NaN is no opinion; equal values are in the order of the jobs.
    """
    order = np.argsort(-values, kind="stable")[: np.count_nonzero(~np.isnan(values))].astype(np.int32)
    return first_allowed(order[None, :], np.zeros(excluded.shape[0], dtype=np.int32), excluded, k=k)


def excluded_positions(pairs: pl.DataFrame | None, user_ids: pl.Series, job_ids: pl.Series) -> tuple[Ints, Ints]:
    """The positions of the users and jobs of `pairs`, sorted by user, without unknown users and jobs."""
    if pairs is None:
        return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
    user, job = positions(user_ids, pairs["user_id"]), positions(job_ids, pairs["job_id"])
    known = np.flatnonzero((user >= 0) & (job >= 0))
    order = known[np.argsort(user[known], kind="stable")]
    return user[order], job[order]


@dataclass(frozen=True, eq=False)
class Popularity:
    """The same scores for all users: popularity, recency or any other value of a job. NaN is no opinion."""

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
        users = rows_or_zeros(self.user_rows, positions(self.user_ids, user_ids))
        scores = users @ self.job_rows.T
        scores[~users.any(axis=1)] = NO_OPINION
        scores[:, ~self.job_rows.any(axis=1)] = NO_OPINION
        return scores


@dataclass(frozen=True, eq=False)
class ItemKnn:
    """Sum of the similarities of a user's jobs to the job: `history` is users x the jobs of `neighbours`."""

    user_ids: pl.Series
    history: Csr
    neighbours: JobNeighbours

    @property
    def job_ids(self) -> pl.Series:
        return self.neighbours.job_ids

    def score(self, user_ids: pl.Series) -> Floats:
        return _positive(csr_rows_or_empty(self.history, positions(self.user_ids, user_ids)) @ self.neighbours.matrix())


@dataclass(frozen=True, eq=False)
class Restricted:
    """Another recommender for the jobs of `shown` only, those that it does not know left out."""

    recommender: Recommender
    shown: pl.Series

    @property
    def job_ids(self) -> pl.Series:
        return self.recommender.job_ids.gather(self._columns())

    def score(self, user_ids: pl.Series) -> Floats:
        return self.recommender.score(user_ids)[:, self._columns()]

    def _columns(self) -> Ints:
        return np.flatnonzero(positions(self.shown, self.recommender.job_ids) >= 0).astype(np.int32)


@dataclass(frozen=True, eq=False)
class UserKnn:
    """Sum of the histories of similar users."""

    neighbours: UserNeighbours

    @property
    def job_ids(self) -> pl.Series:
        return self.neighbours.job_ids

    def score(self, user_ids: pl.Series) -> Floats:
        rows = positions(self.neighbours.user_ids, user_ids)
        return _positive(csr_rows_or_empty(self.neighbours.matrix(), rows) @ self.neighbours.history())


@dataclass(frozen=True, eq=False)
class SparseRecommender:
    """The positive scores of a sparse model."""

    model: SparseModel

    @property
    def job_ids(self) -> pl.Series:
        return self.model.job_ids

    def score(self, user_ids: pl.Series) -> Floats:
        rows = positions(self.model.user_ids, user_ids)
        return _positive(csr_rows_or_empty(self.model.left, rows) @ self.model.right)


@dataclass(frozen=True, eq=False)
class Blend:
    """The weighted sum of the `shares` of several recommenders; weights are positive.

    A recommender without an opinion on a job adds 0; a job on which none has one gets none.
    """

    recommenders: Sequence[Recommender]
    weights: Sequence[float]

    @property
    def job_ids(self) -> pl.Series:
        return sorted_ids(*(one.job_ids for one in self.recommenders))

    def score(self, user_ids: pl.Series) -> Floats:
        job_ids = self.job_ids
        total = np.zeros((len(user_ids), len(job_ids)), dtype=np.float32)
        for one, weight in zip(self.recommenders, self.weights, strict=True):
            total[:, positions(job_ids, one.job_ids)] += np.float32(weight) * shares(one.score(user_ids))
        return np.where(total > 0, total, NO_OPINION)


def shares(scores: Floats) -> Floats:
    """Scores (B, J) as shares of each row's greatest one, in [0, 1]; 0 for no opinion and below 0."""
    positive = np.maximum(scores, 0)
    greatest = positive.max(axis=1, keepdims=True, initial=0)
    return np.asarray(positive / np.where(greatest > NEGLIGIBLE_SCORE, greatest, np.inf), dtype=np.float32)


def recommender_of(model: AlsModel | SparseModel) -> Recommender:
    """The recommender of a fitted model of the registry, over all jobs that the model knows."""
    return als_recommender(model, job_ids=model.job_ids) if isinstance(model, AlsModel) else SparseRecommender(model)


def als_recommender(model: AlsModel, *, job_ids: pl.Series) -> FactorRecommender:
    """ALS over the jobs of `job_ids` (sorted) that may be recommended."""
    rows = positions(model.job_ids, job_ids)
    shown = np.sort(rows[rows >= 0])
    return FactorRecommender(model.user_ids, model.user_factors, model.job_ids.gather(shown), model.job_factors[shown])


def content_recommender(users: UserVectors, job_ids: pl.Series, vectors: Floats) -> FactorRecommender:
    """Cosine of user vectors and job `vectors` (n, d), whose rows are the sorted `job_ids`."""
    return FactorRecommender(users.user_ids, users.vectors, job_ids, unit_rows(vectors))


def _positive(scores: Csr) -> Floats:
    dense = scores.toarray().astype(np.float32)
    return np.where(dense > 0, dense, NO_OPINION)
