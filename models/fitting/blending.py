"""The weights of a blend of recommenders, chosen on held-out interactions.

Greedy ensemble selection (Caruana et al., "Ensemble selection from libraries of models", 2004) over per-user shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import Csr, Doubles, Floats, csr_from_coordinates, positions, rank_within, sorted_ids
from models.evaluation.metrics import ranking_metrics
from models.evaluation.recommenders import Recommender, excluded_positions, shares
from models.evaluation.splits import Split
from models.ranking.candidates import top_k

_DEPTH = 100  # jobs per user and recommender
_BLOCK_CELLS = 16_000_000
_MAX_BLOCK_ROWS = 512
_STEPS = (0.05, 0.1, 0.2, 0.35, 0.5)
_MAX_ROUNDS = 12
_LEAST_GAIN = 1e-4  # of NDCG, for one more step
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True)
class CandidateShares:
    """The best jobs of each user of a split's truth (sorted) by any of M recommenders: (U, C, M) shares, 0 if padded.

    `gains` (U, C) of the jobs; `relevant` (users x jobs of the truth), all gains.
    """

    shares: Floats
    gains: Floats
    relevant: Csr


def candidate_shares(recommenders: Sequence[Recommender], split: Split) -> CandidateShares:
    """The union of the best jobs of all `recommenders` that are not known to the user."""
    users = split.truth["user_id"].unique().sort()
    jobs = sorted_ids(*(one.job_ids for one in recommenders))
    columns = [positions(jobs, one.job_ids) for one in recommenders]
    known_user, known_job = excluded_positions(split.known, users, jobs)
    rows_at_once = max(1, min(_MAX_BLOCK_ROWS, _BLOCK_CELLS // max(len(jobs), 1)))
    pairs, values = [np.zeros(0, dtype=np.int64)], [np.zeros((0, len(recommenders)), dtype=np.float32)]
    for start in range(0, len(users), rows_at_once):
        block = users.slice(start, rows_at_once)
        known = slice(*np.searchsorted(known_user, [start, start + len(block)]))
        scored = np.zeros((len(recommenders), len(block), len(jobs)), dtype=np.float32)
        found = []
        for one, column, into in zip(recommenders, columns, scored, strict=True):
            into[:, column] = shares(one.score(block))
            into[known_user[known] - start, known_job[known]] = 0
            best = top_k(np.where(into > 0, into, -np.inf), _DEPTH)
            row, place = np.nonzero(best >= 0)
            found.append(row.astype(np.int64) * len(jobs) + best[row, place])
        pair = np.unique(np.concatenate(found))
        row, job = np.divmod(pair, len(jobs))
        pairs.append((row + start) * len(jobs) + job)
        values.append(scored[:, row, job].T)
    return _padded(np.concatenate(pairs), np.concatenate(values), split, users, jobs)


def _padded(
    pair: NDArray[np.int64], values: Floats, split: Split, users: pl.Series, jobs: pl.Series
) -> CandidateShares:
    row = pair // max(len(jobs), 1)
    place = rank_within(row)
    shape = (len(users), int(place.max(initial=0)) + 1)
    made = np.zeros((*shape, values.shape[1]), dtype=np.float32)
    made[row, place] = values
    truth_user, gain = positions(users, split.truth["user_id"]), split.truth["gain"].to_numpy()
    known_jobs, every = positions(jobs, split.truth["job_id"]), sorted_ids(split.truth["job_id"])
    gain_of = csr_from_coordinates(truth_user, known_jobs, gain, shape=(len(users), len(jobs)))
    gains = np.zeros(shape, dtype=np.float32)
    gains[row, place] = np.asarray(gain_of[row, pair - row * len(jobs)]).ravel()
    relevant = csr_from_coordinates(
        truth_user, positions(every, split.truth["job_id"]), gain, shape=(len(users), len(every))
    )
    return CandidateShares(made, gains, relevant)


def blended_ndcg(candidates: CandidateShares, weights: Sequence[float] | Doubles, *, k: int) -> Doubles:
    """(U,): NDCG of the first `k` by the weighted sum of the shares."""
    score = candidates.shares @ np.asarray(weights, dtype=np.float32)
    order = np.argsort(-np.round(score, 6), axis=1, kind="stable")[:, :k]
    found = np.take_along_axis(candidates.gains, order, axis=1) * (np.take_along_axis(score, order, axis=1) > 0)
    return ranking_metrics(found, candidates.relevant, k=k)["ndcg"]


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
