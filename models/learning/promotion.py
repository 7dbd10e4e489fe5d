"""When a fitted recipe takes over, and when the configured recipe is better. Only comparisons of measured figures."""

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


def is_worse(gain: Figure) -> bool:
    """Whether the whole interval of a paired difference lies below 0."""
    return gain.upper < 0


def regression(registry: Registry) -> str | None:
    """Why the promoted fit must not be published any more, None if it holds.

    Each fit measured the configured recipe on its users too, paired with itself and with its incumbent. Levels of
    different fits say nothing: they are of other users, days and catalogs. So the newest of these pairs that has the
    promoted fit in it decides: it must not be worse than the configured recipe for certain.
    """
    measured = [
        (difference, fit.configured.recipe, fit.as_of)
        for fit in registry.fits
        if fit.configured is not None
        for name, difference in ((fit.fit, fit.configured.gain), (fit.incumbent, fit.configured.incumbent_gain))
        if name == registry.active
    ]
    if not measured or not is_worse(measured[-1][0]):
        return None
    difference, recipe, as_of = measured[-1]
    return (
        f"NDCG@20 of {registry.active} lies below that of the configured recipe {recipe} on the same users: "
        f"{difference.mean:+.4f} ({difference.lower:+.4f} to {difference.upper:+.4f}) as of {as_of}. The last "
        "generation stays served. Run `jobfeed recipes rollback`, which goes back to what ranked before, and then "
        "`jobfeed run daily`"
    )
