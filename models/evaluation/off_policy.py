"""What another recipe would have earned on slots that were filled at random, estimated from what these slots earned.

A slot shows one of the jobs that were drawn for the user. Given these jobs, which of them stands in which slot is
random with a known probability, so that a recipe that would have chosen among them can be judged by the slots where
chance agreed with it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import Doubles, Longs

Z_95 = 1.959963984540054
_TIE = 1e-9


@dataclass(frozen=True)
class PolicyValue:
    """A policy's mean reward with its 95 % interval, and the number of equally weighted slots it is worth (ESS)."""

    value: float
    lower: float
    upper: float
    n: int
    effective_n: float


def greedy_weights(scores: Doubles, logged: Doubles, *, slot: Longs, shown: NDArray[np.bool_]) -> Doubles:
    """Importance weight of the shown job of each slot for the policy "show the job with the greatest score".

    One element of `scores`, `logged` (propensities) and `slot` (0, 1, 2 … sorted, no gaps) per job that could have
    stood in the slot; `shown` marks one of them per slot. Propensities are scaled to make 1 in each slot. Equal best
    scores share the choice.
    """
    n_slots = int(slot[-1]) + 1 if len(slot) else 0
    if not np.array_equal(slot[shown], np.arange(n_slots)):
        raise ValueError("greedy_weights: each slot must have exactly one shown job")
    best = np.full(n_slots, -np.inf)
    np.maximum.at(best, slot, scores)
    is_best = scores >= best[slot] - _TIE
    chosen = is_best / np.bincount(slot, is_best, minlength=n_slots)[slot]
    weights: Doubles = chosen[shown] / (logged / np.bincount(slot, logged, minlength=n_slots)[slot])[shown]
    return weights


def snips(rewards: Doubles, weights: Doubles, *, user: Longs) -> PolicyValue:
    """Self-normalised inverse propensity score (Swaminathan and Joachims, NeurIPS 2015), one element per slot.

    The interval is that of a ratio of sums by the delta method, with users as clusters. NaN if no weight is positive.
    """
    return _ratio(weights * rewards, weights, user=user)


def doubly_robust(
    rewards: Doubles, weights: Doubles, *, predicted: Doubles, predicted_of_policy: Doubles, user: Longs
) -> PolicyValue:
    """Self-normalised doubly robust estimate (Dudík, Langford and Li, ICML 2011) by a model of the reward.

    `predicted`: of the shown job. `predicted_of_policy`: of the jobs that the policy would choose. Right if either the
    propensities or the model are; narrower than `snips` if the model foretells anything. Slots of one user must be
    predicted by a model that was fitted on others.
    """
    correction = _ratio(weights * (rewards - predicted), weights, user=user)
    if np.isnan(correction.value):
        return correction
    mean = predicted_of_policy.mean()
    share = weights / weights.sum() * len(weights)
    terms = share * (rewards - predicted - correction.value) + predicted_of_policy - mean
    half = Z_95 * _clustered_error(terms, user) / len(terms)
    value = float(mean + correction.value)
    return PolicyValue(value, value - half, value + half, correction.n, correction.effective_n)


def expected_under_greedy(predicted: Doubles, scores: Doubles, *, slot: Longs) -> Doubles:
    """The mean prediction of the jobs with the greatest score in each slot."""
    n_slots = int(slot[-1]) + 1 if len(slot) else 0
    best = np.full(n_slots, -np.inf)
    np.maximum.at(best, slot, scores)
    is_best = scores >= best[slot] - _TIE
    means: Doubles = np.bincount(slot, is_best * predicted, minlength=n_slots) / np.bincount(
        slot, is_best, minlength=n_slots
    )
    return means


def cross_fitted_means(
    features: Doubles, rewards: Doubles, *, fold: Longs, asked: Doubles, asked_fold: Longs, ridge: float = 10.0
) -> Doubles:
    """Predicted rewards of the rows `asked`, by a ridge regression on the rows of the other folds.

    `fold`: 0 or 1 per row, the same for all rows of a user.
    """
    result = np.zeros(len(asked))
    for number in (0, 1):
        train, test = fold != number, asked_fold == number
        if not train.any():
            continue
        mean, centre = rewards[train].mean(), features[train].mean(axis=0)
        x = features[train] - centre
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ (rewards[train] - mean))
        result[test] = np.clip(mean + (asked[test] - centre) @ weights, 0, 1)
    return result


def _ratio(numerator: Doubles, weights: Doubles, *, user: Longs) -> PolicyValue:
    total = float(weights.sum())
    if total <= 0:
        return PolicyValue(np.nan, np.nan, np.nan, len(weights), 0.0)
    value = float(numerator.sum() / total)
    half = Z_95 * _clustered_error(numerator - value * weights, user) / total
    return PolicyValue(value, value - half, value + half, len(weights), float(total**2 / (weights**2).sum()))


def _clustered_error(terms: Doubles, user: Longs) -> float:
    """The square root of the sum over users of the squared sum of their terms; NaN for fewer than two users."""
    _, code = np.unique(user, return_inverse=True)
    sums = np.bincount(code, terms)
    n = len(sums)
    return float(np.sqrt((sums**2).sum() * n / (n - 1))) if n > 1 else float("nan")
