"""The hard rules as sparse rows for ranking: which jobs a user must never be shown. feed_problems.py verifies them.

Closed, expired and duplicate jobs have no row in a JobTable, so that no rule is needed for them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import Csr, csr_of_ones
from models.ranking.interaction_arrays import APPLIED, DISMISSED, Behaviour, Catalog
from models.ranking.job_arrays import JobTable, UserTable
from models.ranking.signals import pairs_with


def forbidden_by_acts(behaviour: Behaviour, known: Catalog, *, n_jobs: int) -> Csr:
    """Jobs applied to or turned down, or duplicates of those: CSR users x jobs of ones."""
    return pairs_with(behaviour, APPLIED | DISMISSED, known, n_jobs=n_jobs)


@dataclass(frozen=True)
class Blockable:
    """The jobs of what a user may block: tags, companies, company names x jobs, CSR of ones."""

    by_tag: Csr
    by_company: Csr
    by_company_name: Csr


def blockable(jobs: JobTable) -> Blockable:
    """Once for all shards."""
    return Blockable(
        by_tag=jobs.tags.T.tocsr(),
        by_company=_members(jobs.company, n_groups=len(jobs.vocabularies["company"])),
        by_company_name=_members(jobs.company_name, n_groups=len(jobs.vocabularies["company_name"])),
    )


def forbidden_rows(users: UserTable, jobs: Blockable, by_interactions: Csr, *, rows: slice) -> Csr:
    """The jobs that each user of the block must not see, CSR (B, J) with sorted columns."""
    forbidden = by_interactions[rows]
    for blocked, members in (
        (users.blocked_tags, jobs.by_tag),
        (users.blocked_companies, jobs.by_company),
        (users.blocked_company_names, jobs.by_company_name),
    ):
        block = blocked[rows]
        if block.nnz:
            forbidden = (forbidden + block @ members).tocsr()
    forbidden.sort_indices()
    return forbidden


def _members(group: NDArray[np.int32], *, n_groups: int) -> Csr:
    return csr_of_ones(group, np.arange(len(group), dtype=np.int32), shape=(n_groups, len(group)))
