"""Jobs that similar users interacted with."""

from models.arrays import Csr, Ints
from models.kernels.sparse_rows import best_columns
from models.ranking.collaborative import row_shares
from models.ranking.context import ForUsers, JobContext, UserBatch, UserBlock


def neighbours(_context: JobContext) -> ForUsers:
    """The greatest shares first; the block holds them, as scoring needs them too."""

    def find(block: UserBlock, k: int) -> Ints:
        return best_columns(block.neighbour_shares, block.forbidden, k)

    return lambda _people: find


def neighbour_shares(context: JobContext, batch: UserBatch, rows: slice) -> Csr:
    """Interactions of similar users as a share of each user's best (B x J); an empty row without similar users."""
    return row_shares(batch.neighbour_links[rows] @ context.interacted)
