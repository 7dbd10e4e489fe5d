"""How much less the lower ranks of a feed are looked at, and what an outcome there counts in return.

Explored slots tell: the jobs that were drawn for a feed stand in its explored slots in random order, so that the jobs
of one slot are as good as those of another, and what is left of a difference between slots is attention. The position
model is a power law, P(looked at) = rank^-power (Joachims, Swaminathan and Schnabel, "Unbiased learning-to-rank with
biased feedback", WSDM 2017), because explored slots are few and each rank alone would be noise.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.arrays import Bools, Doubles, Floats, Longs

LEAST_OUTCOMES = 1_000
# A recipe that explores only below the top says nothing of the attention to the top, where most outcomes come from.
TOP_RANKS, LEAST_TOP_SHARE = 10, 0.05
MOST_WEIGHT = 10.0  # an outcome at a rank that is hardly looked at must not outweigh all others
_MOST_POWER = 2.0
_PRIOR_STRENGTH = 5.0  # squared distance of the power from the one before, in units of log-likelihood


@dataclass(frozen=True)
class Attention:
    """The power of the position model: measured for this fit, or kept from an earlier one. Unknown, it is 0: all ranks
    count alike."""

    power: float = 0.0
    origin: Literal["measured", "kept", "unknown"] = "unknown"

    @property
    def is_known(self) -> bool:
        return self.origin != "unknown"


UNKNOWN = Attention()


def attention_now(rank: Longs, is_positive: Bools, *, before: Attention) -> Attention:
    """The attention measured on shown explored slots; without an outcome in any, the one `before` is kept.

    What users look at does not depend on the recipe: a recipe that does not explore the top leaves nothing to measure.
    """
    if not is_positive.any():
        return Attention(before.power, "kept") if before.is_known else UNKNOWN
    return Attention(attention_power(rank, is_positive, before=before.power), "measured")


def attention_power(rank: Longs, is_positive: Bools, *, before: float = 0.0) -> float:
    """The power of the position model, in [0, 2], from shown explored slots: their ranks, and whether an outcome came.

    Maximum likelihood of Poisson counts whose rate is proportional to rank^-power; few outcomes draw it towards the
    power known before, by default 0, which means that all ranks are looked at alike.
    """
    from scipy.optimize import minimize_scalar  # takes 0.1 s to load, and only a fit needs it

    if not is_positive.any():
        return before
    shown = np.bincount(rank)[1:].astype(np.float64)
    clicked = np.bincount(rank[is_positive], minlength=len(shown) + 1)[1:].astype(np.float64)
    log_rank = np.log(np.arange(1, len(shown) + 1))

    def loss(power: float) -> float:
        # The common rate is profiled out: given the total, outcomes fall on ranks in proportion to what they expect.
        expected = shown * np.exp(-power * log_rank)
        used = shown > 0
        likelihood = float(clicked[used] @ (np.log(expected[used]) - np.log(expected.sum())))
        return _PRIOR_STRENGTH * (power - before) ** 2 - likelihood

    return float(minimize_scalar(loss, bounds=(0.0, _MOST_POWER), method="bounded").x)


def outcome_weights(rank: Doubles, *, power: float) -> Floats:
    """What an outcome at each rank counts: the inverse of its attention, at most MOST_WEIGHT; 1 for NaN (no rank)."""
    known = np.where(np.isnan(rank), 1.0, np.maximum(rank, 1.0))
    return np.minimum(known**power, MOST_WEIGHT).astype(np.float32)
