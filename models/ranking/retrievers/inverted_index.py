"""Jobs by the terms that a user asks for: an inverted index of skills, tags, roles and learned preferences.

Rare terms come first and are read whole. Once a user's share of postings is used up, only the jobs with the highest
prior score are read of a common term. What is found is then scored by all its terms: only the finding is bounded.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from models.arrays import Csr, Floats, Ints
from models.kernels.compiling import compiled
from models.kernels.heaps import heap_drain, heap_offer
from models.ranking.context import Find, ForUsers, JobContext, UserBlock
from models.ranking.job_arrays import JobTable
from models.ranking.population import Population
from models.ranking.user_arrays import UserTable
from models.sort_keys import descending_key

POSTINGS_PER_USER = 12_000
_OF_ONE_TERM = 0.25  # the share of a user's postings that a single term may take
_TAG_SHARE, _ROLE_SHARE, _AFFINITY_SHARE = 0.5, 0.7, 0.3
_RESCORED = 2  # times the wanted number


@dataclass(frozen=True)
class TermIndex:
    """`order`: the terms (skills, tags, roles, preference features), the rarest first. Both matrices use this order.

    `postings` (terms x jobs): each term's jobs by prior score, best first. `of_jobs` (jobs x terms): the same values.
    """

    order: Ints
    postings: Csr
    of_jobs: Csr


def skills(context: JobContext) -> ForUsers:
    """The retriever: the greatest sums of a user's terms."""
    index = build_term_index(context.jobs, context.prior_score)

    def for_users(people: Population) -> Find:
        wanted = wanted_terms(index, people.users, people.affinity)

        def find(block: UserBlock, k: int) -> Ints:
            return jobs_by_terms(index, wanted[block.rows], block.forbidden, k)

        return find

    return for_users


def build_term_index(jobs: JobTable, prior_score: Floats) -> TermIndex:
    """Weights each term of each job, a skill by its share of the job's rarity; `prior_score` is (J,)."""
    length = np.sqrt(np.maximum(jobs.skill_rarity_total, 1e-6))
    skills = sparse.diags(1 / length) @ jobs.skills
    tags = sparse.diags(_TAG_SHARE / np.sqrt(np.maximum(jobs.n_tags, 1))) @ jobs.tags
    of_jobs = sparse.hstack(
        [skills, tags, _ROLE_SHARE * jobs.roles, _AFFINITY_SHARE * jobs.preference_features], format="csc"
    )
    order = np.argsort(np.diff(of_jobs.indptr), kind="stable").astype(np.int32)
    of_jobs = of_jobs[:, order].astype(np.float32)
    of_jobs.sort_indices()
    place = np.empty(jobs.n, dtype=np.int64)
    place[np.lexsort((np.arange(jobs.n), -prior_score))] = np.arange(jobs.n)
    term = np.repeat(np.arange(len(order)), np.diff(of_jobs.indptr))
    by_prior = np.argsort(term * max(jobs.n, 1) + place[of_jobs.indices], kind="stable")
    postings = sparse.csr_matrix(
        (of_jobs.data[by_prior], of_jobs.indices[by_prior], of_jobs.indptr), shape=of_jobs.shape[::-1]
    )
    rows = of_jobs.tocsr()
    rows.sort_indices()
    return TermIndex(order, postings, rows)


def wanted_terms(index: TermIndex, users: UserTable, affinity: Csr) -> Csr:
    """What users ask for, in the index's terms (users x terms); avoided skills count negative."""
    wanted = sparse.hstack(
        [users.skills - users.avoided_skills, users.tags, users.roles, affinity],
        format="csc",
    )
    wanted = wanted[:, index.order].tocsr()
    wanted.sort_indices()
    return wanted


