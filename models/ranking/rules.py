"""The hard rules: which jobs a user must never be shown. As sparse rows; feed_problems.py verifies feeds.

Closed, expired and duplicate jobs have no row in a JobTable: ranking needs no rule for them.
"""

from models.arrays import Csr
from models.ranking.context import JobContext, UserBatch


def forbidden_rows(context: JobContext, batch: UserBatch, rows: slice) -> Csr:
    """The jobs that each user of the block must not see, CSR (B, J) with sorted columns."""
    forbidden, users = batch.ended[rows], batch.users
    for blocked, members in (
        (users.blocked_tags, context.jobs_by_tag),
        (users.blocked_companies, context.jobs_by_company),
        (users.blocked_company_names, context.jobs_by_company_name),
    ):
        block = blocked[rows]
        if block.nnz:
            forbidden = (forbidden + block @ members).tocsr()
    forbidden.sort_indices()
    return forbidden
