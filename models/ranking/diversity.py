"""Diversified lists for the users of a block: maximal marginal relevance with a cap per company."""

from typing import Any, NamedTuple

import numpy as np

from models.arrays import Floats, Ints, rank_within, unit_rows
from models.kernels.compiling import compiled
from models.ranking.candidates import Candidates
from models.ranking.job_arrays import JobTable
from models.ranking.settings import CompanyCap
from models.sort_keys import best_first, last_ones_last, rank_in_group

SKETCH_DIMENSIONS = 16
_SKETCH_SAMPLE = 20_000  # evenly spaced jobs that the axes are fitted on
_SKETCHED_AT_ONCE = 4_096
_NEGLIGIBLE = 1e-6
_POPULAR_OF_COMPANY = 3
# Parts of the similarity of two jobs; they sum to 1.
TOPIC_SHARE, COMPANY_SHARE, ROLE_SHARE = 0.5, 0.3, 0.2


class Pool(NamedTuple):
    """The candidates of a block's lists, (B, P) each: -inf relevance marks padding, -1 an unknown code.

    Scale relevance to [0, 1] per row (`scaled`): then a strength means the same for every recipe.
    """

    relevance: Floats
    company: Ints
    role: Ints
    sketch: Floats  # (B, P, d), of length 1 or 0


def build_pool(
    candidates: Candidates, relevance: Floats, jobs: JobTable, sketch: Floats, *, width: int, cap: CompanyCap
) -> tuple[Ints, Pool]:
    """The pool of at most `width` candidates by relevance (B, C), and their positions among the candidates (B, P)."""
    company = candidates.values_of(jobs.company)
    chosen = pool_order(relevance, company, width=min(width, relevance.shape[1]), cap=cap)
    job = np.take_along_axis(np.maximum(candidates.jobs, 0), chosen, axis=1)
    return chosen, Pool(
        relevance=np.take_along_axis(relevance, chosen, axis=1),
        company=np.take_along_axis(company, chosen, axis=1),
        role=jobs.role[job],
        sketch=sketch[job],
    )


def popular_diverse(prior_score: Floats, company: Ints) -> Ints:
    """All jobs by prior score; the fourth and later jobs of a company come last."""
    order = np.lexsort((np.arange(len(company)), -prior_score))
    by_company = order[np.argsort(company[order], kind="stable")]
    surplus = np.zeros(len(company), dtype=bool)
    surplus[by_company] = rank_within(company[by_company]) >= _POPULAR_OF_COMPANY
    surplus &= company >= 0
    return order[np.argsort(surplus[order], kind="stable")].astype(np.int32)


