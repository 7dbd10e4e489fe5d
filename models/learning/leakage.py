"""Finds components that know the future: they foretell what was held out too well to be true (Kaufman et al., 2012).

Features are made as of the cut, so that a leak comes from data that say an earlier time than they were written at: a
profile that is rewritten after a hire, a job's text that names its applicants.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.arrays import Doubles
from models.evaluation.bootstrap import mean_intervals, resampled_counts
from models.learning.examples import Examples
from models.learning.registry import Figure, Fit

# The best component of the real data sets that were tried orders .88 of the pairs rightly; see docs/benchmarks.md.
MOST_SEPARATION = 0.985
# From one fit to the next, unless there are MOST_GROWTH times the outcomes: honest components move by a few hundredths,
# but those made of behaviour get better as it grows.
MOST_GAIN, MOST_GROWTH = 0.1, 2.0
_LEAST_USERS = 30


def separation(examples: Examples, names: Sequence[str], *, seed: int) -> dict[str, Figure]:
    """For each component, the mean over users of the area under the ROC curve, with its interval over users.

    The share of pairs of a job that the user took to and one that the user did not, in which the first has the greater
    value; equal values count a half, unknown ones as the least.
    """
    starts = np.flatnonzero(np.diff(examples.user, prepend=-1))
    n_of_user = np.diff(starts, append=len(examples.user))
    n_positives = np.add.reduceat((examples.gain > 0).astype(np.float64), starts)
    is_usable = (n_positives > 0) & (n_positives < n_of_user)
    if is_usable.sum() < _LEAST_USERS:
        return {}
    areas = np.column_stack(
        [_areas(np.nan_to_num(values, nan=-np.inf), examples, starts, n_positives) for values in examples.values.T]
    )[is_usable]
    found = mean_intervals(areas, resampled_counts(len(areas), seed=seed))
    return {
        name: Figure(*(round(float(bound[column]), 4) for bound in (found.estimate, found.lower, found.upper)))
        for column, name in enumerate(names)
    }


def _areas(values: Doubles, examples: Examples, starts: NDArray[np.int64], n_positives: Doubles) -> Doubles:
    """Of each user, by the sum of the positives' mean ranks (Mann and Whitney, 1947)."""
    user = examples.user
    order = np.lexsort((values, user))
    in_order, of_user = values[order], user[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (in_order[1:] != in_order[:-1]) | (of_user[1:] != of_user[:-1])
    first = np.flatnonzero(is_first)
    n_equal = np.diff(first, append=len(order))
    rank = np.empty(len(order))
    rank[order] = np.repeat(first + (n_equal + 1) / 2, n_equal)
    n_of_user = np.diff(starts, append=len(user))
    rank -= np.repeat(starts, n_of_user)
    sums = np.add.reduceat(np.where(examples.gain > 0, rank, 0.0), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        areas: Doubles = (sums - n_positives * (n_positives + 1) / 2) / (n_positives * (n_of_user - n_positives))
    return areas


def suspicion(fit: Fit, fits: Sequence[Fit]) -> str | None:
    """Why `fit` must not be promoted by itself, None if no component foretells too much.

    It is compared with the newest of the earlier `fits` that was held out in the same way and not held back itself.
    """
    honest = [one for one in fits if one.separation and not one.suspicion and one.data.split == fit.data.split]
    before: Mapping[str, Figure] = {}
    if honest and fit.data.n_positives <= MOST_GROWTH * honest[-1].data.n_positives:
        before = honest[-1].separation
    for name, area in sorted(fit.separation.items(), key=lambda item: -item[1].mean):
        if area.lower > MOST_SEPARATION:
            return f"{name} alone sets {area.mean:.1%} of the jobs that users took to above those that they did not"
        earlier = before.get(name)
        if earlier is not None and area.lower - earlier.upper > MOST_GAIN:
            return f"{name} foretells far more than before: {area.mean:.1%} of the pairs, before {earlier.mean:.1%}"
    return None