def jobs_by_terms(
    index: TermIndex, wanted: Csr, forbidden: Csr, k: int, *, postings_per_user: int = POSTINGS_PER_USER
) -> Ints:
    """The `k` jobs with the greatest positive sum over the `wanted` terms, (B, k), -1 padded, none forbidden.

    Equal sums in the order of the jobs.
    """
    found = np.full((wanted.shape[0], max(k, 0)), -1, dtype=np.int32)
    n_jobs = index.of_jobs.shape[0]
    if k <= 0 or wanted.nnz == 0 or n_jobs == 0:
        return found
    _by_terms(
        *(index.postings.indptr, index.postings.indices, index.postings.data),
        *(index.of_jobs.indptr, index.of_jobs.indices, index.of_jobs.data),
        *(wanted.indptr, wanted.indices, wanted.data.astype(np.float32)),
        *(forbidden.indptr, forbidden.indices),
        postings_per_user,
        max(1, int(_OF_ONE_TERM * postings_per_user)),
        min(_RESCORED * k, n_jobs),
        found,
    )
    return found


@compiled
def _by_terms(
    term_indptr: Any, term_jobs: Any, term_values: Any, job_indptr: Any, job_terms: Any, job_values: Any,
    wanted_indptr: Any, wanted: Any, wanted_values: Any, forbidden_indptr: Any, forbidden: Any,
    most: int, most_of_one: int, n_rescored: int, found: Any,
) -> None:  # fmt: skip
    n_jobs, n_terms = len(job_indptr) - 1, len(term_indptr) - 1
    sums = np.zeros(n_jobs, dtype=np.float32)
    is_touched = np.zeros(n_jobs, dtype=np.bool_)
    touched = np.empty(n_jobs, dtype=np.int32)
    weights = np.zeros(n_terms, dtype=np.float32)
    heap = np.empty(found.shape[1], dtype=np.int64)
    wider_heap = np.empty(n_rescored, dtype=np.int64)
    chosen = np.empty(n_rescored, dtype=np.int32)
    for row in range(found.shape[0]):
        n_touched, n_read, is_cut = 0, 0, False
        for term in range(wanted_indptr[row], wanted_indptr[row + 1]):
            first, last = term_indptr[wanted[term]], term_indptr[wanted[term] + 1]
            if n_read >= most:
                is_cut = True
                break
            if last - first > most_of_one and n_read + (last - first) > most:
                last, is_cut = first + most_of_one, True
            n_read += last - first
            for position in range(first, last):
                job = term_jobs[position]
                sums[job] += wanted_values[term] * term_values[position]
                if not is_touched[job]:
                    is_touched[job] = True
                    touched[n_touched] = job
                    n_touched += 1
        for position in range(forbidden_indptr[row], forbidden_indptr[row + 1]):
            sums[forbidden[position]] = 0
        size = 0
        if not is_cut:
            for place in range(n_touched):
                if sums[touched[place]] > 0:
                    size = heap_offer(heap, size, descending_key(sums[touched[place]], touched[place]))
        else:
            n_chosen = 0
            for place in range(n_touched):
                if sums[touched[place]] > 0:
                    n_chosen = heap_offer(wider_heap, n_chosen, descending_key(sums[touched[place]], touched[place]))
            heap_drain(wider_heap, n_chosen, chosen)
            for term in range(wanted_indptr[row], wanted_indptr[row + 1]):
                weights[wanted[term]] = wanted_values[term]
            for place in range(n_chosen):
                total = np.float32(0)
                for position in range(job_indptr[chosen[place]], job_indptr[chosen[place] + 1]):
                    total += weights[job_terms[position]] * job_values[position]
                if total > 0:
                    size = heap_offer(heap, size, descending_key(total, chosen[place]))
            for term in range(wanted_indptr[row], wanted_indptr[row + 1]):
                weights[wanted[term]] = 0
        heap_drain(heap, size, found[row])
        for place in range(n_touched):
            sums[touched[place]] = 0
            is_touched[touched[place]] = False
        for position in range(forbidden_indptr[row], forbidden_indptr[row + 1]):
            sums[forbidden[position]] = 0
