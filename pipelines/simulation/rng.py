"""Random generators from seeds, one per purpose; weighted choices and sets of skills. Nothing about jobs or users."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.simulation.world import World

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
SkillBits = NDArray[np.uint64]
Flags = NDArray[np.bool_]


class Purpose(IntEnum):
    """What a generator is for; the numbers are part of the seed and must not change."""

    COMPANIES = 1
    JOBS = 2
    USERS = 3
    EVENTS = 4
    MALFORMED = 5
    READERS = 6
    APPLICATIONS = 7
    FOLLOW_UPS = 8


def generator(seed: int, purpose: Purpose, *keys: int) -> np.random.Generator:
    """An independent stream for `purpose` and `keys` (block, day); the same arguments give the same stream."""
    return np.random.default_rng([seed, int(purpose), *keys])


def weighted(rng: np.random.Generator, weights: ArrayLike, *, n: int) -> IntArray:
    """`n` indices, each drawn in proportion to its weight."""
    steps = np.cumsum(np.asarray(weights, dtype=np.float64))
    drawn: IntArray = np.searchsorted(steps, rng.random(n) * steps[-1], side="right").clip(0, len(steps) - 1)
    return drawn


def one_of_each(rng: np.random.Generator, options: Sequence[Sequence[int]], row: IntArray) -> IntArray:
    """One of `options[r]` for each r in `row`."""
    width = max(map(len, options))
    table = np.array([[few[k % len(few)] for k in range(width)] for few in options])
    chosen: IntArray = table[row, rng.integers(0, width, len(row))]
    return chosen


def pick_skills(rng: np.random.Generator, world: World, family: IntArray, *, n_min: int, n_max: int) -> IntArray:
    """(rows, n_max) skill indices of each row's family, no repeats, -1 where a row has fewer.

    Weighted sampling without replacement by exponential keys (Efraimidis and Spirakis, 2006); a family's first skills
    weigh most.
    """
    width = max(len(f.skills) for f in world.families)
    pool = np.full((len(world.families), width), -1, dtype=np.int64)
    for n, f in enumerate(world.families):
        pool[n, : len(f.skills)] = f.skills
    weights = 1.0 / (1.0 + 0.35 * np.arange(width))
    keys = rng.exponential(size=(len(family), width)) / weights
    keys[pool[family] < 0] = np.inf
    order = np.argsort(keys, axis=1, kind="stable")[:, :n_max]
    picked = np.take_along_axis(pool[family], order, axis=1)
    wanted = rng.integers(n_min, n_max + 1, size=len(family))
    picked[np.arange(picked.shape[1])[None, :] >= wanted[:, None]] = -1
    return picked


def skill_bits(picked: IntArray, *, n_skills: int) -> SkillBits:
    """(rows, words) bit sets of the picked skill indices; -1 is no skill."""
    words = -(-n_skills // 64)
    bits = np.zeros((len(picked), words), dtype=np.uint64)
    rows = np.arange(len(picked))
    for column in picked.T:
        known = column >= 0
        np.bitwise_or.at(
            bits, (rows[known], column[known] >> 6), np.uint64(1) << (column[known] & 63).astype(np.uint64)
        )
    return bits


def shares(total: int, weights: ArrayLike) -> IntArray:
    """`total` in whole parts in proportion to `weights`; the parts sum to `total`."""
    steps = np.cumsum(np.asarray(weights, dtype=np.float64))
    edges = np.floor(steps / steps[-1] * total + 1e-9).astype(np.int64)
    edges[-1] = total
    parts: IntArray = np.diff(edges, prepend=0)
    return parts
