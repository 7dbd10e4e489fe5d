"""Jobs of the companies that a user likes."""

import numpy as np
from scipy import sparse

from models.arrays import Csr, Floats, Ints, rank_within
from models.kernels.sparse_rows import best_columns
from models.ranking.context import ForUsers, JobContext, UserBlock
from models.ranking.job_arrays import FEATURE_SEPARATOR, JobTable
from models.ranking.retrievers.precomputed import OVERFETCH

_COMPANY_PREFIX = f"company{FEATURE_SEPARATOR}"
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
    features = jobs.vocabularies["preference_feature"]
    is_company = features.str.starts_with(_COMPANY_PREFIX).to_numpy()
    entries = jobs.preference_features.tocoo()
    kept = is_company[entries.col]
    job, company = entries.row[kept].astype(np.int64), entries.col[kept].astype(np.int64)
    order = np.lexsort((job, -prior_score[job], company))
    order = order[rank_within(company[order]) < most]
    job, company = job[order], company[order]
    values = (1 - _PRIOR_SHARE * (1 - prior_score[job])).astype(np.float32)
    made = sparse.csr_matrix((values, (company, job)), shape=(len(features), jobs.n), dtype=np.float32)
    made.sort_indices()
    return made
