"""What became of recommendations: rates, the match score against what users did, which kinds of jobs succeed.

The counting is SQL, in sql/insight, and pattern_counts.py.
"""

import polars as pl

from features.metrics import EVERY, MIN_USERS, clustered_mean, clustered_wilson, rounded
from features.schemas.insight import MATCH_QUALITY, OUTCOMES, SUCCESS_PATTERNS

BAND_PERCENT = 10
_SLICES = ("recipe", "arm", "surface")
# Metric -> the column that counts successes among `n_shown`.
_RATES = {"ctr": "n_clicked", "apply_rate": "n_applied", "save_rate": "n_saved", "dismiss_rate": "n_dismissed"}


def outcome_rates(outcomes: pl.DataFrame) -> pl.DataFrame:
    """OUTCOMES: ctr, apply_rate, save_rate, dismiss_rate and dwell_seconds_mean with 95 % intervals, clustered by user.

    `outcomes` has the rows of query insight/outcomes. A slice without shown jobs has no rates.
    """
    slices = ("dimension", "slice", "recipe", "arm", "surface")
    rates = []
    for metric, successes in _RATES.items():
        lower, upper = _interval(successes)
        value = pl.col(successes) / pl.col("n_shown")
        rates.append(
            outcomes.filter(pl.col("n_shown") > 0).select(
                *slices, metric=pl.lit(metric), value=value, lower=lower, upper=upper, n="n_shown"
            )
        )
    total, n = pl.col("sum_dwell_milliseconds"), pl.col("n_dwells")
    lower, upper = clustered_mean(
        total / 1e3,
        n,
        square_totals=pl.col("sum_square_dwell_milliseconds") / 1e6,
        square_n=pl.col("sum_square_dwells"),
        products=pl.col("sum_dwell_products") / 1e3,
        n_groups=pl.col("n_dwell_groups"),
    )
    dwell = outcomes.filter(n > 0).select(
        *slices, metric=pl.lit("dwell_seconds_mean"), value=total / 1e3 / n, lower=lower, upper=upper, n="n_dwells"
    )
    return rounded(pl.concat([*rates, dwell], how="vertical_relaxed"), OUTCOMES)


def _interval(successes: str) -> tuple[pl.Expr, pl.Expr]:
    """The bounds of `successes` among `n_shown`, from the sums over groups of users beside them."""
    return clustered_wilson(
        pl.col(successes),
        pl.col("n_shown"),
        square_successes=pl.col(f"sum_square_{successes}"),
        square_trials=pl.col("sum_square_n_shown"),
        products=pl.col(f"sum_products_{successes}"),
        n_groups=pl.col("n_groups"),
    )


def match_quality(reactions: pl.DataFrame) -> pl.DataFrame:
    """MATCH_QUALITY of shown jobs (rows of query insight/reactions); those that are not in the feed have no score.

    Over all surfaces a user and job count once, by the first score that the user was shown, wherever the user acted.
    """
    # The rows are sorted by user and job, and few pairs are on several surfaces: only those are sorted and grouped.
    is_other = [pl.col(name).ne_missing(pl.col(name).shift()) for name in ("user_id", "job_id")]
    number = pl.any_horizontal(is_other).cum_sum()  # from 1
    pairs = reactions.select(*_SLICES, "match_percent", "user_group", "is_positive", "shown_at", pair=number)
    pair, is_unscored = pl.col("pair"), pl.col("match_percent").is_null()
    is_repeated = (pair == pair.shift(1, fill_value=0)) | (pair == pair.shift(-1, fill_value=0))
    repeated = pairs.filter(is_repeated).sort("pair", is_unscored, "shown_at", "surface").group_by("pair")
    once = repeated.agg(pl.exclude("is_positive").first(), pl.col("is_positive").any())
    everywhere = [rows.with_columns(surface=pl.lit(EVERY)) for rows in (pairs.filter(~is_repeated), once)]
    return _quality(pl.concat([_counts(rows) for rows in (reactions, *everywhere)]))


def score_quality(judged: pl.DataFrame) -> pl.DataFrame:
    """MATCH_QUALITY of trials: recipe, arm, surface, match_percent, user_group, is_positive."""
    return _quality(_counts(judged))


