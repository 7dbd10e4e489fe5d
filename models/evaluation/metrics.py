"""The quality of lists of recommendations, measured by what users did next. No model and no list is made here.

`evaluate_lists` takes frames: lists of user_id, rank (from 1), job_id; truth of user_id, job_id, gain (> 0). The others
take lists as (U, n) rows of jobs, best first, -1 padded.
"""

import numpy as np
import polars as pl

from models.arrays import (
    Csr,
    Doubles,
    Floats,
    Ints,
    Longs,
    csr_from_coordinates,
    csr_of_ones,
    positions,
    rank_within,
    sorted_ids,
)


def ranking_metrics(gains: Floats, relevant: Csr, *, k: int) -> dict[str, Doubles]:
    """recall, precision, ndcg, mrr and hit_rate of each user's first `k` jobs, (U,) each.

    `gains` (U, n) holds the gain of each listed job in its place, 0 if it is not relevant; `relevant` (users x jobs)
    the gains of all relevant jobs. NDCG with gain / log2(rank + 1) (Järvelin and Kekäläinen, 2002) against the best
    possible order; recall counts all relevant jobs, not at most k. A user without relevant jobs has NaN in all but
    precision, mrr and hit_rate.
    """
    shown = gains[:, :k].astype(np.float64)
    is_hit = shown > 0
    n_hits, n_relevant = is_hit.sum(axis=1), np.diff(relevant.indptr)
    dcg = (shown / np.log2(np.arange(2, shown.shape[1] + 2))).sum(axis=1)
    first = np.where(is_hit.any(axis=1), is_hit.argmax(axis=1) + 1, np.inf) if shown.shape[1] else np.inf
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "recall": n_hits / np.where(n_relevant > 0, n_relevant, np.nan),
            "precision": n_hits / k,
            "ndcg": np.asarray(dcg / _ideal_dcg(relevant, k)),
            "mrr": np.broadcast_to(1 / np.asarray(first), len(shown)).astype(np.float64),
            "hit_rate": (n_hits > 0).astype(np.float64),
        }


def evaluate_lists(recommended: pl.DataFrame, truth: pl.DataFrame, *, k: int) -> pl.DataFrame:
    """Grain: each user of `truth`, sorted: ndcg, recall, precision, mrr, is_hit of the first `k`; n_relevant.

    A user without recommendations scores 0. Raises ValueError for a job that occurs twice in a list or in a user's
    truth, and for a gain that is not positive.
    """
    _refuse_repeated(recommended, "recommended")
    _refuse_repeated(truth, "truth")
    if not truth["gain"].is_between(0, np.inf, closed="none").all():
        raise ValueError("evaluate_lists: truth has gains that are not positive and finite; leave those rows out")
    users, jobs = sorted_ids(truth["user_id"]), sorted_ids(truth["job_id"])
    relevant = csr_from_coordinates(
        positions(users, truth["user_id"]),
        positions(jobs, truth["job_id"]),
        truth["gain"].to_numpy(),
        shape=(len(users), len(jobs)),
    )
    hits = recommended.filter(pl.col("rank") <= k)
    row, job = positions(users, hits["user_id"]), positions(jobs, hits["job_id"])
    place = hits["rank"].to_numpy() - 1
    known = np.flatnonzero((row >= 0) & (job >= 0))
    gains = np.zeros((len(users), k), dtype=np.float32)
    gains[row[known], place[known]] = np.asarray(relevant[row[known], job[known]]).ravel()
    found = ranking_metrics(gains, relevant, k=k)
    return pl.DataFrame(
        {
            "user_id": users,
            **{name: found[name] for name in ("ndcg", "recall", "precision", "mrr")},
            "is_hit": found["hit_rate"] > 0,
            "n_relevant": np.diff(relevant.indptr).astype(np.int64),
        }
    )


def novelty(listed: Ints, n_users_of_job: Longs, *, n_users: int) -> Doubles:
    """Mean self-information of each list, -log2 of the share of `n_users` who had met a job (Zhou et al., 2010).

    At least one user is assumed to have met a job. NaN for an empty list.
    """
    is_item = listed >= 0
    met = np.clip(n_users_of_job[np.maximum(listed, 0)], 1, max(n_users, 1))
    surprise = np.where(is_item, -np.log2(met / max(n_users, 1)), 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(surprise.sum(axis=1) / is_item.sum(axis=1), dtype=np.float64)


def intra_list_diversity(listed: Ints, vectors: Floats) -> Doubles:
    """1 - mean cosine between different jobs of each list (Ziegler et al., 2005).

    `vectors` (jobs, d) of length 1 or 0; jobs without a vector are left out, lists of fewer than two jobs have NaN.
    """
    has_vector = np.asarray(vectors.any(axis=1))
    is_known = (listed >= 0) & has_vector[np.maximum(listed, 0)]
    n_items = is_known.sum(axis=1).astype(np.float64)
    # The squared length of the sum counts every ordered pair once, and each item with itself.
    row, place = np.nonzero(is_known)
    sums = csr_of_ones(row, listed[row, place], shape=(len(listed), len(vectors))) @ vectors
    pairs = np.einsum("ij,ij->i", sums, sums, dtype=np.float64) - n_items
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n_items > 1, 1 - pairs / (n_items * (n_items - 1)), np.nan)


def coverage(exposure: Doubles, *, n_jobs: int) -> Doubles:
    """The share of `n_jobs` that is shown at all; a row of `exposure` (n, shown jobs) counts how often each is."""
    return np.asarray((exposure > 0).sum(axis=1) / max(n_jobs, 1), dtype=np.float64)


def gini(exposure: Doubles, *, n_jobs: int) -> Doubles:
    """Per row 0 if all `n_jobs` are shown equally often, near 1 if one has all exposure (Gini, 1912); 0 for none.

    A row of `exposure` (n, shown jobs) counts how often each is shown; jobs that are left out are never shown.
    """
    total = exposure.sum(axis=1)
    rank = np.arange(n_jobs - exposure.shape[1], n_jobs) + 1
    weighted = np.sort(exposure, axis=1) @ rank.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = 2 * weighted / (n_jobs * total) - (n_jobs + 1) / max(n_jobs, 1)
    return np.where(total > 0, found, 0.0)


def _ideal_dcg(relevant: Csr, k: int) -> Doubles:
    """The discounted gain of the best order of each user's relevant jobs; NaN without any."""
    user = np.repeat(np.arange(relevant.shape[0]), np.diff(relevant.indptr))
    order = np.lexsort((-relevant.data, user))
    rank = rank_within(user[order])
    gain = np.where(rank < k, relevant.data[order] / np.log2(rank + 2), 0.0)
    total = np.bincount(user[order], weights=gain, minlength=relevant.shape[0])
    return np.where(np.diff(relevant.indptr) > 0, total, np.nan)


def _refuse_repeated(frame: pl.DataFrame, name: str) -> None:
    repeated = frame.select(pl.struct("user_id", "job_id").is_duplicated().sum()).item()
    if repeated:
        raise ValueError(f"evaluate_lists: {name} names a job twice for one user in {repeated} rows")
