"""The chosen collaborative model over a block of users: its best jobs, and shares of the user's greatest score.

ALS alone is one search by factors. Sparse models are products of sparse rows. A blend is the weighted sum of the shares
of its members, over the union of the best jobs of each.
"""

from collections.abc import Iterator

import numpy as np

from models.arrays import Csr, CsrArrays, Doubles, Floats, Ints
from models.kernels.dense_rows import top_k
from models.kernels.sparse_rows import best_columns, dot_pairs, lookup
from models.ranking.candidates import merge
from models.ranking.context import CollaborativeScores, Factors, JobContext, UserBatch
from models.ranking.vector_index import nearest_jobs

_NEGLIGIBLE = 1e-6


def collaborative_scores(
    context: JobContext, batch: UserBatch, rows: slice, forbidden: Csr, k: int
) -> CollaborativeScores:
    """The best `k` jobs of each user of the rows that are not forbidden, and the shares of the members."""
    lists, best = [], np.zeros(rows.stop - rows.start, dtype=np.float32)
    if context.als_weight:
        users = batch.als
        jobs, best = nearest_jobs(context.als_index, users.rows[rows], users.is_known[rows], forbidden, k)
        lists.append(jobs)
    shares = [
        row_shares(terms[rows] @ part.right)
        for terms, part in zip(batch.sparse_terms, context.sparse_parts, strict=True)
    ]
    lists += [best_columns(share, forbidden, k) for share in shares]
    found = CollaborativeScores(lists[0], best, shares, np.ones_like(best))
    if len(lists) == 1:
        return found
    union = merge(lists, [k] * len(lists), n_jobs=context.jobs.n, cap=k * len(lists)).jobs
    value = np.where(union >= 0, np.nan_to_num(_weighted(context, batch, rows, found, np.maximum(union, 0))), -np.inf)
    order = top_k(value.astype(np.float32), k)
    taken = np.take_along_axis(union, np.maximum(order, 0), axis=1) if union.shape[1] else union
    return CollaborativeScores(
        jobs=np.where(order >= 0, taken, -1).astype(np.int32),
        als_greatest=best,
        sparse_shares=shares,
        greatest=np.maximum(value.max(axis=1, initial=0), 0).astype(np.float32),
    )


def collaborative_shares(
    context: JobContext, batch: UserBatch, rows: slice, found: CollaborativeScores, job: Ints
) -> Floats:
    """Scores of the jobs (B, C) as shares of the user's greatest: the best job has 1, jobs below 0 have 0.

    NaN where no member knows the user, or the only one does not know the job.
    """
    value = _weighted(context, batch, rows, found, job)
    if bool(context.als_weight) + len(context.sparse_parts) == 1:
        return value
    greatest = found.greatest[:, None]
    return np.clip(value / np.where(greatest > _NEGLIGIBLE, greatest, 1), 0, 1)


def taste_shares(
    context: JobContext, batch: UserBatch, rows: slice, found: CollaborativeScores, job: Ints
) -> tuple[Doubles, Doubles]:
    """Shares as above by the members other than popularity, and what part these are of the weighted sum of all.

    Both are 0 where no such member knows the pair. The scores of popularity are the same for all users.
    """
    taste, everything, weight_of_taste = np.zeros(job.shape), np.zeros(job.shape), 0.0
    for weight, is_popularity, share in _member_shares(context, batch, rows, found, job):
        lift = weight * np.nan_to_num(share)
        everything += lift
        if not is_popularity:
            taste += lift
            weight_of_taste += weight
    part = np.divide(taste, everything, out=np.zeros(job.shape), where=everything > 0)
    return taste / max(weight_of_taste, _NEGLIGIBLE), part


def row_shares(scores: Csr) -> Csr:
    """The entries of each row by the row's greatest; rows whose greatest is negligible become 0."""
    scores = scores.tocsr().astype(np.float32)
    lengths = np.diff(scores.indptr)
    best = np.zeros(scores.shape[0], dtype=np.float32)
    filled = lengths > 0
    best[filled] = np.maximum.reduceat(scores.data, scores.indptr[:-1][filled]) if scores.nnz else 0
    scores.data /= np.repeat(np.where(best > _NEGLIGIBLE, best, np.inf), lengths).astype(np.float32)
    return scores


def products(users: Factors, rows: slice, jobs: Factors, job: Ints) -> Floats:
    """Inner products of the users' rows and rows `job` of `jobs` (B, C), NaN where the model does not know one."""
    user_is_known = users.is_known[rows]
    value = np.full(job.shape, np.nan, dtype=np.float32)
    if user_is_known.all():
        value = dot_pairs(users.rows[rows], jobs.rows, job)
    elif user_is_known.any():
        value[user_is_known] = dot_pairs(users.rows[rows][user_is_known], jobs.rows, job[user_is_known])
    value[~jobs.is_known[job]] = np.nan
    return value


def known_shares(table: Csr, job: Ints, rows: slice | None = None) -> Floats:
    """Entries of `table` (B x J, or its `rows`), cut to [0, 1]: 0 where a user has only others, NaN without any."""
    shares = np.clip(lookup(table, job, rows), 0, 1)
    shares[np.diff(CsrArrays.of(table, rows).indptr) == 0] = np.nan
    return shares


def _weighted(context: JobContext, batch: UserBatch, rows: slice, found: CollaborativeScores, job: Ints) -> Floats:
    """The sum of weight * share of the members; a member that does not know the pair adds 0, NaN if none does."""
    parts = list(_member_shares(context, batch, rows, found, job))
    if len(parts) == 1:
        return parts[0][2]
    total = np.zeros(job.shape, dtype=np.float32)
    is_known = np.zeros(job.shape, dtype=np.bool_)
    for weight, _, value in parts:
        total += np.float32(weight) * np.nan_to_num(value)
        is_known |= ~np.isnan(value)
    return np.where(is_known, total, np.nan).astype(np.float32)


def _member_shares(
    context: JobContext, batch: UserBatch, rows: slice, found: CollaborativeScores, job: Ints
) -> Iterator[tuple[float, bool, Floats]]:
    """Of each member its weight, whether it is popularity, and its shares (B, C), NaN where it does not know a pair."""
    if context.als_weight:
        greatest = found.als_greatest[:, None]
        scores = products(batch.als, rows, context.als, job)
        yield context.als_weight, False, np.clip(scores / np.where(greatest > _NEGLIGIBLE, greatest, 1), 0, 1)
    for part, share in zip(context.sparse_parts, found.sparse_shares, strict=True):
        yield part.weight, part.is_popularity, known_shares(share, job)
