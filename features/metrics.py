"""The rows of METRICS, and confidence intervals as Polars expressions.

What became of recommendations is in outcomes; rankings are evaluated in models/evaluation.
"""

from collections.abc import Mapping

import polars as pl
from scipy.special import stdtrit

from features.schemas.insight import METRICS
from features.schemas.table import Table

Z_95 = 1.959963984540054
EVERY = "all"
MIN_USERS = 10  # smaller groups would show what single users do
USER_GROUPS = 64  # users who are one group in intervals: the variance of 64 is known well enough, and sums are few


def outcome_metrics(outcomes: pl.DataFrame) -> pl.DataFrame:
    """METRICS of OUTCOMES: the rows of all slices together."""
    return metric_rows(outcomes.filter(pl.col("dimension") == EVERY).drop("dimension", "slice"))


def match_metrics(quality: pl.DataFrame, *, threshold: int) -> pl.DataFrame:
    """METRICS of MATCH_QUALITY: precision, recall and f1 of a score of at least `threshold` percent."""
    slices = ["recipe", "arm", "surface"]
    at_threshold = quality.with_columns(pl.col("n").sum().over(slices)).filter(pl.col("match_percent") == threshold)
    values = at_threshold.unpivot(["precision", "recall", "f1"], index=[*slices, "n"], variable_name="metric")
    return metric_rows(values.with_columns(metric=pl.format("match_{}", "metric")))


def application_metrics(quality: pl.DataFrame, *, threshold: int) -> pl.DataFrame:
    """METRICS of APPLICATION_QUALITY, named <outcome>_match_precision and so on, of a score of at least `threshold`."""
    slices = ["outcome", "recipe", "arm"]
    at_threshold = quality.with_columns(pl.col("n").sum().over(slices)).filter(pl.col("match_percent") == threshold)
    columns = ["precision", "recall", "f1", "calibration_error"]
    values = at_threshold.unpivot(columns, index=[*slices, "n"], variable_name="metric")
    return metric_rows(values.with_columns(metric=pl.format("{}_match_{}", "outcome", "metric")).drop("outcome"))


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


def clustered_wilson(
    n_successes: pl.Expr,
    n_trials: pl.Expr,
    *,
    square_successes: pl.Expr,
    square_trials: pl.Expr,
    products: pl.Expr,
    n_groups: pl.Expr,
) -> tuple[pl.Expr, pl.Expr]:
    """Lower and upper bound of a share at 95 %, where trials of the same user are alike; null without trials.

    Users are in USER_GROUPS groups by a hash. `square_successes`, `square_trials` and `products` are the sums over the
    `n_groups` groups with trials of successes², trials² and successes · trials. The linearised variance of the share
    gives the effective number of trials, at most the real one, with which Wilson's interval is computed (Korn and
    Graubard, Survey Methodology 24, 1998). If none or all succeed, or there is one group, the variance is unknown, and
    the trials of a group count as one (L. Kish, Survey Sampling, 1965).
    """
    share = n_successes / n_trials
    variance = _variance(share, n_trials, square_successes, square_trials, products, n_groups)
    effective = pl.min_horizontal(share * (1 - share) / variance, n_trials.cast(pl.Float64))
    least = n_trials.cast(pl.Float64) ** 2 / square_trials
    trials = pl.when(variance > 0).then(effective * (Z_95 / _t_95(n_groups)) ** 2).otherwise(least)
    return wilson(share * trials, trials)


def clustered_mean(
    total: pl.Expr, n: pl.Expr, *, square_totals: pl.Expr, square_n: pl.Expr, products: pl.Expr, n_groups: pl.Expr
) -> tuple[pl.Expr, pl.Expr]:
    """Lower and upper bound of a mean at 95 %, from sums over groups of users as above; null for fewer than two."""
    mean = total / n
    half = _t_95(n_groups) * _variance(mean, n, square_totals, square_n, products, n_groups).sqrt()
    return mean - half, mean + half


def _variance(
    ratio: pl.Expr, below: pl.Expr, square_above: pl.Expr, square_below: pl.Expr, products: pl.Expr, n_groups: pl.Expr
) -> pl.Expr:
    """The linearised variance of a ratio of two sums over groups (W. G. Cochran, Sampling Techniques, 1977, 6.4)."""
    residuals = square_above - 2 * ratio * products + ratio**2 * square_below
    scale = n_groups / (n_groups - 1) / below.cast(pl.Float64) ** 2
    return pl.when(n_groups >= 2).then(scale * pl.max_horizontal(residuals, pl.lit(0.0)))


def _t_95(n_groups: pl.Expr) -> pl.Expr:
    """The 97.5 % quantile of Student's t with n_groups - 1 degrees of freedom."""
    groups = range(2, USER_GROUPS + 1)
    quantiles = [float(stdtrit(n - 1, 0.975)) for n in groups]
    return n_groups.replace_strict(list(groups), quantiles, default=None, return_dtype=pl.Float64)


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
