"""What became of recommendations: rates, the match score against what users did, which kinds of jobs succeed.

The counting is SQL, in sql/insight.
"""

import polars as pl

from features.metrics import EVERY, normal_mean, rounded, wilson
from features.schemas.insight import MATCH_QUALITY, OUTCOMES, SUCCESS_PATTERNS

BAND_PERCENT = 10
MIN_USERS = 10  # smaller groups would show what single users do
# Metric -> the column that counts successes among `n_shown`.
_RATES = {"ctr": "n_clicked", "apply_rate": "n_applied", "save_rate": "n_saved", "dismiss_rate": "n_dismissed"}


def outcome_rates(outcomes: pl.DataFrame) -> pl.DataFrame:
    """OUTCOMES: ctr, apply_rate, save_rate, dismiss_rate (95 % Wilson interval), dwell_seconds_mean (95 % normal).

    `outcomes` has the rows of query insight/outcomes. A slice without shown jobs has no rates.
    """
    slices = ("dimension", "slice", "recipe", "arm", "surface")
    rates = []
    for metric, successes in _RATES.items():
        lower, upper = wilson(pl.col(successes), pl.col("n_shown"))
        value = pl.col(successes) / pl.col("n_shown")
        rates.append(
            outcomes.filter(pl.col("n_shown") > 0).select(
                *slices, metric=pl.lit(metric), value=value, lower=lower, upper=upper, n="n_shown"
            )
        )
    total, squares, n = (pl.col(c) for c in ("sum_dwell_milliseconds", "sum_square_dwell_milliseconds", "n_dwells"))
    lower, upper = normal_mean(total / 1e3, squares / 1e6, n)
    dwell = outcomes.filter(n > 0).select(
        *slices, metric=pl.lit("dwell_seconds_mean"), value=total / 1e3 / n, lower=lower, upper=upper, n="n_dwells"
    )
    return rounded(pl.concat([*rates, dwell], how="vertical_relaxed"), OUTCOMES)


def match_quality(reactions: pl.DataFrame) -> pl.DataFrame:
    """MATCH_QUALITY of shown jobs: recipe, match_percent (null: not in the feed) and is_positive.

    Precision and recall are of the rule "at least match_percent": 0 jobs above it give no precision. F1 is their
    harmonic mean (van Rijsbergen, 1979). The top band holds 100 too.
    """
    scored = reactions.drop_nulls("match_percent").with_columns(
        band=(pl.col("match_percent") // BAND_PERCENT * BAND_PERCENT).clip(0, 100 - BAND_PERCENT)
    )
    both = pl.concat([scored, scored.with_columns(recipe=pl.lit(EVERY))])
    counted = both.group_by("recipe", "band").agg(
        n=pl.len(), n_positive=pl.col("is_positive").sum(), mean_match_percent=pl.col("match_percent").mean()
    )
    bands = pl.DataFrame({"band": range(0, 100, BAND_PERCENT)}, schema={"band": scored.schema["band"]})
    every = counted.select("recipe").unique().join(bands, how="cross")
    n, good = pl.col("n"), pl.col("n_positive")
    at_least, hits = (column.cum_sum(reverse=True).over("recipe", order_by="band") for column in (n, good))
    precision, recall = hits / at_least, hits / good.sum().over("recipe")
    lower, upper = wilson(good, n)
    table = (
        every.join(counted, on=["recipe", "band"], how="left")
        .with_columns(pl.col("n", "n_positive").cast(pl.Int64).fill_null(0))
        .with_columns(positive_share=good / n, lower=lower, upper=upper, precision=precision, recall=recall)
        .with_columns(f1=2 * pl.col("precision") * pl.col("recall") / (pl.col("precision") + pl.col("recall")))
        .rename({"band": "match_percent"})
        .with_columns(pl.selectors.float().fill_nan(None).round(6))
    )
    return MATCH_QUALITY.conform(table).sort("recipe", "match_percent")


def success_patterns(counted: pl.DataFrame) -> pl.DataFrame:
    """SUCCESS_PATTERNS of the rows of query insight/success_patterns: rate with 95 % Wilson interval, and lift.

    Groups of fewer than MIN_USERS users are left out here too.
    """
    lower, upper = wilson(pl.col("n_successes"), pl.col("n_shown"))
    rate = pl.col("n_successes") / pl.col("n_shown")
    base = pl.when(pl.col("base_rate") > 0).then("base_rate")
    table = counted.filter(pl.col("n_users") >= MIN_USERS).with_columns(
        rate=rate.round(6), lower=lower.round(6), upper=upper.round(6), base_rate=pl.col("base_rate").round(6),
        lift=(rate / base).round(6),
    )  # fmt: skip
    return SUCCESS_PATTERNS.conform(table).sort(list(SUCCESS_PATTERNS.key))
