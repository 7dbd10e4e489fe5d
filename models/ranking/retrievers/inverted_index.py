"""Jobs by the terms that a user asks for: an inverted index of skills, tags, roles and learned preferences.

Rare terms are read first, and whole. Once a user's budget of postings is spent, only the jobs with the highest prior
score are read for a common term. The jobs found are then scored by all their terms: only the search is bounded.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from models.arrays import Csr, CsrArrays, Floats, Ints
from models.kernels.compiling import compiled
from models.kernels.heaps import heap_drain, heap_offer
from models.kernels.sparse_rows import mark_row
from models.ranking.context import Find, ForUsers, JobContext, UserBlock
from models.ranking.job_arrays import JobTable
from models.ranking.population import Population
from models.ranking.user_arrays import UserTable
from models.sort_keys import descending_key

POSTINGS_PER_USER = 12_000
_TERM_SHARE = 0.25  # the share of a user's postings that one common term may use
_TAG_SHARE, _ROLE_SHARE, _AFFINITY_SHARE = 0.5, 0.7, 0.3
_RESCORED = 2  # jobs scored by all their terms, per wanted job


@dataclass(frozen=True)
class TermIndex:
    """`order`: the terms (skills, tags, roles, preference features), the rarest first. Both matrices use this order.

    `postings` (terms x jobs): each term's jobs by prior score, best first. `of_jobs` (jobs x terms): the same values.
    """

    order: Ints
    postings: Csr
    of_jobs: Csr


class _Bounds(NamedTuple):
    """The most postings read per user and per common term, and the most jobs scored by all their terms."""

    postings: int
    postings_of_term: int
    rescored: int


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
    if k > 0 and wanted.nnz and n_jobs:
        bounds = _Bounds(postings_per_user, max(1, int(_TERM_SHARE * postings_per_user)), min(_RESCORED * k, n_jobs))
        postings, of_jobs = CsrArrays.of(index.postings), CsrArrays.of(index.of_jobs)
        wanted = wanted.astype(np.float32, copy=False)
        _by_terms(postings, of_jobs, CsrArrays.of(wanted), CsrArrays.of(forbidden), bounds, found)
    return found


@compiled
def _by_terms(postings: Any, of_jobs: Any, wanted: Any, forbidden: Any, bounds: Any, found: Any) -> None:
    n_jobs, n_terms = len(of_jobs.indptr) - 1, len(postings.indptr) - 1
    sums = np.zeros(n_jobs, dtype=np.float32)
    is_touched = np.zeros(n_jobs, dtype=np.bool_)
    touched = np.empty(n_jobs, dtype=np.int32)
    weights = np.zeros(n_terms, dtype=np.float32)
    heap = np.empty(found.shape[1], dtype=np.int64)
    wider_heap = np.empty(bounds.rescored, dtype=np.int64)
    chosen = np.empty(bounds.rescored, dtype=np.int32)
    for row in range(found.shape[0]):
        n_touched, n_read, is_cut = 0, 0, False
        for entry in range(wanted.indptr[row], wanted.indptr[row + 1]):
            term, weight = wanted.indices[entry], wanted.data[entry]
            first, last = postings.indptr[term], postings.indptr[term + 1]
            if n_read >= bounds.postings:
                is_cut = True
                break
            if last - first > bounds.postings_of_term and n_read + (last - first) > bounds.postings:
                last, is_cut = first + bounds.postings_of_term, True
            n_read += last - first
            for position in range(first, last):
                job = postings.indices[position]
                sums[job] += weight * postings.data[position]
                if not is_touched[job]:
                    is_touched[job] = True
                    touched[n_touched] = job
                    n_touched += 1
        mark_row(sums, forbidden, row, 0)
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
            for entry in range(wanted.indptr[row], wanted.indptr[row + 1]):
                weights[wanted.indices[entry]] = wanted.data[entry]
            for place in range(n_chosen):
                total = np.float32(0)
                for position in range(of_jobs.indptr[chosen[place]], of_jobs.indptr[chosen[place] + 1]):
                    total += weights[of_jobs.indices[position]] * of_jobs.data[position]
                if total > 0:
                    size = heap_offer(heap, size, descending_key(total, chosen[place]))
            mark_row(weights, wanted, row, 0)
        heap_drain(heap, size, found[row])
        for place in range(n_touched):
            sums[touched[place]] = 0
            is_touched[touched[place]] = False
        mark_row(sums, forbidden, row, 0)
