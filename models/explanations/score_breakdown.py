"""The breakdown of one score: its components, the retrievers that proposed the job, and its place among candidates.

Why a hard rule excludes a job is in models.explanations.exclusion.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from models.explanations.attribution import explain
from models.ranking.context import CandidatePairs, JobContext, UserBatch
from models.ranking.feed_rows import RankedItems
from models.ranking.retrieval import RETRIEVERS, build_block, retrieve
from models.ranking.scoring import component_values, score_candidates, score_pairs
from models.ranking.settings import Recipe
from serving.contract.tables import COMPONENTS


@dataclass(frozen=True)
class Contribution:
    """One component's part of a score: the recipe's scaled weight, the value, and points out of 100.

    `value` is None if unknown; the recipe's neutral value counts instead.
    """

    component: str
    weight: float
    value: float | None
    points: float
    is_capped: bool


@dataclass(frozen=True)
class ScoreBreakdown:
    """The score of one job for one user. `representative`: the open job that represents it, None if there is none.

    `found_by`: the retrievers that proposed it. `place`: its position by score among the user's `n_candidates`, from 1;
    None if it is no candidate. `components`: the values of all components, None where unknown.
    """

    job_id: str
    representative: str | None
    recipe: str
    arm: str
    neutral: float
    base: float
    score: float | None = None
    confidence: float | None = None
    is_ruled_out: bool = False
    found_by: tuple[str, ...] = ()
    place: int | None = None
    n_candidates: int = 0
    contributions: tuple[Contribution, ...] = ()
    reasons: tuple[tuple[str, str | None, float | None], ...] = ()
    components: Mapping[str, float | None] = field(default_factory=dict)


def explain_pair(context: JobContext, batch: UserBatch, *, user: int, job_id: str) -> ScoreBreakdown:
    """Scores the job for the user at position `user` of the batch as ranking does, even if it is not in the feed.

    A job without an open representative has no score.
    """
    arm = batch.arms[batch.arm_of_user[user]]
    recipe = batch.recipes[batch.recipe_of_user[user]]
    row = int(context.jobs.rows_of(pl.Series([job_id]))[0])
    if row < 0:
        return ScoreBreakdown(job_id, None, arm.recipe, arm.name, recipe.neutral, recipe.base)
    block = build_block(context, batch, slice(user, user + 1))
    found = retrieve(block)
    pairs = CandidatePairs(block, np.array([[row]], dtype=np.int32))
    values = component_values(COMPONENTS, pairs)
    scored = score_pairs(values, batch.recipes, block.recipe_of_row)
    score = float(scored.score[0, 0])
    bits = int(found.found_by[found.jobs == row].max(initial=0))
    is_candidate = found.jobs >= 0
    place = None
    if bits:
        place = 1 + int(
            np.count_nonzero((score_candidates(CandidatePairs(block, found.jobs)).score > score) & is_candidate)
        )
    one = np.ones((1, 1), dtype=bool)
    numbers = {name: float(column[0, 0]) for name, column in values.items()}
    items = RankedItems(
        job=pairs.job,
        score=scored.score,
        confidence=scored.confidence,
        is_seen=~one,
        is_explored=~one,
        propensity=np.ones((1, 1), dtype=np.float32),
        found_by=np.array([[bits]], dtype=np.uint16),
        values=values,
    )
    return ScoreBreakdown(
        job_id=job_id,
        representative=str(context.jobs.ids[row]),
        recipe=arm.recipe,
        arm=arm.name,
        neutral=recipe.neutral,
        base=recipe.base,
        score=score,
        confidence=float(scored.confidence[0, 0]),
        is_ruled_out=row in block.forbidden.indices,
        found_by=tuple(name for bit, name in enumerate(RETRIEVERS) if (bits >> bit) & 1),
        place=place,
        n_candidates=int(np.count_nonzero(is_candidate)),
        contributions=contributions(recipe, numbers),
        components={name: None if np.isnan(value) else value for name, value in numbers.items()},
        reasons=tuple(explain(pairs, items).rows(context.index).select("code", "ref", "value").iter_rows()),
    )


def contributions(recipe: Recipe, values: dict[str, float]) -> tuple[Contribution, ...]:
    """The parts of a score, the greatest first; with the recipe's base they sum to it.

    `values` by component, NaN where unknown.
    """
    parts = []
    for name, weight in recipe.scaled().items():
        value = values[name]
        points = weight * (recipe.neutral if np.isnan(value) else value)
        most = recipe.most(name)
        counted = points if most is None else min(points, most)
        known = None if np.isnan(value) else value
        parts.append(Contribution(name, weight, known, 100 * counted, is_capped=counted < points))
    return tuple(sorted(parts, key=lambda part: (-part.points, part.component)))
