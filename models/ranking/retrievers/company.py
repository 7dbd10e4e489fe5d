"""Jobs of the companies that a user likes."""

import numpy as np
from scipy import sparse

from models.arrays import Csr, Floats, Ints, rank_within
from models.kernels.sparse_rows import best_columns
from models.ranking.context import ForUsers, JobContext, UserBlock
from models.ranking.job_arrays import JobTable
from models.ranking.retrievers.precomputed import OVERFETCH

_PRIOR_SHARE = 0.1  # the affinity to a company decides; the prior score orders only the jobs of one company


def company(context: JobContext) -> ForUsers:
    """By the user's affinity to the company, then by prior score."""
    most = context.settings.limits.per_retriever["followed"] * OVERFETCH
    jobs = jobs_of_companies(context.jobs, context.prior_score, most=most)

    def find(block: UserBlock, k: int) -> Ints:
        return best_columns((block.batch.affinity[block.rows] @ jobs).tocsr(), block.forbidden, k)

    return lambda _people: find


def jobs_of_companies(jobs: JobTable, prior_score: Floats, *, most: int) -> Csr:
    """Preference features x jobs: each company's `most` jobs of the highest prior score, values in [0.9, 1].

    `prior_score` (J,) is in [0, 1]. Rows of features that are no company are empty.
    """
    job = np.flatnonzero(jobs.company_feature >= 0)
    company = jobs.company_feature[job]
    order = np.lexsort((job, -prior_score[job], company))
    order = order[rank_within(company[order]) < most]
    job, company = job[order], company[order]
    values = (1 - _PRIOR_SHARE * (1 - prior_score[job])).astype(np.float32)
    shape = (jobs.preference_features.shape[1], jobs.n)
    made = sparse.csr_matrix((values, (company, job)), shape=shape, dtype=np.float32)
    made.sort_indices()
    return made
