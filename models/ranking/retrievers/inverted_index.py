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
from models.sort_keys import descending_key, score_of_key

POSTINGS_PER_USER = 12_000
_TERM_SHARE = 0.25  # the share of a user's postings that one common term may use
_TAG_SHARE, _ROLE_SHARE, _AFFINITY_SHARE = 0.5, 0.7, 0.3
_RESCORED = 2  # jobs scored by all their terms, per wanted job


@dataclass(frozen=True)
class TermIndex:
    """`order`: the terms (skills, tags, roles, preference features), the rarest first. Both matrices use this order.

    `postings` (terms x places) has each term's jobs by prior score, best first: `job_at` is the job of each place,
    `place_of` the place of each job. `of_jobs` (jobs x terms): the same values.
    """

    order: Ints
    postings: Csr
    job_at: Ints
    place_of: Ints
    of_jobs: Csr


class _Terms(NamedTuple):
    """A TermIndex as compiled loops take it. Sums are kept by place: those of a term then lie side by side."""

    postings: CsrArrays
    job_at: Ints
    place_of: Ints
    of_jobs: CsrArrays


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
            return jobs_by_terms(index, wanted, block.forbidden, k, rows=block.rows)

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
    rows = of_jobs[:, order].astype(np.float32).tocsr()
    rows.sort_indices()
    job_at = np.lexsort((np.arange(jobs.n), -prior_score)).astype(np.int32)
    place_of = np.empty(jobs.n, dtype=np.int32)
    place_of[job_at] = np.arange(jobs.n)
    postings = rows[job_at].T.tocsr()
    postings.sort_indices()
    return TermIndex(order, postings, job_at, place_of, rows)


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
    index: TermIndex,
    wanted: Csr,
    forbidden: Csr,
    k: int,
    *,
    rows: slice | None = None,
    postings_per_user: int = POSTINGS_PER_USER,
) -> Ints:
    """The `k` jobs with the greatest positive sum over the `wanted` terms, (B, k), -1 padded, none forbidden.

    Equal sums in the order of the jobs. `rows`: which rows of `wanted` are meant; `forbidden` has only these.
    """
    found = np.full((forbidden.shape[0], max(k, 0)), -1, dtype=np.int32)
    n_jobs = index.of_jobs.shape[0]
    if k > 0 and wanted.nnz and n_jobs:
        bounds = _Bounds(postings_per_user, max(1, int(_TERM_SHARE * postings_per_user)), min(_RESCORED * k, n_jobs))
        terms = _Terms(CsrArrays.of(index.postings), index.job_at, index.place_of, CsrArrays.of(index.of_jobs))
        wanted = wanted.astype(np.float32, copy=False)
        _by_terms(terms, CsrArrays.of(wanted, rows), CsrArrays.of(forbidden), bounds, found)
    return found


@compiled
def _by_terms(terms: Any, wanted: Any, forbidden: Any, bounds: Any, found: Any) -> None:
    postings, of_jobs = terms.postings, terms.of_jobs
    n_terms = len(postings.indptr) - 1
    sums = np.zeros(len(terms.job_at), dtype=np.float32)
    touched = np.empty(bounds.postings + bounds.postings_of_term, dtype=np.int32)
    weights = np.zeros(n_terms, dtype=np.float32)
    heap = np.empty(found.shape[1], dtype=np.int64)
    wider_heap = np.empty(bounds.rescored, dtype=np.int64)
    chosen = np.empty(bounds.rescored, dtype=np.int32)
    for row in range(found.shape[0]):
        n_touched, is_cut = _add_postings(postings, wanted, row, bounds, sums, touched)
        for entry in range(forbidden.indptr[row], forbidden.indptr[row + 1]):
            sums[terms.place_of[forbidden.indices[entry]]] = 0
        if not is_cut:
            heap_drain(heap, _offer_sums(sums, terms.job_at, touched, n_touched, heap), found[row])
            continue
        n_chosen = _offer_sums(sums, terms.job_at, touched, n_touched, wider_heap)
        heap_drain(wider_heap, n_chosen, chosen)
        for entry in range(wanted.indptr[row], wanted.indptr[row + 1]):
            weights[wanted.indices[entry]] = wanted.data[entry]
        size = 0
        for place in range(n_chosen):
            total = np.float32(0)
            for position in range(of_jobs.indptr[chosen[place]], of_jobs.indptr[chosen[place] + 1]):
                total += weights[of_jobs.indices[position]] * of_jobs.data[position]
            if total > 0:
                size = heap_offer(heap, size, descending_key(total, chosen[place]))
        mark_row(weights, wanted, row, 0)
        heap_drain(heap, size, found[row])


@compiled
def _add_postings(postings: Any, wanted: Any, row: int, bounds: Any, sums: Any, touched: Any) -> Any:
    """Adds the postings of the terms of a row to `sums` (zeros before), and their places to `touched`.

    Returns how many `touched` has, some of them twice, and whether postings were left out.
    """
    n_touched, n_read = 0, 0
    is_cut = False
    for entry in range(wanted.indptr[row], wanted.indptr[row + 1]):
        term, weight = wanted.indices[entry], wanted.data[entry]
        first, last = postings.indptr[term], postings.indptr[term + 1]
        if n_read >= bounds.postings:
            return n_touched, True
        if last - first > bounds.postings_of_term and n_read + (last - first) > bounds.postings:
            last, is_cut = first + bounds.postings_of_term, True
        n_read += last - first
        for position in range(first, last):
            place = postings.indices[position]
            before = sums[place]
            sums[place] = before + weight * postings.data[position]
            touched[n_touched] = place
            n_touched += before == 0  # no branch: which jobs are new can't be predicted
    return n_touched, is_cut


@compiled
def _offer_sums(sums: Any, job_at: Any, touched: Any, n_touched: int, heap: Any) -> Any:
    """Offers the jobs at the touched places that have positive sums to an empty heap; returns the heap's size.

    Sets the sums to 0.
    """
    size, threshold = 0, np.float32(0)
    for number in range(n_touched):
        place = touched[number]
        total = sums[place]
        sums[place] = 0
        if total <= 0 or total < threshold:
            continue
        size = heap_offer(heap, size, descending_key(total, job_at[place]))
        if size == len(heap):
            threshold = score_of_key(heap[0])
    return size
