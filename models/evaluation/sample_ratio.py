"""Whether the users of an experiment were split as configured. A lopsided split makes its comparison worthless."""

from collections.abc import Sequence

import numpy as np
from scipy.special import chdtrc

ALARM_BELOW = 0.001  # p-value: checked every day, a stricter limit than 0.05 keeps false alarms rare


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
