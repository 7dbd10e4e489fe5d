"""How far up a few jobs, new or changed ones, would come in the lists of users: retrieval from jobs to users.

All pairs of a user and a job are scored by the formulas of ranking, in a context of these jobs alone. Components that
depend on other jobs are then at least what they are among all jobs: a share of the user's best job is one of the best
of these, and what is unknown of these counts as neutral.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Ints, Longs, rank_within
from models.ranking.context import CandidatePairs, JobContext, UserBatch
from models.ranking.retrieval import build_block
from models.ranking.scoring import component_values, score_pairs

NOT_REACHED = -1
_PAIRS_AT_ONCE = 1 << 18
_MOST_BLOCK_USERS = 2_048
_MOST_ENTRIES = 1 << 22
_TOLERANCE = 1e-6  # stored scores have single precision


class Reached(NamedTuple):
    """Pairs of a user (by place among all) and a job above the least score of the user's list, and how far above."""

    user: Longs
    job: Longs
    margin: Floats


def reached_in(context: JobContext, batch: UserBatch, floor: Floats, *, first: int) -> Reached:
    """The pairs of a batch, whose places among all begin at `first`; `floor` is the least score of each list."""
    parts = []
    for rows, score in scores_of_all_jobs(context, batch):
        margin = score - floor[rows, None]
        user, job = np.nonzero(margin > -_TOLERANCE)
        parts.append(Reached(first + rows.start + user, job, margin[user, job]))
    return Reached(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Reach:
    """Who has one of the jobs above the least score of the own list, collected batch by batch.

    Of each job, the `most` users are kept in whose lists it would come highest: memory does not grow with the users.
    """

    def __init__(self, *, n_users: int, most: int) -> None:
        self._most = most
        self._is_reached = np.zeros(n_users, dtype=np.bool_)
        self._user: Longs = np.empty(0, dtype=np.int64)
        self._job: Longs = np.empty(0, dtype=np.int64)
        self._margin: Floats = np.empty(0, dtype=np.float32)

    def add(self, found: Reached) -> None:
        """Adds the pairs of a batch."""
        self._is_reached[found.user] = True
        self._user = np.concatenate([self._user, found.user])
        self._job = np.concatenate([self._job, found.job])
        self._margin = np.concatenate([self._margin, found.margin])
        if len(self._user) > _MOST_ENTRIES:
            self._keep_nearest()

    def places(self) -> Ints:
        """Per user, how many are nearer to the job to which the user is nearest: at most `most`, NOT_REACHED for none.

        In this order every job comes to its nearest users first.
        """
        place = self._keep_nearest()
        found = np.where(self._is_reached, self._most, NOT_REACHED).astype(np.int32)
        np.minimum.at(found, self._user, place.astype(np.int32))
        return found

    def _keep_nearest(self) -> Longs:
        """Drops all but the nearest users of each job; returns the place of each that is left."""
        order = np.lexsort((self._user, -self._margin, self._job))
        place = rank_within(self._job[order])
        order, place = order[place < self._most], place[place < self._most]
        self._user, self._job, self._margin = self._user[order], self._job[order], self._margin[order]
        return np.asarray(place, dtype=np.int64)


def scores_of_all_jobs(context: JobContext, batch: UserBatch) -> Iterator[tuple[slice, Floats]]:
    """Blocks of users of the batch with their scores (B, J) of all jobs of the context; -inf for forbidden ones."""
    n_jobs = context.jobs.n
    n_rows = int(np.clip(_PAIRS_AT_ONCE // max(n_jobs, 1), 1, _MOST_BLOCK_USERS))
    needed = sorted({name for recipe in batch.recipes for name in recipe.normalised()})
    for start in range(0, batch.users.n, n_rows):
        rows = slice(start, min(start + n_rows, batch.users.n))
        block = build_block(context, batch, rows)
        every = np.broadcast_to(np.arange(n_jobs, dtype=np.int32), (rows.stop - rows.start, n_jobs))
        values = component_values(needed, CandidatePairs(block, np.ascontiguousarray(every)))
        if "growth" in values:  # only all jobs tell which skills lie near each other
            values["growth"] = np.where(np.isnan(values["growth"]), np.nan, 1).astype(np.float32)
        score = score_pairs(values, batch.recipes, block.recipe_of_row).score.astype(np.float32)
        score[block.forbidden.nonzero()] = -np.inf
        yield rows, score
