"""One interface for models that score jobs for users, one way to turn scores into lists, and plain baselines."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import (
    Csr,
    Floats,
    Ints,
    csr_of_ones,
    csr_rows_or_empty,
    positions,
    rows_or_zeros,
    unit_rows,
)
from models.fitting.als import AlsModel
from models.fitting.sparse_models import SparseModel
from models.fitting.user_vectors import UserVectors
from models.kernels.dense_rows import top_k_rounded
from models.kernels.sparse_rows import best_columns, lookup
from models.ranking.candidates import first_allowed

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

    def score(self, user_ids: pl.Series) -> Floats | Csr:
        """(users, jobs), larger is better; the row of an unknown user has no opinion.

        No opinion is -inf in a dense matrix, and no entry or one that is not positive in a sparse one.
        """


@dataclass(frozen=True)
class BestScores:
    """The best `jobs` (U, k) of each user by column, -1 padded, with their `scores`, rounded to six decimals.

    `greatest` (U,) is the user's greatest score, that of excluded jobs included; -inf without an opinion.
    """

    jobs: Ints
    scores: Floats
    greatest: Floats


def best_scores(
    recommender: Recommender, user_ids: pl.Series, *, k: int, excluded: pl.DataFrame | None = None
) -> BestScores:
    """The `k` best jobs of each of the distinct `user_ids` without the pairs of `excluded` (user_id, job_id).

    Equal scores are in the order of the ids.
    """
    n_users, n_jobs = len(user_ids), len(recommender.job_ids)
    banned_user, banned_job = excluded_positions(excluded, user_ids, recommender.job_ids)
    width = max(0, min(k, n_jobs))
    found = BestScores(
        np.full((n_users, width), -1, np.int32), np.zeros((n_users, width), np.float32), np.full(n_users, NO_OPINION)
    )
    rows_at_once = max(1, min(_MAX_BLOCK_ROWS, _BLOCK_CELLS // max(n_jobs, 1)))
    for start in range(0, n_users if width else 0, rows_at_once):
        users = user_ids.slice(start, rows_at_once)
        rows = slice(start, start + len(users))
        of_block = slice(*np.searchsorted(banned_user, [rows.start, rows.stop]))
        banned = csr_of_ones(banned_user[of_block] - start, banned_job[of_block], shape=(len(users), n_jobs))
        scores = recommender.score(users)
        best = _best(scores, banned, width)
        found.jobs[rows] = best
        columns = np.maximum(best, 0)
        chosen = lookup(scores, columns) if sparse.issparse(scores) else np.take_along_axis(scores, columns, axis=1)
        found.scores[rows] = np.round(np.where(best >= 0, chosen, 0), 6)
        found.greatest[rows] = scores.max(axis=1).toarray().ravel() if sparse.issparse(scores) else scores.max(axis=1)
    return found


def _best(scores: Any, banned: Csr, k: int) -> Ints:
    if sparse.issparse(scores):
        scores.data = np.round(scores.data, 6)
        return best_columns(scores, banned, k)
    return top_k_rounded(scores, banned, k)


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
    user_ids = user_ids.unique(maintain_order=True).drop_nulls()
    found = best_scores(recommender, user_ids, k=k, excluded=excluded)
    row, position = np.nonzero(found.jobs >= 0)
    return pl.DataFrame(
        {
            "user_id": user_ids.gather(row),
            "rank": position + 1,
            "job_id": recommender.job_ids.gather(found.jobs[row, position]),
            "score": found.scores[row, position],
        },
        schema_overrides=LISTS,
    ).cast(LISTS)  # type: ignore[arg-type]


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
        scores[:, self._unknown_jobs] = NO_OPINION
        return scores

    @cached_property
    def _unknown_jobs(self) -> NDArray[np.intp]:
        return np.flatnonzero(~self.job_rows.any(axis=1))


@dataclass(frozen=True, eq=False)
class Restricted:
    """Another recommender for the jobs of `shown` only, those that it does not know left out."""

    recommender: Recommender
    shown: pl.Series

    @property
    def job_ids(self) -> pl.Series:
        return self.recommender.job_ids.gather(self._columns)

    def score(self, user_ids: pl.Series) -> Floats | Csr:
        return self.recommender.score(user_ids)[:, self._columns]

    @cached_property
    def _columns(self) -> Ints:
        return np.flatnonzero(positions(self.shown, self.recommender.job_ids) >= 0).astype(np.int32)


@dataclass(frozen=True, eq=False)
class SparseRecommender:
    """The positive scores of a sparse model."""

    model: SparseModel

    @property
    def job_ids(self) -> pl.Series:
        return self.model.job_ids

    def score(self, user_ids: pl.Series) -> Csr:
        rows = positions(self.model.user_ids, user_ids)
        return csr_rows_or_empty(self.model.left, rows) @ self.model.right


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
