"""The rows of METRICS, and confidence intervals as Polars expressions.

What became of recommendations is in outcomes; rankings are evaluated in models/evaluation.
"""

from collections.abc import Mapping

import polars as pl

from features.schemas.insight import METRICS
from features.schemas.table import Table

Z_95 = 1.959963984540054
EVERY = "all"


def outcome_metrics(outcomes: pl.DataFrame) -> pl.DataFrame:
    """METRICS of OUTCOMES: the rows of all slices together."""
    return metric_rows(outcomes.filter(pl.col("dimension") == EVERY).drop("dimension", "slice"))


def match_metrics(quality: pl.DataFrame, *, threshold: int) -> pl.DataFrame:
    """METRICS per recipe of MATCH_QUALITY: precision, recall and f1 of a score of at least `threshold` percent."""
    at_threshold = quality.with_columns(pl.col("n").sum().over("recipe")).filter(pl.col("match_percent") == threshold)
    values = at_threshold.unpivot(["precision", "recall", "f1"], index=["recipe", "n"], variable_name="metric")
    return metric_rows(values.with_columns(metric=pl.format("match_{}", "metric")))


def experiment_metrics(experiments: pl.DataFrame) -> pl.DataFrame:
    """METRICS of EXPERIMENTS: each arm's difference to the first one, always valid, and how even the split is."""
    differences = experiments.drop_nulls("difference").select(
        "recipe",
        "arm",
        metric=pl.format("{}_difference", "metric"),
        value="difference",
        lower="difference_lower",
        upper="difference_upper",
        n="n_users",
    )
    split = (
        experiments.group_by("metric", "experiment")
        .agg(value=pl.col("sample_ratio_p_value").first(), n=pl.col("n_users").sum())
        .filter(pl.col("metric") == "ctr")
        .select("value", "n", metric=pl.lit("sample_ratio_p_value"))
    )
    return metric_rows(pl.concat([differences, split], how="diagonal_relaxed"))


def policy_metrics(policies: pl.DataFrame) -> pl.DataFrame:
    """METRICS of POLICY_VALUES, named <estimator>_<metric>."""
    return metric_rows(
        policies.select("recipe", "value", "lower", "upper", "n", metric=pl.format("{}_{}", "estimator", "metric"))
    )


def count_metrics(counts: Mapping[str, int]) -> pl.DataFrame:
    """METRICS of the pipeline: one row per named count, over all surfaces, recipes and arms."""
    rows = pl.DataFrame(
        {"metric": list(counts), "n": list(counts.values())}, schema={"metric": pl.String, "n": pl.Int64}
    )
    return metric_rows(rows.with_columns(value=pl.col("n").cast(pl.Float64)))


def wilson(n_successes: pl.Expr, n_trials: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Lower and upper bound of a share at 95 % (E. B. Wilson, JASA 22, 1927); null without trials."""
    n = n_trials.cast(pl.Float64)
    share = n_successes / n
    centre = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * (share * (1 - share) / n + Z_95**2 / (4 * n**2)).sqrt()
    known = n_trials > 0
    # At 0 and at n successes the bound equals the share, but rounding would hide it.
    lower = pl.when(n_successes <= 0).then(0.0).otherwise(centre - half)
    upper = pl.when(n_successes >= n_trials).then(1.0).otherwise(centre + half)
    return pl.when(known).then(lower), pl.when(known).then(upper)


def normal_mean(total: pl.Expr, sum_squares: pl.Expr, n: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Lower and upper bound of a mean at 95 % by the normal approximation, from sums; null below two values."""
    mean = total / n
    variance = pl.max_horizontal((sum_squares - total * mean) / (n - 1), pl.lit(0.0))
    half = Z_95 * (variance / n).sqrt()
    known = n >= 2
    return pl.when(known).then(mean - half), pl.when(known).then(mean + half)


def metric_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` as METRICS, rounded and sorted; recipe, arm and surface are `all` where `rows` does not have them.

    Rows without a value are left out.
    """
    absent = [name for name in ("recipe", "arm", "surface") if name not in rows.columns]
    named = rows.with_columns(pl.lit(EVERY).alias(name) for name in absent)
    return rounded(named.with_columns(pl.col("recipe", "arm", "surface").fill_null(EVERY)), METRICS)


def rounded(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """`rows` as `table`, in the order of its key. Value and bounds have six decimals; not a number becomes null."""
    numbers = [name for name in ("value", "lower", "upper") if name in rows.columns]
    values = rows.with_columns(pl.col(numbers).cast(pl.Float64).fill_nan(None).round(6))
    return table.conform(values.drop_nulls("value")).sort(list(table.key))
