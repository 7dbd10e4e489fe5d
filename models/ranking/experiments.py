"""Experiment arms: which recipe ranks for which user, by a stable hash of user and salt."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.hashing import stable_hash, uniform

DEFAULT_ARM = "default"


@dataclass(frozen=True)
class Arm:
    """One arm: the share of users that it gets and the recipe that ranks for them."""

    name: str
    share: float
    recipe: str


def assign_arms(user_ids: pl.Series, *, salt: str, arms: Sequence[Arm]) -> NDArray[np.int32]:
    """The index into `arms` per user: where the user's hash in [0, 1) falls among the cumulated shares.

    The same user and salt always give the same arm; another salt draws independently.
    """
    bounds = np.cumsum([arm.share for arm in arms])
    drawn = uniform(stable_hash(user_ids, salt))
    # Rounding may leave the last bound below 1: a hash above it belongs to the last arm.
    return np.minimum(np.searchsorted(bounds, drawn, side="right"), len(arms) - 1).astype(np.int32)
