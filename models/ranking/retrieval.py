"""The list of retrievers, and the union of what they propose. Each retriever is a file of models/ranking/retrievers.

A new retriever needs its file, a line in RETRIEVERS and a limit in ranking.yaml.
"""

import numpy as np

from models.arrays import NO_ENTRY
from models.ranking.candidates import Candidates, first_allowed, merge
from models.ranking.collaborative import collaborative_scores
from models.ranking.context import JobContext, Retriever, UserBatch, UserBlock
from models.ranking.retrievers.also_applied import also_applied
from models.ranking.retrievers.company import company
from models.ranking.retrievers.inverted_index import skills
from models.ranking.retrievers.nearby import nearby
from models.ranking.retrievers.nearest import collaborative, content
from models.ranking.retrievers.neighbours import neighbour_shares, neighbours
from models.ranking.retrievers.new import new
from models.ranking.retrievers.popular_diverse import POPULAR_ITEMS, popular
from models.ranking.retrievers.trending import trending
from models.ranking.rules import forbidden_rows

# The position of a retriever is its bit in `found_by`.
RETRIEVERS: dict[str, Retriever] = {
    "collaborative": collaborative,
    "content": content,
    "neighbours": neighbours,
    "also_applied": also_applied,
    "skills": skills,
    "nearby": nearby,
    "trending": trending,
    "new": new,
    "followed": company,
    "mix": popular,
}


def build_block(context: JobContext, batch: UserBatch, rows: slice) -> UserBlock:
    """A slice of the batch with its forbidden jobs and with what retrieval and scoring share."""
    forbidden = forbidden_rows(context, batch, rows)
    n_collaborative = context.settings.limits.per_retriever["collaborative"]
    return UserBlock(
        context=context,
        batch=batch,
        rows=rows,
        forbidden=forbidden,
        collaborative=collaborative_scores(context, batch, rows, forbidden, n_collaborative),
        neighbour_shares=neighbour_shares(context, batch, rows),
    )


def retrieve(block: UserBlock) -> Candidates:
    """The candidates of a block of users: the union of all retrievers, capped, without forbidden jobs.

    Users with less than `limits.least` candidates get more of the popular ones.
    """
    context, limits = block.context, block.context.settings.limits
    finders = block.batch.finders
    most = [limits.per_retriever.get(name, POPULAR_ITEMS) for name in finders]
    found = [find(block, limit) for find, limit in zip(finders.values(), most, strict=True)]
    union = merge(found, most, n_jobs=context.jobs.n, cap=limits.cap)
    is_short = (union.jobs >= 0).sum(axis=1) < min(limits.least, context.jobs.n)
    if not is_short.any():
        return union
    # Twice the least: enough is left even if all jobs found before are among them.
    every = np.zeros(int(is_short.sum()), np.int32)
    more = first_allowed(context.popular_diverse[None, :], every, block.forbidden[is_short], k=2 * limits.least)
    longer = merge(
        [*(jobs[is_short] for jobs in found[:-1]), more],
        [*most[:-1], 2 * limits.least],
        n_jobs=context.jobs.n,
        cap=limits.cap,
    )
    width = max(union.jobs.shape[1], longer.jobs.shape[1])
    jobs = np.full((len(is_short), width), NO_ENTRY, dtype=np.int32)
    found_by = np.zeros((len(is_short), width), dtype=np.uint16)
    jobs[~is_short, : union.jobs.shape[1]] = union.jobs[~is_short]
    found_by[~is_short, : union.jobs.shape[1]] = union.found_by[~is_short]
    jobs[is_short, : longer.jobs.shape[1]] = longer.jobs
    found_by[is_short, : longer.jobs.shape[1]] = longer.found_by
    return Candidates(jobs, found_by)
