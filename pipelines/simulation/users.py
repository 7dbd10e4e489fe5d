"""The market's users as latent tastes: role, place, pay, activity. Files are written elsewhere."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl

from pipelines.simulation.rng import (
    Flags,
    FloatArray,
    IntArray,
    Purpose,
    SkillBits,
    generator,
    one_of_each,
    pick_skills,
    skill_bits,
    weighted,
)
from pipelines.simulation.world import LEVEL_PAY, LEVELS, World

DEMO_PYTHON, DEMO_DESIGNER = "demo-python-almaty", "demo-designer-remote"
N_DEMO = 2
MAX_USER_SKILLS = 10
REMOTE_NO, REMOTE_OK, REMOTE_ONLY = range(3)
REMOTE_WISHES = ("no", "ok", "only")
USERS_PER_BLOCK = 50_000

# A Python developer at home in Almaty and a product designer in Lisbon who works remotely only.
_DEMO_TASTES = (
    ("python_backend", "data_engineer", "Almaty", REMOTE_OK, LEVELS.index("middle")),
    ("product_designer", "graphic_designer", "Lisbon", REMOTE_ONLY, LEVELS.index("senior")),
)
_LEVEL_WEIGHTS = (7, 25, 40, 21, 7)
_NO_HISTORY_SHARE = 0.1
_NEWCOMER_SHARE = 0.25


@dataclass(frozen=True)
class Users:
    """One row a user. `level` indexes LEVELS, `remote` REMOTE_WISHES; `activity` 0 = never acts; `signup_day` counts
    from the first day of events. `skills`: (rows, MAX_USER_SKILLS), -1 = none.
    """

    user_id: pl.Series
    family: IntArray
    second_family: IntArray
    city: IntArray
    is_english: Flags
    remote: IntArray
    level: IntArray
    minimum_usd: FloatArray
    skills: IntArray
    bits: SkillBits
    activity: FloatArray
    signup_day: IntArray

    def __len__(self) -> int:
        return len(self.user_id)

    def part(self, start: int, stop: int) -> Self:
        """Rows `start` to `stop`, without copying."""
        return type(self)(**{name: value[start:stop] for name, value in vars(self).items()})


def make_users(world: World, *, n_users: int, n_days: int, seed: int) -> Users:
    """`n_users` users; the first two are the example users."""
    parts = [
        _block(world, start=start, stop=min(start + USERS_PER_BLOCK, n_users), n_days=n_days, seed=seed)
        for start in range(0, n_users, USERS_PER_BLOCK)
    ]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0]) if name != "user_id"
    }
    return Users(user_id=pl.concat([part.user_id for part in parts]), **columns)


def _block(world: World, *, start: int, stop: int, n_days: int, seed: int) -> Users:
    rng, n = generator(seed, Purpose.USERS, start), stop - start
    family = weighted(rng, world.of_families("weight"), n=n)
    second_family = one_of_each(rng, [f.near for f in world.families], family)
    city = weighted(rng, world.of_cities("weight"), n=n)
    is_english = ~world.is_local_city[city]
    can_be_remote = world.of_families("remote")[family] > 0.1
    wish = np.where(is_english, weighted(rng, (15, 50, 35), n=n), weighted(rng, (35, 50, 15), n=n))
    remote = np.where(can_be_remote, wish, REMOTE_NO)
    level = weighted(rng, _LEVEL_WEIGHTS, n=n)
    activity = rng.lognormal(0.0, 1.1, n)
    activity[rng.random(n) < _NO_HISTORY_SHARE] = 0.0
    is_newcomer = rng.random(n) < _NEWCOMER_SHARE
    signup_day = np.where(is_newcomer, rng.integers(0, n_days, n), 0)
    pay_draw = rng.uniform(0.7, 1.05, n)
    if start == 0:
        for row, (own, other, home, its_wish, its_level) in enumerate(_DEMO_TASTES):
            family[row], second_family[row] = world.family_index(own), world.family_index(other)
            city[row], remote[row], level[row] = world.city_index(home), its_wish, its_level
        is_english[:N_DEMO], activity[:N_DEMO], signup_day[:N_DEMO], pay_draw[:N_DEMO] = (False, True), 1.0, 0, 0.8
    usd = world.of_families("usd")[family] * world.of_cities("pay")[city]
    skills = pick_skills(rng, world, family, n_min=5, n_max=MAX_USER_SKILLS)
    if start == 0:
        skills[:N_DEMO] = -1
        for row in range(min(N_DEMO, n)):
            skills[row, :8] = world.families[family[row]].skills[:8]
    return Users(
        user_id=_ids(start, stop),
        family=family,
        second_family=second_family,
        city=city,
        is_english=is_english,
        remote=remote,
        level=level,
        minimum_usd=usd * LEVEL_PAY[level] * pay_draw,
        skills=skills,
        bits=skill_bits(skills, n_skills=len(world.skills)),
        activity=activity,
        signup_day=signup_day,
    )


def _ids(start: int, stop: int) -> pl.Series:
    numbers = pl.int_range(start - N_DEMO + 1, stop - N_DEMO + 1, eager=True).alias("n")
    ids = pl.select(pl.format("u{}", pl.lit(numbers).cast(pl.String).str.zfill(7)).alias("user_id"))["user_id"]
    if start > 0:
        return ids
    return pl.concat([pl.Series("user_id", [DEMO_PYTHON, DEMO_DESIGNER]), ids[N_DEMO:]])[: stop - start]
