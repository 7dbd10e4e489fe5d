"""Rates and counts as rows of METRICS, with confidence intervals as Polars expressions.

The counting is SQL; rankings are evaluated in models/evaluation.
"""

from collections.abc import Mapping

import polars as pl

from features.schemas.insight import METRICS

Z_95 = 1.959963984540054
EVERY = "all"
# Metric -> the column that counts successes among `n_shown`.
_RATES = {"ctr": "n_clicked", "apply_rate": "n_applied", "save_rate": "n_saved"}


def outcome_metrics(outcomes: pl.DataFrame) -> pl.DataFrame:
    """METRICS per surface: ctr, apply_rate, save_rate (95 % Wilson interval), dwell_seconds_mean (95 % normal).

    `outcomes` has surface, n_shown, n_clicked, n_applied, n_saved, n_dwells, sum_dwell_milliseconds and
    sum_square_dwell_milliseconds. A surface without shown jobs has no rates.
    """
    rates = []
    for metric, successes in _RATES.items():
        lower, upper = wilson(pl.col(successes), pl.col("n_shown"))
        value = pl.col(successes) / pl.col("n_shown")
        rates.append(
            outcomes.filter(pl.col("n_shown") > 0).select(
                "surface", metric=pl.lit(metric), value=value, lower=lower, upper=upper, n="n_shown"
            )
        )
    total, squares, n = (pl.col(c) for c in ("sum_dwell_milliseconds", "sum_square_dwell_milliseconds", "n_dwells"))
    lower, upper = normal_mean(total / 1e3, squares / 1e6, n)
    dwell = outcomes.filter(n > 0).select(
        "surface", metric=pl.lit("dwell_seconds_mean"), value=total / 1e3 / n, lower=lower, upper=upper, n="n_dwells"
    )
    return _rounded(pl.concat([*rates, dwell], how="vertical_relaxed"))


def count_metrics(counts: Mapping[str, int]) -> pl.DataFrame:
    """METRICS of the pipeline: one row per named count, over all surfaces, recipes and arms."""
    rows = pl.DataFrame(
        {"metric": list(counts), "n": list(counts.values())}, schema={"metric": pl.String, "n": pl.Int64}
    )
    return _rounded(rows.with_columns(surface=pl.lit(EVERY), value=pl.col("n").cast(pl.Float64)))


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


def _rounded(rows: pl.DataFrame) -> pl.DataFrame:
    numbers = [name for name in ("value", "lower", "upper") if name in rows.columns]
    return METRICS.conform(
        rows.with_columns(pl.col(numbers).cast(pl.Float64).round(6), recipe=pl.lit(EVERY), arm=pl.lit(EVERY))
    ).sort(list(METRICS.key))
