"""How one score came about, or which rule kept a job out: the long answer for one user and one job."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.schemas import COMPONENTS
from models.ranking import Shard, pairs_of, retrieve_block
from models.reasons import Listed, explain
from models.rules import forbidden_rows
from models.scoring import COLLABORATIVE, COLLABORATIVE_MOST, component_values, score_pairs


@dataclass(frozen=True)
class Contribution:
    """One component's part: weight of the recipe, value (None where unknown: the neutral one counts), points of 100."""

    component: str
    weight: float
    value: float | None
    points: float


@dataclass(frozen=True)
class Why:
    """The answer. `stands_for` is the job that represents the asked one, None where no open job does."""

    job_id: str
    stands_for: str | None
    recipe: str
    arm: str
    score: float | None
    confidence: float | None
    is_ruled_out: bool
    is_candidate: bool
    contributions: tuple[Contribution, ...]
    reasons: tuple[tuple[str, str | None, float | None], ...]


def explain_pair(shard: Shard, *, user: int, job_id: str) -> Why:
    """Scores the job for the user at position `user` of the shard as ranking does, whether or not it is in the feed.

    `is_candidate`: some retriever proposed it. A job that no open job stands for has no score.
    """
    jobs, block = shard.world.jobs, slice(user, user + 1)
    arm = shard.arms[shard.arm_of_user[user]]
    row = int(jobs.rows_of(pl.Series([job_id]))[0])
    if row < 0:
        return Why(job_id, None, arm.recipe, arm.name, None, None, False, False, (), ())
    forbidden = forbidden_rows(shard.users, shard.world.blockable, shard.forbidden, rows=block)
    found, scores = retrieve_block(shard, block)
    job = np.array([[row]], dtype=np.int32)
    pairs = pairs_of(shard, block, job, scores)
    values = component_values(COMPONENTS, pairs)
    recipe_of_row = shard.recipe_of_user[block]
    scored = score_pairs(values, shard.recipes, recipe_of_row)
    is_found = found.jobs == row
    found_by = np.array([[found.found_by[is_found].max(initial=0)]], dtype=np.uint16)
    one = np.ones((1, 1), dtype=bool)
    listed = Listed(pairs, values, found_by=found_by, is_explored=~one, is_item=one)
    reasons = explain(listed, shard.recipes, recipe_of_row)
    recipe = shard.recipes[recipe_of_row[0]]
    contributions = []
    for name, weight in recipe.normalised().items():
        value = float(values[name][0, 0])
        points = weight * (recipe.neutral if np.isnan(value) else value)
        points = min(points, COLLABORATIVE_MOST) if name == COLLABORATIVE else points
        contributions.append(Contribution(name, weight, None if np.isnan(value) else value, 100 * points))
    return Why(
        job_id=job_id,
        stands_for=str(jobs.ids[row]),
        recipe=arm.recipe,
        arm=arm.name,
        score=float(scored.score[0, 0]),
        confidence=float(scored.confidence[0, 0]),
        is_ruled_out=row in forbidden.indices,
        is_candidate=bool(is_found.any()),
        contributions=tuple(sorted(contributions, key=lambda part: (-part.points, part.component))),
        reasons=tuple(reasons.select("code", "ref", "value").iter_rows()),
    )
