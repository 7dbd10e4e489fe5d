"""Two evaluations of the same held-out interactions side by side: what changed per list, with paired intervals."""

import polars as pl

from models.evaluation.bootstrap import mean_intervals, resampled_counts
from models.evaluation.judging import USER_METRICS

DIFFERENCES = {
    "list": pl.String, "metric": pl.String, "before": pl.Float64, "after": pl.Float64, "difference": pl.Float64,
    "lower": pl.Float64, "upper": pl.Float64, "n_users": pl.Int64,
}  # fmt: skip


def paired_differences(before: pl.DataFrame, after: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """DIFFERENCES of the lists that both have, after minus before, over the users that both judged.

    `before` and `after` are rows of `judging.per_user`. An interval is that of the mean difference of a user's own two
    values: it is narrower than the intervals of the two means.
    """
    common = before.join(after, on=["list", "user_id"], how="inner", suffix="_after").sort("list", "user_id")
    parts = [pl.DataFrame(schema=DIFFERENCES)]
    for (name,), rows in common.group_by("list", maintain_order=True):
        left, right = (
            rows.select(pl.col(f"{metric}{suffix}").cast(pl.Float64).fill_null(float("nan")) for metric in USER_METRICS)
            for suffix in ("", "_after")
        )
        counts = resampled_counts(len(rows), seed=seed)
        change = mean_intervals(right.to_numpy() - left.to_numpy(), counts)
        parts.append(
            pl.DataFrame(
                {
                    "list": [name] * len(USER_METRICS),
                    "metric": list(USER_METRICS),
                    "before": left.fill_nan(None).mean().row(0),
                    "after": right.fill_nan(None).mean().row(0),
                    "difference": change.estimate,
                    "lower": change.lower,
                    "upper": change.upper,
                    "n_users": change.n_users,
                },
                schema_overrides=DIFFERENCES,
            )
        )
    return pl.concat(parts)