def _quality(counts: pl.DataFrame) -> pl.DataFrame:
    """MATCH_QUALITY of `_counts`.

    Precision and recall are of the rule "at least match_percent": 0 trials above it give no precision. F1 is their
    harmonic mean (van Rijsbergen, 1979). The top band holds 100 too.
    """
    counted = _bands(counts)
    slices = list(_SLICES)
    bands = pl.DataFrame({"band": range(0, 100, BAND_PERCENT)}, schema={"band": counted.schema["band"]})
    n, good = pl.col("n_shown"), pl.col("n_positive")
    at_least, hits = (column.cum_sum(reverse=True).over(slices, order_by="band") for column in (n, good))
    precision, recall = hits / at_least, hits / good.sum().over(slices)
    lower, upper = _interval("n_positive")
    table = (
        counted.select(slices)
        .unique()
        .join(bands, how="cross")
        .join(counted, on=[*slices, "band"], how="left")
        .with_columns(pl.col("n_shown", "n_positive").fill_null(0))
        .with_columns(positive_share=good / n, lower=lower, upper=upper, precision=precision, recall=recall)
        .with_columns(f1=2 * pl.col("precision") * pl.col("recall") / (pl.col("precision") + pl.col("recall")))
        .rename({"band": "match_percent", "n_shown": "n"})
        .with_columns(pl.selectors.float().fill_nan(None).round(6))
        .select(list(MATCH_QUALITY.columns))
    )
    return MATCH_QUALITY.conform(table).sort(list(MATCH_QUALITY.key))


def _counts(judged: pl.DataFrame) -> pl.DataFrame:
    """Trials with a score and their successes per slice, band of the match score and group of users."""
    return (
        judged.drop_nulls("match_percent")
        .with_columns(band=(pl.col("match_percent") // BAND_PERCENT * BAND_PERCENT).clip(0, 100 - BAND_PERCENT))
        .group_by(*_SLICES, "band", "user_group")
        .agg(
            n_shown=pl.len().cast(pl.Int64),
            n_positive=pl.col("is_positive").sum().cast(pl.Int64),
            percent=pl.col("match_percent").cast(pl.Int64).sum(),
        )
    )


def _bands(counts: pl.DataFrame) -> pl.DataFrame:
    """`_counts` per slice and band, with the sums over groups of users that `_interval` takes."""
    n_shown, n_positive = pl.col("n_shown"), pl.col("n_positive")
    sliced = pl.concat(
        counts.with_columns(pl.lit(EVERY).alias(name) for name in summed)
        for summed in ((), ("arm",), ("recipe", "arm"))
    )
    return (
        sliced.group_by(*_SLICES, "band", "user_group")
        .agg(pl.col("n_shown", "n_positive", "percent").sum())
        .group_by(*_SLICES, "band")
        .agg(
            n_shown.sum(),
            n_positive.sum(),
            mean_match_percent=pl.col("percent").sum() / n_shown.sum(),
            sum_square_n_shown=(n_shown**2).sum(),
            sum_square_n_positive=(n_positive**2).sum(),
            sum_products_n_positive=(n_shown * n_positive).sum(),
            n_groups=pl.len(),
        )
    )


def success_patterns(counted: pl.DataFrame) -> pl.DataFrame:
    """SUCCESS_PATTERNS of the rows of `pattern_counts`: rate with 95 % interval by user, and lift.

    Groups of fewer than MIN_USERS users are left out here too.
    """
    lower, upper = _interval("n_successes")
    rate = pl.col("n_successes") / pl.col("n_shown")
    base = pl.when(pl.col("base_rate") > 0).then("base_rate")
    table = counted.filter(pl.col("n_users") >= MIN_USERS).with_columns(
        rate=rate.round(6), lower=lower.round(6), upper=upper.round(6), base_rate=pl.col("base_rate").round(6),
        lift=(rate / base).round(6),
    )  # fmt: skip
    return SUCCESS_PATTERNS.conform(table.select(list(SUCCESS_PATTERNS.columns))).sort(list(SUCCESS_PATTERNS.key))