def topic_sketch(vectors: Floats, n_dimensions: int = SKETCH_DIMENSIONS) -> Floats:
    """Job vectors on their first principal axes, normalised: short enough to compare whole pools at every rank.

    The mean is subtracted first: text vectors share a large common part that would make all jobs look alike.
    """
    known = np.flatnonzero(vectors.any(axis=1))
    n_axes = min(n_dimensions, vectors.shape[1], len(known))
    sketch = np.zeros((len(vectors), max(1, n_axes)), dtype=np.float32)
    if n_axes == 0 or len(known) == 1:  # nothing to compare
        return sketch
    sample = vectors[known[:: -(-len(known) // _SKETCH_SAMPLE)]].astype(np.float64)
    mean = sample.mean(axis=0)
    sample -= mean
    # Eigenvalues ascend. The sign of an axis is free, and products of sketches do not depend on it.
    _, axes = np.linalg.eigh(sample.T @ sample)
    chosen = axes[:, ::-1][:, : min(n_axes, len(sample))]
    for start in range(0, len(known), _SKETCHED_AT_ONCE):
        rows = known[start : start + _SKETCHED_AT_ONCE]
        sketch[rows, : chosen.shape[1]] = (vectors[rows] - mean) @ chosen
    sketch[np.abs(sketch).max(axis=1) <= _NEGLIGIBLE] = 0
    return unit_rows(sketch)


def diversified_order(pool: Pool, *, strength: Floats, n_items: int, cap: CompanyCap) -> Ints:
    """Positions in the pool in the order of the list, (B, n_items), -1 after a list's end.

    Maximal marginal relevance (J. Carbonell, J. Goldstein, SIGIR 1998): each rank takes the job with the highest
    (1 - strength) * relevance - strength * (its greatest similarity to a job above); `strength` (B,) is the recipe's.
    A company at its cap waits until the top is full. If the top cannot be filled under the cap, the list ends there. Of
    equal values, the earlier position in the pool comes first.
    """
    order = np.full((len(pool.relevance), n_items), -1, dtype=np.int32)
    if pool.relevance.shape[1]:
        pool = pool._replace(sketch=np.ascontiguousarray(pool.sketch, dtype=np.float32))
        _greedy(pool, strength.astype(np.float32), cap.most, cap.top, order)
    return order


def scaled(relevance: Floats) -> Floats:
    """Each row stretched to [0, 1] between its least and its greatest relevance; -inf stays."""
    is_known = relevance > -np.inf
    low = np.where(is_known, relevance, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    high = relevance.max(axis=1, initial=-np.inf, keepdims=True)
    width = np.where(high > low, high - low, 1)
    return np.where(is_known, (relevance - np.where(is_known, low, 0)) / width, -np.inf).astype(np.float32)


def pool_order(relevance: Floats, company: Ints, *, width: int, cap: CompanyCap) -> Ints:
    """The (B, width) best candidates by relevance, those of overrepresented companies last.

    A company's first `width * most / (2 * top)` candidates come before the surplus of any company. So a pool much
    smaller than the candidates can fill the top under the cap whenever the candidates can.
    """
    quota = max(cap.most, width * cap.most // (2 * cap.top))
    by_relevance = best_first(relevance)
    sorted_company = np.take_along_axis(company, by_relevance, axis=1)
    is_surplus = (rank_in_group(sorted_company) >= quota) & (sorted_company >= 0)
    final = last_ones_last(is_surplus)[:, :width]
    return np.take_along_axis(by_relevance, final, axis=1).astype(np.int32)


@compiled
def _greedy(pool: Any, strength: Any, most: int, top: int, order: Any) -> None:
    relevance, company, role, sketch = pool.relevance, pool.company, pool.role, pool.sketch
    n_rows, width = relevance.shape
    topic_share, company_share, role_share = np.float32(TOPIC_SHARE), np.float32(COMPANY_SHARE), np.float32(ROLE_SHARE)
    axes = np.empty((sketch.shape[2], width), dtype=np.float32)
    value, similarity = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32)
    topic, n_of_company = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.int32)
    for row in range(n_rows):
        weight = strength[row]
        for place in range(width):
            value[place] = (np.float32(1) - weight) * relevance[row, place]
            similarity[place] = 0
            n_of_company[place] = 0
            for axis in range(sketch.shape[2]):
                axes[axis, place] = sketch[row, place, axis]
        for rank in range(min(order.shape[1], width)):
            chosen, greatest = -1, np.float32(-np.inf)
            for place in range(width):
                if rank < top and n_of_company[place] >= most:
                    continue
                current = value[place] - weight * similarity[place]
                if current > greatest:
                    chosen, greatest = place, current
            if chosen < 0:
                break
            order[row, rank] = chosen
            value[chosen] = -np.inf
            topic[:] = 0
            for axis in range(sketch.shape[2]):
                part = axes[axis, chosen]
                for place in range(width):
                    topic[place] += part * axes[axis, place]
            chosen_company, chosen_role = company[row, chosen], role[row, chosen]
            for place in range(width):
                alike = topic_share * min(max(topic[place], np.float32(0)), np.float32(1))
                if chosen_company >= 0 and company[row, place] == chosen_company:
                    alike += company_share
                    n_of_company[place] += 1
                if chosen_role >= 0 and role[row, place] == chosen_role:
                    alike += role_share
                similarity[place] = max(similarity[place], alike)
