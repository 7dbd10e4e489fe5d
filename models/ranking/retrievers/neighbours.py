"""Jobs that similar users interacted with."""

import numpy as np

from models.arrays import Csr, Ints
from models.kernels.sparse_rows import best_columns
from models.ranking.context import ForUsers, JobContext, UserBatch, UserBlock

_NEGLIGIBLE = 1e-6


def neighbours(_context: JobContext) -> ForUsers:
    """The greatest shares first; the block holds them, as scoring needs them too."""

    def find(block: UserBlock, k: int) -> Ints:
        return best_columns(block.neighbour_shares, block.forbidden, k)

    return lambda _people: find


def neighbour_shares(context: JobContext, batch: UserBatch, rows: slice) -> Csr:
    """Interactions of similar users as a share of each user's best (B x J); an empty row without similar users."""
    scores = (batch.neighbour_links[rows] @ context.interacted).tocsr().astype(np.float32)
    lengths = np.diff(scores.indptr)
    best = np.zeros(scores.shape[0], dtype=np.float32)
    filled = lengths > 0
    best[filled] = np.maximum.reduceat(scores.data, scores.indptr[:-1][filled]) if scores.nnz else 0
    scores.data /= np.repeat(np.where(best > _NEGLIGIBLE, best, np.inf), lengths).astype(np.float32)
    return scores
