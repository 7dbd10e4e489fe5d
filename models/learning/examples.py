"""What a recipe is fitted to: the candidates of users at a past instant, and what each user did with them later.

A candidate that the user knew before is no example: a feed is for jobs that are new. Nothing is fitted here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from features.hashing import UInt64s, mix, uniform
from models.arrays import Bools, Floats, Ints

MOST_ROWS = 400_000


@dataclass(frozen=True)
class Examples:
    """Grain: one candidate of one user, user by user (`user` ascends).

    `values` (n, C) are components as ranking rounds them, NaN where unknown. `gain` is 0 where nothing happened.
    `stands_for` is the number of candidates that a sampled example represents. `pair_hash` is one of user and job.
    """

    values: Floats
    gain: Floats
    stands_for: Floats
    user: Ints
    pair_hash: UInt64s

    @property
    def n_positives(self) -> int:
        return int((self.gain > 0).sum())

    @property
    def n_users(self) -> int:
        return len(np.unique(self.user))

    def take(self, is_kept: Bools) -> "Examples":
        """The examples of the kept rows."""
        return Examples(*(getattr(self, one.name)[is_kept] for one in fields(Examples)))


def join_examples(parts: Sequence[Examples]) -> Examples:
    """Several blocks of users, whose numbers ascend from block to block, as one."""
    return Examples(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Examples)))


def with_positives(examples: Examples) -> Examples:
    """The examples of users with at least one positive and one negative; the others say nothing about an order."""
    n_users = int(examples.user.max(initial=-1)) + 1
    is_positive = examples.gain > 0
    has = [np.bincount(examples.user, weights=flag, minlength=n_users) > 0 for flag in (is_positive, ~is_positive)]
    return examples.take((has[0] & has[1])[examples.user])


def sampled(examples: Examples, *, most: int = MOST_ROWS) -> Examples:
    """At most about `most` examples: all positives, and a share of the negatives by the hash of the pair.

    A kept negative stands for 1 / share candidates, so that the loss keeps its expectation.
    """
    is_positive = examples.gain > 0
    n_negatives = int((~is_positive).sum())
    room = max(most - int(is_positive.sum()), 1)
    if n_negatives <= room:
        return examples
    share = room / n_negatives
    is_kept = is_positive | (uniform(mix(examples.pair_hash)) < share)
    stands_for = np.where(is_positive, 1.0, 1 / share).astype(np.float32)
    return replace(examples, stands_for=stands_for).take(is_kept)


def folds(user_hash: UInt64s, *, n_folds: int) -> NDArray[np.int32]:
    """The fold of each user by a hash: the same user is always in the same fold."""
    return np.minimum((uniform(mix(user_hash)) * n_folds).astype(np.int32), n_folds - 1)
