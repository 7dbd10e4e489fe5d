"""Counts of outcomes and of tables as rows of METRICS. The counting is SQL; evaluation of rankings lives elsewhere."""

from collections.abc import Mapping

import polars as pl

from features.intervals import normal_mean, wilson
from features.schemas.insight import METRICS

EVERY = "all"
# Metric -> the successes among `n_shown`.
_RATES = {"ctr": "n_clicked", "apply_rate": "n_applied", "save_rate": "n_saved"}


def outcome_metrics(outcomes: pl.DataFrame) -> pl.DataFrame:
    """METRICS per surface: ctr, apply_rate, save_rate (95 % Wilson interval), dwell_seconds_mean (95 % normal).

    `outcomes` has surface, n_shown, n_clicked, n_applied, n_saved, n_dwells, sum_dwell_milliseconds and
    sum_square_dwell_milliseconds. A surface that showed nothing has no rates.
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
    """METRICS of the pipeline: one row per named count, over everything."""
    rows = pl.DataFrame(
        {"metric": list(counts), "n": list(counts.values())}, schema={"metric": pl.String, "n": pl.Int64}
    )
    return _rounded(rows.with_columns(surface=pl.lit(EVERY), value=pl.col("n").cast(pl.Float64)))


def _rounded(rows: pl.DataFrame) -> pl.DataFrame:
    numbers = [name for name in ("value", "lower", "upper") if name in rows.columns]
    return METRICS.conform(
        rows.with_columns(pl.col(numbers).cast(pl.Float64).round(6), recipe=pl.lit(EVERY), arm=pl.lit(EVERY))
    ).sort(list(METRICS.key))
