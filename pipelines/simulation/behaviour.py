"""How users act on what they are shown: the utility of a job for a user, position bias, and the chain of actions.

Utilities are logits: the user's own role is worth 1.7, a wrong one costs 1.4. The market's kind weighs the parts.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.simulation.jobs import DAY_SECONDS, NO_CITY, REMOTE, Jobs
from pipelines.simulation.kinds import MarketKind, hidden_taste
from pipelines.simulation.rng import Flags, FloatArray, IntArray, SkillBits
from pipelines.simulation.users import REMOTE_NO, REMOTE_OK, REMOTE_ONLY, Users

_NOISE = 0.9
_POSITION_DECAY = 0.09


@dataclass(frozen=True)
class JobColumns:
    """The columns of jobs that utilities need, as arrays."""

    family: IntArray
    city: IntArray
    level: IntArray
    is_remote: Flags
    is_english: Flags
    usd_max: FloatArray
    charm: FloatArray
    company: IntArray
    created_s: IntArray
    bits: SkillBits
    n_skills: IntArray

    @classmethod
    def of(cls, jobs: Jobs) -> "JobColumns":
        """The columns of all jobs."""
        return cls(
            family=jobs.column("family"),
            city=jobs.column("city"),
            level=jobs.column("level"),
            is_remote=jobs.column("work_format") == REMOTE,
            is_english=jobs.column("is_english") == 1,
            usd_max=jobs.amounts("usd_max"),
            charm=0.5 * jobs.amounts("quality") + 0.6 * jobs.amounts("appeal"),
            company=jobs.column("company"),
            created_s=jobs.column("created_s"),
            bits=jobs.bits,
            n_skills=(jobs.skills >= 0).sum(axis=1),
        )


def utility(
    users: Users, jobs: JobColumns, kind: MarketKind, *, user: IntArray, job: IntArray, at_seconds: IntArray
) -> FloatArray:
    """The utility of each (user, job) pair at that time, without noise."""
    role = np.where(
        jobs.family[job] == users.family[user], 1.7, np.where(jobs.family[job] == users.second_family[user], 1.0, -1.4)
    )
    wish, is_remote = users.remote[user], jobs.is_remote[job]
    is_here = jobs.city[job] == users.city[user]
    away = np.where(jobs.city[job] == NO_CITY, -1.0, -1.8)
    on_site = np.where(is_here, 0.8, away)
    place = np.select(
        [wish == REMOTE_NO, wish == REMOTE_OK, wish == REMOTE_ONLY],
        [
            np.where(is_here, 0.9, away),
            np.where(is_remote, np.maximum(0.9, on_site), on_site),
            np.where(is_remote, 1.3, -2.6),
        ],
    )
    common = np.bitwise_count(users.bits[user] & jobs.bits[job]).sum(axis=1, dtype=np.int64)
    skills = 2.6 * (common / jobs.n_skills[job] - 0.45)
    level = -0.65 * np.abs(jobs.level[job] - users.level[user])
    pays = jobs.usd_max[job] / users.minimum_usd[user]
    salary = np.where(np.isnan(pays), -0.1, np.clip(1.6 * (pays - 1.0), -1.6, 0.6))
    language = np.where(users.is_english[user] & ~jobs.is_english[job], -1.5, 0.0)
    fresh = 0.7 * np.exp(-(at_seconds - jobs.created_s[job]) / (10.0 * DAY_SECONDS))
    total: FloatArray = (
        kind.role * role
        + kind.place * place
        + kind.skills * skills
        + kind.level * level
        + kind.salary * salary
        + language
        + kind.fresh * fresh
        + kind.charm * jobs.charm[job]
    )
    if kind.hidden:
        total += kind.hidden * hidden_taste(user, jobs.company[job])
    return total


@dataclass(frozen=True)
class Actions:
    """The actions at each exposure; `dwell_seconds` of a view."""

    views: Flags
    clicks: Flags
    saves: Flags
    unsaves: Flags
    shares: Flags
    applies: Flags
    dismisses: Flags
    rejects: Flags
    ignores: Flags
    feedback: Flags
    dwell_seconds: FloatArray

    @property
    def decides(self) -> Flags:
        """The user is done with the job: applied to it or turned it down."""
        return self.applies | self.dismisses | self.rejects | self.ignores


def act(rng: np.random.Generator, worth: FloatArray, position: IntArray, *, is_decided: Flags) -> Actions:
    """Draws the actions at exposures by utility and position (from 1). A decided job is at most viewed again.

    Position bias is the examination model: a job is seen with probability 1 / (1 + decay * (position - 1)), then judged
    by its utility.
    """
    n = len(worth)
    felt = worth + rng.normal(0.0, _NOISE, n)
    draws = rng.random((10, n))
    is_examined = draws[0] < 1.0 / (1.0 + _POSITION_DECAY * (position - 1))
    views = is_examined & (draws[1] < _logistic(0.8 * felt - 1.0))
    clicks = views & (draws[2] < _logistic(0.6 * felt - 1.2))
    applies = clicks & (draws[3] < _logistic(0.6 * felt - 2.0)) & ~is_decided
    saves = views & (draws[4] < _logistic(0.7 * felt - 3.2)) & ~is_decided
    turned_down = is_examined & ~clicks & ~saves & ~is_decided & (draws[5] < 0.06 * _logistic(-felt))
    dwell = 12.0 * np.exp(0.35 * felt + 0.5 * rng.normal(size=n))
    return Actions(
        views=views,
        clicks=clicks,
        saves=saves,
        unsaves=saves & ~applies & (draws[6] < 0.06),
        shares=clicks & (draws[7] < 0.03),
        applies=applies,
        dismisses=turned_down & (draws[8] < 0.7),
        rejects=turned_down & (draws[8] >= 0.7) & (draws[8] < 0.9),
        ignores=turned_down & (draws[8] >= 0.9),
        feedback=views & (draws[9] < 0.015),
        dwell_seconds=np.round(np.clip(dwell, 1.0, 900.0), 1).astype(np.float64),
    )


def _logistic(value: FloatArray) -> FloatArray:
    result: FloatArray = 1.0 / (1.0 + np.exp(-value))
    return result
