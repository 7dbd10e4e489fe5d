"""The jobs with the highest prior score, few of each company: the same list for every user."""

import numpy as np

from models.arrays import Ints
from models.ranking.candidates import first_allowed
from models.ranking.context import ForUsers, JobContext, UserBlock
from models.ranking.retrievers.precomputed import OVERFETCH

POPULAR_ITEMS = 40


def popular(context: JobContext) -> ForUsers:
    """The head of the context's `popular_diverse`."""
    lists = context.popular_diverse[None, : POPULAR_ITEMS * OVERFETCH]

    def find(block: UserBlock, k: int) -> Ints:
        n_users = block.rows.stop - block.rows.start
        return first_allowed(lists, np.zeros(n_users, dtype=np.int32), block.forbidden, k=k)

    return lambda _people: find
