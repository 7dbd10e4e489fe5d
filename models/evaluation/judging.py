"""Lists of recommendations judged against held-out interactions: per user, in total and by slices, with intervals.

Lists are (U, n) rows of the open jobs, best first, -1 padded. No list is made here.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.arrays import Bools, Csr, Doubles, Floats, Ints, Longs, csr_of_ones
from models.evaluation.bootstrap import Interval, figure_interval, mean_intervals
from models.evaluation.metrics import coverage, gini, intra_list_diversity, novelty, ranking_metrics
from models.kernels.sparse_rows import lookup

KS = (10, 20)
LIST_LENGTH = max(KS)
RANKING_METRICS = ("recall", "ndcg", "mrr", "hit_rate")
USER_METRICS = tuple(f"{name}@{k}" for k in KS for name in (*RANKING_METRICS, "novelty", "diversity"))
SLICE_METRICS = (f"recall@{LIST_LENGTH}", f"ndcg@{LIST_LENGTH}", f"hit_rate@{LIST_LENGTH}")
EVERYTHING = "all"
_FIGURE_SAMPLES = 100  # each sorts the exposure of all jobs
SUMMARY = {
    "list": pl.String, "slice": pl.String, "value": pl.String, "metric": pl.String, "estimate": pl.Float64,
    "lower": pl.Float64, "upper": pl.Float64, "n_users": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class HeldOut:
    """What lists are judged against. `truth` is users x jobs of ones; every user has at least one.

    `user_slices` and `job_slices` name the group of each user and each job. `n_users_of_job` counts the users who met
    a job before, out of `n_users_before`. `job_vectors` are of length 1, or 0 where a job has none.
    """

    user_ids: pl.Series
    job_ids: pl.Series
    truth: Csr
    user_slices: Mapping[str, pl.Series]
    job_slices: Mapping[str, pl.Series]
    n_users_of_job: Longs
    n_users_before: int
    job_vectors: Floats


def pairs_digest(held_out: HeldOut) -> str:
    """Equal for the same held-out pairs of user and job, in whatever order users and jobs are."""
    truth = held_out.truth.tocoo()
    users, jobs = held_out.user_ids.gather(truth.row), held_out.job_ids.gather(truth.col)
    lines = "\n".join(sorted(f"{user}\t{job}" for user, job in zip(users, jobs, strict=True)))
    return hashlib.blake2b(lines.encode(), digest_size=8).hexdigest()


def is_held_out(listed: Ints, truth: Csr) -> Bools:
    """Whether each listed job is held out for its user."""
    return np.asarray((lookup(truth, np.maximum(listed, 0)) > 0) & (listed >= 0))


def user_metrics(listed: Ints, held_out: HeldOut) -> dict[str, Doubles]:
    """USER_METRICS of one list per user; NaN where a metric is not defined."""
    gains = is_held_out(listed, held_out.truth).astype(np.float32)
    found: dict[str, Doubles] = {}
    for k in KS:
        of_ranking = ranking_metrics(gains, held_out.truth, k=k)
        found |= {f"{name}@{k}": of_ranking[name] for name in RANKING_METRICS}
        first = listed[:, :k]
        found[f"novelty@{k}"] = novelty(first, held_out.n_users_of_job, n_users=held_out.n_users_before)
        found[f"diversity@{k}"] = intra_list_diversity(first, held_out.job_vectors)
    return found


def per_user(name: str, listed: Ints, held_out: HeldOut) -> pl.DataFrame:
    """One row per user: user_id, list, USER_METRICS, n_held_out and the user's slices."""
    metrics = {metric: pl.Series(values).fill_nan(None) for metric, values in user_metrics(listed, held_out).items()}
    return pl.DataFrame(
        {
            "user_id": held_out.user_ids,
            "list": pl.Series([name], dtype=pl.String).new_from_index(0, len(held_out.user_ids)),
            **metrics,
            "n_held_out": np.diff(held_out.truth.indptr).astype(np.int32),
            **held_out.user_slices,
        }
    )


def summarise(name: str, listed: Ints, rows: pl.DataFrame, held_out: HeldOut, counts: Floats) -> pl.DataFrame:
    """SUMMARY of one list from its `per_user` rows: all metrics over all users, SLICE_METRICS by slice.

    `counts` (samples, U) are the draws of users that the intervals are taken over.
    """
    values = rows.select(pl.col(USER_METRICS).fill_null(float("nan"))).to_numpy()
    parts = [_rows(USER_METRICS, mean_intervals(values, counts))]
    parts += [_list_metrics(listed[:, :k], held_out, counts[:_FIGURE_SAMPLES], k=k) for k in KS]
    chosen = values[:, [USER_METRICS.index(metric) for metric in SLICE_METRICS]]
    for slice_name, groups in held_out.user_slices.items():
        for value, members in _members(groups):
            parts.append(_rows(SLICE_METRICS, mean_intervals(chosen[members], counts[:, members]), slice_name, value))
    for slice_name, groups in held_out.job_slices.items():
        for value, members in _members(groups):
            found = _metrics_of_jobs(listed, held_out.truth, members)
            parts.append(_rows(SLICE_METRICS, mean_intervals(found, counts), slice_name, value))
    return (
        pl.concat(parts)
        .with_columns(list=pl.lit(name), n_users=pl.col("n_users").cast(pl.Int64))
        .filter(pl.col("n_users") > 0)
        .select(list(SUMMARY))
        .cast(SUMMARY)  # type: ignore[arg-type]
    )


def _metrics_of_jobs(listed: Ints, truth: Csr, members: Bools) -> Doubles:
    """SLICE_METRICS per user with only the jobs of `members` as truth, (U, 3); NaN for users without any."""
    of_slice = truth.copy()
    of_slice.data = of_slice.data * members[of_slice.indices]
    of_slice.eliminate_zeros()
    gains = is_held_out(listed, of_slice).astype(np.float32)
    found = ranking_metrics(gains, of_slice, k=LIST_LENGTH)
    hit_rate = np.where(np.diff(of_slice.indptr) > 0, found["hit_rate"], np.nan)
    return np.column_stack([found["recall"], found["ndcg"], hit_rate])


def _list_metrics(listed: Ints, held_out: HeldOut, counts: Floats, *, k: int) -> pl.DataFrame:
    n_users, n_jobs = listed.shape[0], len(held_out.job_ids)
    users = np.repeat(np.arange(n_users), listed.shape[1])
    shown = csr_of_ones(users, listed.ravel(), shape=(n_users, n_jobs))
    shown = shown[:, np.unique(shown.indices)].T.tocsr()
    figures = {
        f"coverage@{k}": lambda drawn: coverage((shown @ drawn.T).T, n_jobs=n_jobs),
        f"gini@{k}": lambda drawn: gini((shown @ drawn.T).T, n_jobs=n_jobs),
    }
    found = np.array([figure_interval(figure, counts) for figure in figures.values()])
    n = np.full(len(figures), float(n_users))
    return _rows(tuple(figures), Interval(found[:, 0], found[:, 1], found[:, 2], n))


def _members(groups: pl.Series) -> Iterator[tuple[str, Bools]]:
    for value in groups.drop_nulls().unique().sort():
        yield str(value), (groups == value).fill_null(value=False).to_numpy()


def _rows(
    metrics: tuple[str, ...], interval: Interval, slice_name: str = EVERYTHING, value: str = EVERYTHING
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "metric": list(metrics),
            "estimate": interval.estimate,
            "lower": interval.lower,
            "upper": interval.upper,
            "n_users": interval.n_users,
        }
    ).with_columns(slice=pl.lit(slice_name), value=pl.lit(value))
