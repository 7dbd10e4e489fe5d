"""What the scores of a fitted recipe mean: a percent of them is as rare as the same percent of the configured recipe.

Weights are fitted to an order only, so that the level and the spread of their sums mean nothing. Readers compare them
with thresholds nevertheless: of matches, of digests, or with what the configured recipe said yesterday.
"""

import numpy as np

from models.arrays import Doubles
from models.learning.registry import Level

_SHARES = np.linspace(0.05, 0.95, 19)
_LEAST_SCALE, _MOST_SCALE = 0.2, 5.0
_LEAST_SPREAD = 1e-6
_DECIMALS = 4


def matched_level(own: Doubles, configured: Doubles) -> Level:
    """The line through the quantiles of the scores of both on the same lists, as scale and base of `own`.

    The scale is less where the greatest score would be above 1: scores that are cut off there would be equal.
    """
    ours, theirs = np.quantile(own, _SHARES), np.quantile(configured, _SHARES)
    spread = float(((ours - ours.mean()) ** 2).sum())
    scale = 1.0 if spread < _LEAST_SPREAD else float((ours - ours.mean()) @ theirs) / spread
    above = float(own.max()) - float(ours.mean())
    if above > _LEAST_SPREAD:
        scale = min(scale, (1 - float(theirs.mean())) / above)
    scale = round(float(np.clip(scale, _LEAST_SCALE, _MOST_SCALE)), _DECIMALS)
    return Level(scale, round(float(theirs.mean()) - scale * float(ours.mean()), _DECIMALS))
