"""What models say of the users that a choice is judged by, and the weights of a blend, chosen on held-out interactions.

Greedy ensemble selection (Caruana et al., "Ensemble selection from libraries of models", 2004) over per-user shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import Csr, Doubles, Floats, csr_from_coordinates, csr_of_shape, positions, rank_within, sorted_ids
from models.evaluation.metrics import ranking_metrics
from models.evaluation.recommenders import NEGLIGIBLE_SCORE, Recommender, best_scores
from models.evaluation.splits import Split
from models.kernels.sparse_rows import best_columns, lookup

_DEPTH = 100  # jobs per user and recommender that a blend is chosen from
# Jobs per user and recommender whose shares are known; one further down counts as a share of 0. They are all that is
# kept of a fitted model: 4 kB a user.
_KEPT = 500
_STEPS = (0.05, 0.1, 0.2, 0.35, 0.5)
_MAX_ROUNDS = 12
_LEAST_GAIN = 1e-4  # of NDCG, for one more step
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True, eq=False)
class Truth:
    """The held-out interactions of a split: `gains` is users x jobs, ids are sorted."""

    user_ids: pl.Series
    job_ids: pl.Series
    gains: Csr

    @classmethod
    def of(cls, split: Split) -> "Truth":
        users, jobs = sorted_ids(split.truth["user_id"]), sorted_ids(split.truth["job_id"])
        row, column = positions(users, split.truth["user_id"]), positions(jobs, split.truth["job_id"])
        gain = split.truth["gain"].to_numpy()
        return cls(users, jobs, csr_from_coordinates(row, column, gain, shape=(len(users), len(jobs))))


@dataclass(frozen=True, eq=False)
class Scored:
    """The best jobs of each user of a split's truth by one recommender, those known to the user left out.

    `shares` (users x jobs) are in (0, 1], of the user's greatest score over all jobs.
    """

    job_ids: pl.Series
    shares: Csr


def score_users(recommender: Recommender, split: Split) -> Scored:
    """What the recommender says of the users of the truth."""
    users = sorted_ids(split.truth["user_id"])
    found = best_scores(recommender, users, k=_KEPT, excluded=split.known)
    greatest = np.where(found.greatest > NEGLIGIBLE_SCORE, found.greatest, np.inf)
    share = np.clip(found.scores / greatest[:, None], 0, 1)
    row, place = np.nonzero((found.jobs >= 0) & (share > 0))
    shape = (len(users), len(recommender.job_ids))
    shares = csr_from_coordinates(row, found.jobs[row, place], share[row, place], shape=shape)
    return Scored(recommender.job_ids, shares)


@dataclass(frozen=True, eq=False)
class CandidateShares:
    """The best jobs of each user by any of M recommenders: (U, C, M) shares, 0 if padded.

    `gains` (U, C) of the jobs; `relevant` (users x jobs of the truth), all gains.
    """

    shares: Floats
    gains: Floats
    relevant: Csr

    def of_users(self, rows: NDArray[np.intp]) -> "CandidateShares":
        return CandidateShares(self.shares[rows], self.gains[rows], self.relevant[rows])


def candidate_shares(scored: Sequence[Scored], truth: Truth) -> CandidateShares:
    """The union of the _DEPTH best jobs of all recommenders, with the share that each gives them."""
    jobs = sorted_ids(*(one.job_ids for one in scored))
    columns = [positions(jobs, one.job_ids) for one in scored]
    n_users, n_jobs = len(truth.user_ids), max(len(jobs), 1)
    found = [np.zeros(0, dtype=np.int64)]
    for one, column in zip(scored, columns, strict=True):
        best = best_columns(one.shares, csr_of_shape(*one.shares.shape), _DEPTH)
        row, place = np.nonzero(best >= 0)
        found.append(row.astype(np.int64) * n_jobs + column[best[row, place]])
    row, job = np.divmod(np.unique(np.concatenate(found)), n_jobs)
    place = rank_within(row)
    listed = np.full((n_users, int(place.max(initial=0)) + 1), -1, dtype=np.int32)
    listed[row, place] = job
    shares = np.zeros((*listed.shape, len(scored)), dtype=np.float32)
    for number, (one, column) in enumerate(zip(scored, columns, strict=True)):
        in_model = np.append(_inverse(column, n_jobs), -1)[listed]
        shares[:, :, number] = np.where(in_model >= 0, lookup(one.shares, np.maximum(in_model, 0)), 0)
    in_truth = np.append(positions(truth.job_ids, jobs), -1)[listed]
    gains = np.where(in_truth >= 0, lookup(truth.gains, np.maximum(in_truth, 0)), 0).astype(np.float32)
    return CandidateShares(shares, gains, truth.gains)


def _inverse(positions_of: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    made = np.full(n, -1, dtype=np.int32)
    made[positions_of] = np.arange(len(positions_of), dtype=np.int32)
    return made


def blended_metrics(
    candidates: CandidateShares, weights: Sequence[float] | Doubles, *, k: int
) -> dict[str, NDArray[np.float64]]:
    """The ranking metrics (U,) of the first `k` by the weighted sum of the shares."""
    score = candidates.shares @ np.asarray(weights, dtype=np.float32)
    order = np.argsort(-np.round(score, 6), axis=1, kind="stable")[:, :k]
    found = np.take_along_axis(candidates.gains, order, axis=1) * (np.take_along_axis(score, order, axis=1) > 0)
    return ranking_metrics(found, candidates.relevant, k=k)


def blended_ndcg(candidates: CandidateShares, weights: Sequence[float] | Doubles, *, k: int) -> Doubles:
    """(U,): NDCG of the first `k` by the weighted sum of the shares."""
    return blended_metrics(candidates, weights, k=k)["ndcg"]


def choose_weights(candidates: CandidateShares, *, k: int) -> tuple[float, ...]:
    """Weights that sum to 1: the best single recommender's, then steps towards another while NDCG rises.

    Recommenders with a weight under _LEAST_WEIGHT get 0.
    """
    corners = np.eye(candidates.shares.shape[2])
    best, weights = max(
        ((round(float(blended_ndcg(candidates, corner, k=k).mean()), 9), corner) for corner in corners),
        key=lambda found: found[0],
    )
    for _ in range(_MAX_ROUNDS):
        tried = [(1 - step) * weights + step * corner for corner in corners for step in _STEPS]
        scores = [round(float(blended_ndcg(candidates, one, k=k).mean()), 9) for one in tried]
        top = int(np.argmax(scores))
        if scores[top] < best + _LEAST_GAIN:
            break
        best, weights = scores[top], tried[top]
    weights = np.where(weights >= _LEAST_WEIGHT, weights, 0)
    return tuple(round(float(weight), 6) for weight in weights / weights.sum())
