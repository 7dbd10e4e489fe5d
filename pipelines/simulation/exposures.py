"""Which jobs a session shows: draws from pools (a role, a city, both, popular jobs, all), newer jobs more often.

Whether a user looks at what is shown belongs to `behaviour`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from pipelines.simulation.jobs import NO_CITY, REMOTE, Jobs
from pipelines.simulation.kinds import EXPOSURE_KINDS
from pipelines.simulation.rng import Flags, FloatArray, IntArray
from pipelines.simulation.users import REMOTE_ONLY, Users
from pipelines.simulation.world import World

_POPULAR_SHARE = 0.015
_NEWEST_POWER = 1.7  # draws from a pool fall off with rank by age as rank^(1/power - 1)
_TIME_BITS = 34


@dataclass(frozen=True)
class Pools:
    """All pools as one sorted array: the jobs of pool p start at `starts[p]`, by time of publication.

    A key is pool and time in one number: one binary search counts the jobs of pool p that are published by time t.
    """

    keys: IntArray
    job: IntArray
    starts: IntArray
    n_families: int
    n_cities: int

    @classmethod
    def of(cls, world: World, jobs: Jobs) -> Self:
        """Pools: family, family remote only, family in English, city, family x city, popular, all."""
        n_families, n_cities = len(world.families), len(world.cities)
        family, city, created = (jobs.column(name) for name in ("family", "city", "created_s"))
        rows = np.arange(len(family))
        is_remote, is_placed = jobs.column("work_format") == REMOTE, city != NO_CITY
        is_english = jobs.column("is_english") == 1
        draw = jobs.amounts("quality") + jobs.amounts("appeal")
        is_popular = draw >= np.quantile(draw, 1 - _POPULAR_SHARE)
        cross = 3 * n_families + n_cities
        members = [
            (family, rows),
            (n_families + family[is_remote], rows[is_remote]),
            (2 * n_families + family[is_english], rows[is_english]),
            (3 * n_families + city[is_placed], rows[is_placed]),
            (cross + family[is_placed] * n_cities + city[is_placed], rows[is_placed]),
            (np.full(int(is_popular.sum()), cross + n_families * n_cities), rows[is_popular]),
            (np.full(len(rows), cross + n_families * n_cities + 1), rows),
        ]
        pool, job = (np.concatenate(column) for column in zip(*members, strict=True))
        keys = (pool << _TIME_BITS) + created[job]
        order = np.argsort(keys, kind="stable")
        n_pools = cross + n_families * n_cities + 2
        starts = np.searchsorted(pool[order], np.arange(n_pools))
        return cls(keys[order], job[order], starts, n_families, n_cities)

    @property
    def popular(self) -> int:
        """The pool of the most wanted jobs."""
        return len(self.starts) - 2

    @property
    def everything(self) -> int:
        """The pool of all jobs."""
        return len(self.starts) - 1

    def wanted(self, users: Users, row: IntArray, *, kind: IntArray) -> IntArray:
        """The pool per exposure, by the user's tastes and the `kind` of exposure (an index of EXPOSURE_KINDS)."""
        f, c = self.n_families, self.n_cities
        family, second, city = users.family[row], users.second_family[row], users.city[row]
        is_english, remote_only = users.is_english[row], users.remote[row] == REMOTE_ONLY
        role = np.where(remote_only, f + family, np.where(is_english, 2 * f + family, family))
        here = np.where(remote_only, f + family, 3 * f + c + family * c + city)
        choices = [role, here, np.where(is_english, 2 * f + second, second), 3 * f + city]
        return np.select(
            [kind == n for n in range(len(EXPOSURE_KINDS))],
            [*choices, np.full(len(row), self.popular), np.full(len(row), self.everything)],
        )

    def draw(self, rng: np.random.Generator, pool: IntArray, at_seconds: IntArray) -> IntArray:
        """One job of each pool that is published by the time, newer ones more often. An empty pool of a role in a city
        falls back to the role, any other pool to all jobs; -1 if no job is published.
        """
        job, is_drawn = self._draw(rng.random(len(pool)), pool, at_seconds)
        cross = 3 * self.n_families + self.n_cities
        is_cross = (pool >= cross) & (pool < self.popular)
        role = np.where(is_cross, (pool - cross) // self.n_cities, self.everything)
        for next_pool in (role, np.full(len(pool), self.everything)):
            rest = np.flatnonzero(~is_drawn)
            job[rest], is_drawn[rest] = self._draw(rng.random(len(rest)), next_pool[rest], at_seconds[rest])
        job[~is_drawn] = -1
        return job

    def _draw(self, uniform: FloatArray, pool: IntArray, at_seconds: IntArray) -> tuple[IntArray, Flags]:
        end = np.searchsorted(self.keys, (pool << _TIME_BITS) + at_seconds, side="right")
        n_out = end - self.starts[pool]
        back = (uniform**_NEWEST_POWER * n_out).astype(np.int64)
        return self.job[(end - 1 - back).clip(0)], n_out > 0


def exposure_kinds(rng: np.random.Generator, weights: Sequence[float], *, n: int) -> IntArray:
    """The kind of each exposure, an index of EXPOSURE_KINDS; `weights` sum to 1."""
    return np.searchsorted(np.cumsum(weights), rng.random(n)).clip(0, len(EXPOSURE_KINDS) - 1).astype(np.int64)
