"""The quality of lists of recommendations, measured by what users did next. No model and no list is made here.

Lists are frames of user_id, rank (from 1), job_id; truth is a frame of user_id, job_id, gain (> 0).
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import Floats, positions, unit_rows


def evaluate_lists(recommended: pl.DataFrame, truth: pl.DataFrame, *, k: int) -> pl.DataFrame:
    """Grain: each user of `truth`, sorted: ndcg, recall, precision, mrr, is_hit of the first `k`; n_relevant.

    A user without recommendations scores 0. NDCG with gain / log2(rank + 1) (Järvelin and Kekäläinen, 2002)
    against the best possible order; recall counts all relevant jobs, not at most k. Raises ValueError for a job that
    occurs twice in a list or in a user's truth, and for a gain that is not positive.
    """
    _refuse_repeated(recommended, "recommended")
    _refuse_repeated(truth, "truth")
    if not truth["gain"].is_between(0, np.inf, closed="none").all():
        raise ValueError("evaluate_lists: truth has gains that are not positive and finite; leave those rows out")
    ideal = (
        truth.sort(["user_id", "gain"], descending=[False, True])
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id"))
        .group_by("user_id")
        .agg(
            n_relevant=pl.len(),
            ideal=pl.when(pl.col("rank") <= k).then(pl.col("gain") / _discount()).otherwise(0.0).sum(),
        )
    )
    hits = (
        recommended.filter(pl.col("rank") <= k)
        .join(truth, on=["user_id", "job_id"], how="inner")
        .sort("user_id", "rank")
        .group_by("user_id", maintain_order=True)
        .agg(dcg=(pl.col("gain") / _discount()).sum(), n_hits=pl.len(), first=pl.col("rank").min())
    )
    n_hits = pl.col("n_hits").fill_null(0)
    return (
        ideal.join(hits, on="user_id", how="left")
        .select(
            "user_id",
            ndcg=pl.col("dcg").fill_null(0.0) / pl.col("ideal"),
            recall=n_hits / pl.col("n_relevant"),
            precision=n_hits / k,
            mrr=(1 / pl.col("first")).fill_null(0.0),
            is_hit=n_hits > 0,
            n_relevant=pl.col("n_relevant").cast(pl.Int64),
        )
        .sort("user_id")
    )


def summarise(per_user: pl.DataFrame) -> dict[str, float]:
    """Means over the users of `evaluate_lists`; all 0 for no users."""
    names = ("ndcg", "recall", "precision", "mrr")
    means = {name: float(per_user[name].mean() or 0.0) for name in names}  # type: ignore[arg-type]
    return means | {"hit_rate": float(per_user["is_hit"].cast(pl.Float64).mean() or 0.0)}  # type: ignore[arg-type]


def catalogue_metrics(recommended: pl.DataFrame, job_ids: pl.Series, *, k: int) -> dict[str, float]:
    """The spread of the first `k` over the jobs that could be shown: coverage (share shown) and Gini of exposure."""
    shown = recommended.filter(pl.col("rank") <= k, pl.col("job_id").is_in(job_ids.implode()))
    counts = shown.group_by("job_id").len()["len"].to_numpy().astype(np.float64)
    exposure = np.concatenate([counts, np.zeros(max(len(job_ids) - len(counts), 0))])
    return {"coverage": len(counts) / len(job_ids) if len(job_ids) else 0.0, "gini": gini(exposure)}


def gini(exposure: NDArray[np.float64]) -> float:
    """0 if all have the same, near 1 if one has all (Gini, 1912); 0 for no exposure."""
    total = exposure.sum()
    if len(exposure) == 0 or total <= 0:
        return 0.0
    n = len(exposure)
    rank = np.arange(1, n + 1)
    return float((2 * (rank * np.sort(exposure)).sum() / (n * total)) - (n + 1) / n)


def novelty(recommended: pl.DataFrame, popularity: pl.DataFrame, *, n_users: int, k: int) -> float:
    """Mean self-information, -log2 of the share of users who had met a job, over the first `k` of all lists.

    `popularity`: job_id, n_users who interacted with it before; at least one is assumed (Zhou et al., 2010).
    """
    met = (
        recommended.filter(pl.col("rank") <= k)
        .join(popularity.select("job_id", "n_users"), on="job_id", how="left")
        .select(pl.col("n_users").fill_null(1).clip(1, max(n_users, 1)))["n_users"]
        .to_numpy()
    )
    return float(np.mean(-np.log2(np.sort(met) / max(n_users, 1)))) if len(met) else 0.0


def intra_list_diversity(recommended: pl.DataFrame, job_ids: pl.Series, vectors: Floats, *, k: int) -> float:
    """Mean over lists of 1 - mean cosine between different jobs of the first `k` (Ziegler et al., 2005).

    `vectors` (n, d) of length 1 beside `job_ids`; jobs without a row and lists of fewer than two jobs are skipped.
    """
    listed = recommended.filter(pl.col("rank") <= k).sort("user_id", "rank")
    rows = positions(job_ids, listed["job_id"])
    listed, rows = listed.filter(pl.Series(rows >= 0)), rows[rows >= 0]
    if listed.is_empty():
        return 0.0
    user = listed["user_id"].rle_id().to_numpy()
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    n_items = np.diff(np.append(starts, len(user))).astype(np.float64)
    sums = np.add.reduceat(unit_rows(vectors[rows]).astype(np.float64), starts, axis=0)
    # The squared length of the sum counts every ordered pair once, and each item with itself.
    pairs = np.einsum("ij,ij->i", sums, sums) - n_items
    several = n_items > 1
    return float(np.mean(1 - pairs[several] / (n_items * (n_items - 1))[several])) if several.any() else 0.0


def bootstrap_interval(
    values: NDArray[np.float64], *, seed: int, n_samples: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap (Efron, 1979) of the mean over users: (lower, upper); the value twice for fewer than two."""
    if len(values) < 2:
        mean = float(values.mean()) if len(values) else 0.0
        return mean, mean
    generator = np.random.default_rng(seed)
    means = [values[generator.integers(0, len(values), len(values))].mean() for _ in range(n_samples)]
    lower, upper = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def _discount() -> pl.Expr:
    return (pl.col("rank") + 1).log(2)


def _refuse_repeated(frame: pl.DataFrame, name: str) -> None:
    repeated = frame.select(pl.struct("user_id", "job_id").is_duplicated().sum()).item()
    if repeated:
        raise ValueError(f"evaluate_lists: {name} names a job twice for one user in {repeated} rows")
