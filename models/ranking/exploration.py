"""Slots for jobs that the recipe would not have shown, drawn at random with a known probability.

Random numbers are hashes of (seed, user, job): the draw is the same in any shard, order or thread. The ranks that
explore are drawn first, independently of the jobs, and propensities are conditional on them. In an exploration slot,
every job of the exploration set has the probability 1/|set|. In any other slot, the job has probability 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.hashing import UInt64s, mix, uniform
from models.arrays import Bools, Floats, Ints, padded_rows
from models.ranking.settings import CompanyCap
from models.sort_keys import best_first, last_ones_last, least_first, rank_in_group

JOBS_PER_SLOT = 5  # few enough to be worth a look, enough to learn from
_SKIPPED_SHARE = 0.3  # of each stretch: the first ranks of a list keep jobs that are known to fit
_JOB_STREAM, _SLOT_STREAM = np.uint64(1), np.uint64(2)


@dataclass(frozen=True)
class Slots:
    """The final lists, (B, n) each: positions among the candidates (-1 after the end), and how each was chosen."""

    candidate: Ints
    is_explored: Bools
    propensity: Floats


def draw_keys(user_hash: UInt64s, *, seed: int, day: int) -> UInt64s:
    """One random key per user for one day (days since 1970) and seed."""
    return mix(user_hash ^ mix(np.array([seed], dtype=np.uint64)) ^ mix(mix(np.array([day], dtype=np.uint64))))


def explore(
    order: Ints,
    *,
    relevance: Floats,
    company: Ints,
    job_hash: UInt64s,
    keys: UInt64s,
    share: Floats,
    from_rank: Ints,
    cap: CompanyCap,
) -> Slots:
    """Mixes explored jobs into the exploited lists `order` (B, n: positions in the candidates, (B, C)).

    Of a list of n ranks, round(share * n) explore, at most those from `from_rank` on. These are cut into as many equal
    stretches; in each, one random rank past the first third explores. The exploration set has, per slot, the
    JOBS_PER_SLOT best candidates that are not exploited. It holds no company of the exploited top, and at most the cap
    of any other, so that no draw can break the cap. If the set is too small, the recipe keeps the slots that are left.
    `relevance` is -inf for padding.
    """
    n_rows, n_items = order.shape
    if relevance.shape[1] == 0:
        nothing = np.zeros(order.shape, dtype=bool)
        return Slots(candidate=order, is_explored=nothing, propensity=np.ones(order.shape, dtype=np.float32))
    n_listed = (order >= 0).sum(axis=1)
    head = np.minimum(n_listed, from_rank.astype(np.int64) - 1)
    wanted = np.minimum(np.floor(share * n_listed + 0.5).astype(np.int64), n_listed - head)
    # The top of the recipe's list stays whole: a job that moved up into it could break the cap.
    n_exploited = np.maximum(n_listed - wanted, np.minimum(n_listed, cap.top))
    most = JOBS_PER_SLOT * wanted
    pool = _exploration_set(order, relevance, company, n_exploited=n_exploited, n_most=most, cap=cap)
    size = pool.sum(axis=1)
    n_explored = np.minimum(wanted, size)
    drawn = _drawn(pool, job_hash, keys)[:, :n_items]
    is_drawn = np.arange(drawn.shape[1]) < n_explored[:, None]
    rows = np.arange(n_rows)[:, None]
    taken = np.zeros(relevance.shape, dtype=bool)
    taken[np.nonzero(is_drawn)[0], drawn[is_drawn]] = True
    is_slot = _slots(head, n_listed, n_explored, keys, n_items=n_items)
    remaining = np.where((order >= 0) & ~taken[rows, np.maximum(order, 0)], order, -1)
    remaining = np.take_along_axis(remaining, last_ones_last(remaining < 0), axis=1)
    exploited_place = np.minimum(np.cumsum(~is_slot, axis=1) - 1, n_items - 1)
    explored_place = np.clip(np.cumsum(is_slot, axis=1) - 1, 0, max(drawn.shape[1] - 1, 0))
    candidate = np.take_along_axis(remaining, np.maximum(exploited_place, 0), axis=1)
    if drawn.shape[1]:
        candidate = np.where(is_slot, np.take_along_axis(drawn, explored_place, axis=1), candidate)
    candidate = np.where(np.arange(n_items) < n_listed[:, None], candidate, -1).astype(np.int32)
    propensity = np.where(is_slot, 1 / np.maximum(size, 1)[:, None], 1.0).astype(np.float32)
    return Slots(candidate=candidate, is_explored=is_slot, propensity=propensity)


def _exploration_set(
    order: Ints,
    relevance: Floats,
    company: Ints,
    *,
    n_exploited: NDArray[np.int64],
    n_most: NDArray[np.int64],
    cap: CompanyCap,
) -> Bools:
    """Which candidates may be explored, (B, C): at most `n_most` of a row, the best."""
    n_rows = len(order)
    rows = np.arange(n_rows)[:, None]
    place = np.arange(order.shape[1])
    is_open = relevance > -np.inf
    exploited = (order >= 0) & (place < n_exploited[:, None])
    is_open[np.nonzero(exploited)[0], order[exploited]] = False
    seen = np.zeros((n_rows, int(company.max(initial=-1)) + 2), dtype=bool)
    top = (order >= 0) & (place < cap.top)
    seen[np.nonzero(top)[0], company[np.nonzero(top)[0], order[top]] + 1] = True
    seen[:, 0] = False  # an unknown company is not one company
    is_open &= ~seen[rows, company + 1]
    by_relevance = best_first(np.where(is_open, relevance, -np.inf).astype(np.float32))
    sorted_open = np.take_along_axis(is_open, by_relevance, axis=1)
    sorted_company = np.where(sorted_open, np.take_along_axis(company, by_relevance, axis=1), -1)
    sorted_open &= (rank_in_group(sorted_company) < cap.most) | (sorted_company < 0)
    sorted_open &= np.cumsum(sorted_open, axis=1) <= n_most[:, None]
    pool = np.zeros_like(is_open)
    np.put_along_axis(pool, by_relevance, sorted_open, axis=1)
    return pool


def _drawn(pool: Bools, job_hash: UInt64s, keys: UInt64s) -> Ints:
    """The candidates of each row of `pool` (B, C) in random order, -1 padded."""
    row, column = np.nonzero(pool)
    candidates = padded_rows(row, column.astype(np.int32), n_rows=len(pool), width=int(pool.sum(axis=1).max(initial=0)))
    random = np.full(candidates.shape, 2.0)
    random[candidates >= 0] = uniform(mix(keys[row] ^ mix(job_hash[row, column] ^ _JOB_STREAM)))
    return np.take_along_axis(candidates, least_first(random), axis=1)


def _slots(
    head: NDArray[np.int64], n_listed: NDArray[np.int64], n_explored: NDArray[np.int64], keys: UInt64s, *, n_items: int
) -> Bools:
    """Which ranks explore: one random rank in each of n_explored equal stretches after the head."""
    most = int(n_explored.max(initial=0))
    stretch = np.arange(most)
    random = uniform(mix(mix(keys ^ _SLOT_STREAM)[:, None] ^ mix(stretch.astype(np.uint64))[None, :]))
    length = (n_listed - head) / np.maximum(n_explored, 1)
    start = np.ceil(stretch[None, :] * length[:, None])
    end = np.ceil((stretch[None, :] + 1) * length[:, None])
    offset = _SKIPPED_SHARE + (1 - _SKIPPED_SHARE) * random
    place = head[:, None] + (start + np.floor(offset * (end - start))).astype(np.int64)
    is_used = stretch[None, :] < n_explored[:, None]
    slots = np.zeros((len(keys), n_items), dtype=bool)
    slots[np.nonzero(is_used)[0], place[is_used]] = True
    return slots
