"""Jobs that other applicants to the user's jobs applied to."""

from models.arrays import Ints
from models.kernels.sparse_rows import best_columns
from models.ranking.context import ForUsers, JobContext, UserBlock


def also_applied(_context: JobContext) -> ForUsers:
    """By the score of the most related job that the user applied to."""

    def find(block: UserBlock, k: int) -> Ints:
        return best_columns(block.batch.also_applied, block.forbidden, k, block.rows)

    return lambda _people: find
