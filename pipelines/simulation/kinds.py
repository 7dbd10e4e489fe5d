"""The kinds of simulated markets: what decides whether users like a job, and what they are shown.

Each kind plants one truth that a recommender must find. A kind changes weights only: users, jobs and texts stay those
of the `general` market of the same seed.
"""

from dataclasses import dataclass, replace

import numpy as np

from features.hashing import mix
from pipelines.simulation.rng import Flags, FloatArray, IntArray

EXPOSURE_KINDS = ("role", "role_here", "second_role", "here", "popular", "any")
_N_GROUPS = 12
_GROUP_TASTES = 2


@dataclass(frozen=True)
class MarketKind:
    """Factors of the parts of a job's utility, the weights of the kinds of exposures, and the planted truths.

    `hidden`: what a company of one's own hidden taste is worth (logits); tastes show in no profile and no posting.
    `shift_share`: this share of users looks for their second role in the last third of the days.
    `exposures`: weights in the order of EXPOSURE_KINDS.
    """

    role: float = 1.0
    place: float = 1.0
    skills: float = 1.0
    level: float = 1.0
    salary: float = 1.0
    fresh: float = 1.0
    charm: float = 1.0
    hidden: float = 0.0
    shift_share: float = 0.0
    exposures: tuple[float, ...] = (0.26, 0.18, 0.08, 0.12, 0.24, 0.12)


_GENERAL = MarketKind()
MARKET_KINDS = {
    "general": _GENERAL,
    # Popular jobs are better jobs, for everybody.
    "merit": replace(_GENERAL, role=0.6, skills=0.5, charm=2.5, exposures=(0.3, 0.2, 0.1, 0.2, 0.05, 0.15)),
    # Popular jobs are only shown more.
    "exposure": replace(_GENERAL, charm=0.0, exposures=(0.15, 0.1, 0.05, 0.05, 0.6, 0.05)),
    "skills": replace(_GENERAL, role=0.5, skills=2.2, place=0.5, salary=0.4, charm=0.4),
    "local": replace(_GENERAL, place=2.0, salary=1.8, skills=0.4, role=0.8, fresh=1.5),
    # Users like companies for reasons that only other users' choices show.
    "hidden": replace(_GENERAL, role=0.7, skills=0.4, charm=0.5, hidden=2.0),
    "shift": replace(_GENERAL, shift_share=0.5),
}


def hidden_taste(user: IntArray, company: IntArray) -> FloatArray:
    """1 if the company's hidden group is one of the user's, else 0; groups are drawn by hashes of the row numbers."""
    group = mix(company.astype(np.uint64) + np.uint64(1)) % np.uint64(_N_GROUPS)
    drawn = mix(user.astype(np.uint64) + np.uint64(1 << 40))
    likes = np.zeros(len(user), dtype=np.bool_)
    for place in range(_GROUP_TASTES):
        likes |= group == (drawn >> np.uint64(16 * place)) % np.uint64(_N_GROUPS)
    return likes.astype(np.float64)


def has_shifted(n_users: int, kind: MarketKind, *, day: int, n_days: int) -> Flags:
    """Per user: looks for the second role on this day."""
    draw = mix(np.arange(n_users, dtype=np.uint64) + np.uint64(1 << 41)) >> np.uint64(11)
    share: Flags = draw * 2.0**-53 < kind.shift_share
    return share & (3 * day >= 2 * n_days)
