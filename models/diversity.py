"""Lists that do not repeat themselves: maximal marginal relevance with a cap per company, for all users of a block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

SKETCH_DIMENSIONS = 16
_SKETCH_SAMPLE = 20_000  # jobs, evenly taken, that the axes are fitted on
_NEGLIGIBLE = 1e-6
# What makes two jobs alike; the three sum to 1.
TOPIC_SHARE, COMPANY_SHARE, ROLE_SHARE = 0.5, 0.3, 0.2


@dataclass(frozen=True)
class CompanyCap:
    """At most `most` jobs of one company among the first `top` ranks."""

    most: int
    top: int


@dataclass(frozen=True)
class Pool:
    """What a block's lists are chosen from, (B, P) each: -inf relevance marks padding, -1 an unknown code.

    Relevance is best given in [0, 1] per row (`scaled`): strength means the same then whatever the recipe's range.
    """

    relevance: Floats
    company: Ints
    role: Ints
    sketch: Floats  # (B, P, d), of length 1 or 0


def topic_sketch(vectors: Floats, n_dimensions: int = SKETCH_DIMENSIONS) -> Floats:
    """Job vectors on their first principal axes, normalised: short enough to compare whole pools at every rank.

    The mean is taken off first: text vectors share a large common part that would make all jobs look alike.
    """
    known = np.abs(vectors).sum(axis=1) > 0
    n_known = int(known.sum())
    n_axes = min(n_dimensions, vectors.shape[1], n_known)
    sketch = np.zeros((len(vectors), max(1, n_axes)), dtype=np.float32)
    if n_axes == 0 or n_known == 1:  # nothing to tell apart
        return sketch
    sample = vectors[known][:: -(-n_known // _SKETCH_SAMPLE)].astype(np.float64)
    axes = PCA(n_components=min(n_axes, len(sample)), svd_solver="covariance_eigh").fit(sample)
    sketch[known, : axes.n_components_] = axes.transform(vectors[known])
    sketch[np.abs(sketch).max(axis=1) <= _NEGLIGIBLE] = 0
    return np.asarray(normalize(sketch), dtype=np.float32)


def diversified_order(pool: Pool, *, strength: Floats, n_items: int, cap: CompanyCap) -> Ints:
    """Positions in the pool in the order of the list, (B, n_items), -1 after a list's end.

    Maximal marginal relevance (J. Carbonell, J. Goldstein, SIGIR 1998): each rank takes the job with the highest
    (1 - strength) * relevance - strength * (its greatest likeness to a job above); `strength` (B,) is the recipe's.
    A company that has its cap waits until the top is full; a top that cannot be filled without breaking the cap ends
    the list. Equal values: the earlier position in the pool.
    """
    n_rows, width = pool.relevance.shape
    order = np.full((n_rows, n_items), -1, dtype=np.int32)
    if width == 0:
        return order
    strength = strength.astype(np.float32)[:, None]
    value = (1 - strength) * pool.relevance
    likeness = np.zeros((n_rows, width), dtype=np.float32)
    n_of_company = np.zeros((n_rows, width), dtype=np.int32)
    rows = np.arange(n_rows)
    is_going = np.ones(n_rows, dtype=bool)
    for place in range(min(n_items, width)):
        current = value - strength * likeness
        if place < cap.top:
            current[n_of_company >= cap.most] = -np.inf
        chosen = np.argmax(current, axis=1)
        is_going &= current[rows, chosen] > -np.inf
        if not is_going.any():
            break
        order[is_going, place] = chosen[is_going]
        value[rows, chosen] = -np.inf
        is_same_company = _same(pool.company, chosen)
        n_of_company += is_same_company
        np.maximum(likeness, _likeness(pool, chosen, is_same_company), out=likeness)
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

    A company's first `width * most / (2 * top)` candidates come before any other's surplus: so a pool much smaller than
    the candidates can still fill a top under the cap whenever the candidates can.
    """
    quota = max(cap.most, width * cap.most // (2 * cap.top))
    by_relevance = np.argsort(-relevance, axis=1, kind="stable")
    sorted_company = np.take_along_axis(company, by_relevance, axis=1)
    is_surplus = (rank_in_group(sorted_company) >= quota) & (sorted_company >= 0)
    final = np.argsort(is_surplus, axis=1, kind="stable")[:, :width]
    return np.take_along_axis(by_relevance, final, axis=1).astype(np.int32)


def rank_in_group(codes: Ints) -> NDArray[np.int64]:
    """For each entry of each row of `codes` how many equal ones stand before it, (B, C)."""
    by_code = np.argsort(codes, axis=1, kind="stable")
    grouped = np.take_along_axis(codes, by_code, axis=1)
    is_first = np.ones_like(grouped, dtype=bool)
    is_first[:, 1:] = grouped[:, 1:] != grouped[:, :-1]
    place = np.broadcast_to(np.arange(codes.shape[1]), codes.shape)
    within = place - np.maximum.accumulate(np.where(is_first, place, 0), axis=1)
    rank = np.empty_like(within)
    np.put_along_axis(rank, by_code, within, axis=1)
    return rank


def _same(codes: Ints, chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
    code = np.take_along_axis(codes, chosen[:, None], axis=1)
    return np.asarray((codes == code) & (code >= 0))


def _likeness(pool: Pool, chosen: NDArray[np.intp], is_same_company: NDArray[np.bool_]) -> Floats:
    """How alike every job of the pool is to the chosen one, in [0, 1]."""
    picked = pool.sketch[np.arange(len(chosen)), chosen]
    topic = np.matmul(pool.sketch, picked[:, :, None])[:, :, 0]
    alike = TOPIC_SHARE * np.clip(topic, 0, 1)
    alike += COMPANY_SHARE * is_same_company
    alike += ROLE_SHARE * _same(pool.role, chosen)
    return np.asarray(alike, dtype=np.float32)
