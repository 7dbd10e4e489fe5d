"""When a fitted recipe takes over, and when the recipe in use has got worse. Only comparisons of measured figures."""

import numpy as np

from models.arrays import Doubles
from models.evaluation.bootstrap import mean_intervals, resampled_counts
from models.learning.registry import Figure, Registry


def compare(challenger: Doubles, incumbent: Doubles, *, seed: int) -> tuple[Figure, Figure, Figure]:
    """The means over users of both and of their paired difference, with 95 % intervals over the same resampled users.

    `challenger` and `incumbent` are the metric of the same users, (U,) each.
    """
    values = np.column_stack([challenger, incumbent, challenger - incumbent])
    found = mean_intervals(values, resampled_counts(len(values), seed=seed))
    of_challenger, of_incumbent, of_difference = (
        Figure(*(round(float(bound[column]), 6) for bound in (found.estimate, found.lower, found.upper)))
        for column in range(3)
    )
    return of_challenger, of_incumbent, of_difference


def is_better(gain: Figure) -> bool:
    """A challenger is promoted only if the whole interval of its gain lies above 0."""
    return gain.lower > 0


def regression(registry: Registry) -> str | None:
    """Why the promoted fit must not be published any more, None if it holds.

    Each later fit measured the promoted one again, as its incumbent. It has got worse if the interval of the newest
    such measurement lies below the interval of its promotion; only hold-outs of the same kind are comparable.
    """
    if registry.active is None:
        return None
    promoted = registry.find(registry.active)
    later = [
        fit
        for fit in registry.fits
        if fit.incumbent == promoted.fit and fit.data.split == promoted.data.split and fit.as_of > promoted.as_of
    ]
    if not later or later[-1].incumbent_ndcg.upper >= promoted.ndcg.lower:
        return None
    now, then = later[-1].incumbent_ndcg, promoted.ndcg
    return (
        f"NDCG@20 of {promoted.fit} fell to {now.mean:.4f} ({now.lower:.4f} to {now.upper:.4f}) at {later[-1].as_of}, "
        f"from {then.mean:.4f} ({then.lower:.4f} to {then.upper:.4f}) when it was promoted; the last generation stays "
        "served. `jobfeed recipes list` shows the fits, `jobfeed recipes promote` takes another one, "
        "`jobfeed recipes rollback` goes back"
    )
