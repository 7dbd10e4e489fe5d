"""How one score came about, who proposed the job and where it stands: the long answer for one user and one job.

Which rule keeps a job out, and by what evidence, is in models.explanations.exclusion.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.explanations.attribution import Listed, explain
from models.ranking.retrieval import RETRIEVERS
from models.ranking.rules import forbidden_rows
from models.ranking.scoring import COLLABORATIVE, COLLABORATIVE_MOST, Recipe, component_values, score_pairs
from models.ranking.stages import Shard, pairs_of, retrieve_block
from serving.contract.tables import COMPONENTS


@dataclass(frozen=True)
class Contribution:
    """One component's part: weight of the recipe, value (None where unknown: the neutral one counts), points of 100."""

    component: str
    weight: float
    value: float | None
    points: float
    is_capped: bool


@dataclass(frozen=True)
class Why:
    """The answer. `stands_for` is the job that represents the asked one, None where no open job does.

    `found_by` names the retrievers that proposed it. `place` is where it stands by score among the user's
    `n_candidates`, from 1; None for who is none of them.
    """

    job_id: str
    stands_for: str | None
    recipe: str
    arm: str
    neutral: float
    score: float | None = None
    confidence: float | None = None
    is_ruled_out: bool = False
    found_by: tuple[str, ...] = ()
    place: int | None = None
    n_candidates: int = 0
    contributions: tuple[Contribution, ...] = ()
    reasons: tuple[tuple[str, str | None, float | None], ...] = ()

    @property
    def is_candidate(self) -> bool:
        return bool(self.found_by)


def explain_pair(shard: Shard, *, user: int, job_id: str) -> Why:
    """Scores the job for the user at position `user` of the shard as ranking does, whether or not it is in the feed.

    A job that no open job stands for has no score.
    """
    jobs, block = shard.world.jobs, slice(user, user + 1)
    arm, recipe_of_row = shard.arms[shard.arm_of_user[user]], shard.recipe_of_user[block]
    recipe = shard.recipes[recipe_of_row[0]]
    row = int(jobs.rows_of(pl.Series([job_id]))[0])
    if row < 0:
        return Why(job_id, None, arm.recipe, arm.name, recipe.neutral)
    forbidden = forbidden_rows(shard.users, shard.world.blockable, shard.forbidden, rows=block)
    found, scores = retrieve_block(shard, block)
    pairs = pairs_of(shard, block, np.array([[row]], dtype=np.int32), scores)
    values = component_values(COMPONENTS, pairs)
    scored = score_pairs(values, shard.recipes, recipe_of_row)
    score = float(scored.score[0, 0])
    found_by = np.array([[found.found_by[found.jobs == row].max(initial=0)]], dtype=np.uint16)
    one = np.ones((1, 1), dtype=bool)
    listed = Listed(pairs, values, found_by=found_by, is_explored=~one, is_item=one)
    place = None
    if found_by[0, 0]:
        needed = sorted({name for each in shard.recipes for name in each.normalised()})
        of_all = score_pairs(
            component_values(needed, pairs_of(shard, block, found.jobs, scores)), shard.recipes, recipe_of_row
        )
        place = 1 + int(np.count_nonzero((of_all.score > score) & (found.jobs >= 0)))
    return Why(
        job_id=job_id,
        stands_for=str(jobs.ids[row]),
        recipe=arm.recipe,
        arm=arm.name,
        neutral=recipe.neutral,
        score=score,
        confidence=float(scored.confidence[0, 0]),
        is_ruled_out=row in forbidden.indices,
        found_by=tuple(name for bit, name in enumerate(RETRIEVERS) if (int(found_by[0, 0]) >> bit) & 1),
        place=place,
        n_candidates=int(np.count_nonzero(found.jobs >= 0)),
        contributions=contributions(recipe, {name: float(column[0, 0]) for name, column in values.items()}),
        reasons=tuple(explain(listed, shard.recipes, recipe_of_row).select("code", "ref", "value").iter_rows()),
    )


def contributions(recipe: Recipe, values: dict[str, float]) -> tuple[Contribution, ...]:
    """The parts of a score, the greatest first, of the components' `values` (NaN where unknown). They sum to it."""
    parts = []
    for name, weight in recipe.normalised().items():
        value = values[name]
        points = weight * (recipe.neutral if np.isnan(value) else value)
        most = COLLABORATIVE_MOST if name == COLLABORATIVE else 1.0
        known = None if np.isnan(value) else value
        parts.append(Contribution(name, weight, known, 100 * min(points, most), is_capped=points > most))
    return tuple(sorted(parts, key=lambda part: (-part.points, part.component)))
