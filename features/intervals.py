"""Confidence intervals of shares and means, as Polars expressions. What is counted lives elsewhere."""

import polars as pl

Z_95 = 1.959963984540054


def wilson(n_successes: pl.Expr, n_trials: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Lower and upper bound of a share at 95 % (E. B. Wilson, JASA 22, 1927); null without trials."""
    n = n_trials.cast(pl.Float64)
    share = n_successes / n
    centre = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * (share * (1 - share) / n + Z_95**2 / (4 * n**2)).sqrt()
    known = n_trials > 0
    # At 0 and n successes the bound is the share itself, but for rounding.
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
