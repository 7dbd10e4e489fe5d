"""Weights of a recipe fitted to outcomes: a conditional logit over the components, with weights of at least 0.

A user's candidates compete: P(i) = exp(w·x_i) / sum over the user's candidates of exp(w·x_j) (D. McFadden, 1974; the
top-one likelihood of ListNet, Cao et al., ICML 2007). What is equal for all candidates of a user cancels out, so that
neither a user's activity nor the number of candidates is taken for a property of jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Doubles
from models.learning.examples import Examples

_MAX_ITERATIONS = 200
_LEAST_SPREAD = 1e-4  # within users: what varies less can order nothing
_SMALLEST_WEIGHT = 1e-3  # of the sum: less changes no order that a reader sees
WEIGHT_DECIMALS = 4


@dataclass(frozen=True)
class Penalty:
    """`l2` times the squared weights per standard deviation within users; `neutral` stands for unknown values."""

    l2: float
    neutral: float


def fit_weights(examples: Examples, penalty: Penalty) -> Doubles:
    """The weights (C,) that make the outcomes most likely: at least 0, of sum 1; all 0 if no component helps.

    Each user counts alike, and a positive by its share in the gain of the user.
    """
    from scipy.optimize import minimize  # takes 0.1 s to load, and only a fit needs it

    values = filled(examples, penalty.neutral)
    starts = np.flatnonzero(np.diff(examples.user, prepend=-1))
    length = np.diff(np.append(starts, len(examples.user)))
    of_user = np.repeat(np.arange(len(starts)), length)
    gain = np.asarray(examples.gain, dtype=np.float64)
    target = gain / np.add.reduceat(gain, starts)[of_user] / max(len(starts), 1)
    mass = np.add.reduceat(target, starts)
    stands_for = np.asarray(examples.stands_for, dtype=np.float64)
    mean = np.add.reduceat(values, starts, axis=0) / length[:, None]
    spread = (values - mean[of_user]).std(axis=0)
    is_usable = spread > _LEAST_SPREAD
    scaled = values / np.where(is_usable, spread, 1.0)

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        score = scaled @ weights
        top = np.maximum.reduceat(score, starts)
        power = stands_for * np.exp(score - top[of_user])
        total = np.add.reduceat(power, starts)
        likelihood = float(target @ score - mass @ (top + np.log(total)))
        gradient = scaled.T @ (power * (mass / total)[of_user] - target)
        return penalty.l2 * float(weights @ weights) - likelihood, gradient + 2 * penalty.l2 * weights

    bounds = [(0, None if usable else 0) for usable in is_usable]
    start = np.zeros(values.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _MAX_ITERATIONS})
    return normalised(np.where(is_usable, found.x / np.where(is_usable, spread, 1.0), 0.0))


def normalised(weights: Doubles) -> Doubles:
    """Weights of sum 1, rounded; those below _SMALLEST_WEIGHT of the sum are 0."""
    total = weights.sum()
    if not np.isfinite(total) or total <= 0:
        return np.zeros_like(weights)
    share = weights / total
    kept = np.where(share >= _SMALLEST_WEIGHT, share, 0.0)
    return np.asarray(np.round(kept / kept.sum(), WEIGHT_DECIMALS), dtype=np.float64)


def filled(examples: Examples, neutral: float) -> Doubles:
    """The components with `neutral` where they are unknown."""
    values = np.asarray(examples.values, dtype=np.float64)
    return np.where(np.isnan(values), neutral, values)


def named(weights: Doubles, components: Sequence[str]) -> dict[str, float]:
    """The weights above 0 by component."""
    return {name: float(weight) for name, weight in zip(components, weights, strict=True) if weight > 0}
