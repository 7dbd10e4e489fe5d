"""The jobs of companies that a user follows: those whose postings the user applied to, saved or clicked (SPEC 6).

Nobody states whom they follow; what tells it is the learned liking of a company in the preferences.
"""

import numpy as np
from scipy import sparse

from models.arrays import Csr, Floats, rank_within
from models.ranking.job_arrays import FACET_SEPARATOR, JobTable

_COMPANY_PREFIX = f"company{FACET_SEPARATOR}"
_PROMISE_SHARE = 0.1  # the liking of a company decides, its jobs' promise only among them


def jobs_of_companies(jobs: JobTable, promise: Floats, *, most: int) -> Csr:
    """Facets x jobs: the `most` most promising jobs of each company that anybody may like, values in [0.9, 1].

    `promise` (J,) in [0, 1]. Times the likings of users (users x facets) it scores the jobs of whom they follow; other
    facets have empty rows.
    """
    facets = jobs.vocabularies["facet"]
    is_company = facets.str.starts_with(_COMPANY_PREFIX).to_numpy()
    places = jobs.facets.tocoo()
    kept = is_company[places.col]
    job, company = places.row[kept].astype(np.int64), places.col[kept].astype(np.int64)
    order = np.lexsort((job, -promise[job], company))
    order = order[rank_within(company[order]) < most]
    job, company = job[order], company[order]
    values = (1 - _PROMISE_SHARE * (1 - promise[job])).astype(np.float32)
    made = sparse.csr_matrix((values, (company, job)), shape=(len(facets), jobs.n), dtype=np.float32)
    made.sort_indices()
    return made
