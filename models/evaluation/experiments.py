"""The arms of an experiment compared: differences that are always valid, and whether users were split as configured."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from scipy.special import chdtrc

from features.schemas.insight import EXPERIMENTS
from models.evaluation.sequential import RateSums, always_valid_difference, rate_and_variance
from models.ranking.experiments import Arm

ALARM_BELOW = 0.001  # p-value: checked every day, a stricter limit than 0.05 keeps false alarms rare
# Metric -> what it counts, and the size of effect that is looked for: a click in fifty and an application in 250.
METRICS: Mapping[str, tuple[str, float]] = {"ctr": ("clicked", 0.02), "apply_rate": ("applied", 0.004)}


def compare_arms(sums: pl.DataFrame, arms: Sequence[Arm], *, name: str) -> pl.DataFrame:
    """EXPERIMENTS of the experiment `name`: each arm against the first, per metric.

    `sums` has the rows of query insight/experiment_sums; an arm without a row had no users.
    """
    found = pl.DataFrame({"arm": [arm.name for arm in arms]}).join(sums, on="arm", how="left", maintain_order="left")
    found = found.with_columns(pl.exclude("arm").fill_null(0))
    p_value = sample_ratio_p_value(found["n_users"].to_list(), [arm.share for arm in arms])
    rows = []
    for metric, (successes, scale) in METRICS.items():
        totals = [_sums(row, successes) for row in found.iter_rows(named=True)]
        for arm, total in zip(arms, totals, strict=True):
            difference = always_valid_difference(totals[0], total, scale=scale)
            bounds = {
                "difference": difference.value,
                "difference_lower": difference.lower,
                "difference_upper": difference.upper,
            }
            rate, _ = rate_and_variance(total)
            rows.append(
                {
                    "experiment": name,
                    "metric": metric,
                    "arm": arm.name,
                    "recipe": arm.recipe,
                    "share": arm.share,
                    "n_users": int(total.n_users),
                    "n_shown": int(total.n_trials),
                    "value": float(rate),
                    **{key: None if arm is arms[0] else float(bound) for key, bound in bounds.items()},
                    "sample_ratio_p_value": p_value,
                }
            )
    table = pl.DataFrame(rows, schema=dict(EXPERIMENTS.columns), strict=False)
    return table.with_columns(pl.selectors.float().fill_nan(None))


def sample_ratio_p_value(n_users: Sequence[int], shares: Sequence[float]) -> float:
    """The p-value of Pearson's chi-square test that users fell into arms by `shares` (Fabijan et al., KDD 2019).

    1 with no users or one arm. An arm of share 0 that has users gives 0. Raises ValueError for lists that do not match
    or shares that do not make 1.
    """
    if len(n_users) != len(shares):
        raise ValueError(f"sample_ratio_p_value: {len(n_users)} counts for {len(shares)} shares")
    if shares and abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"sample_ratio_p_value: shares make {sum(shares):g}; they must make 1")
    counts, expected = np.asarray(n_users, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    total = counts.sum()
    is_open = expected > 0
    if counts[~is_open].any():
        return 0.0
    if total == 0 or is_open.sum() < 2:
        return 1.0
    expected = expected[is_open] * total
    statistic = ((counts[is_open] - expected) ** 2 / expected).sum()
    return float(chdtrc(is_open.sum() - 1, statistic))


def _sums(row: Mapping[str, float], successes: str) -> RateSums:
    names = (
        "n_users", "n_shown", f"n_{successes}", "sum_square_shown", f"sum_square_{successes}",
        f"sum_shown_{successes}",
    )  # fmt: skip
    return RateSums(*(np.array(row[name], dtype=np.float64) for name in names))
