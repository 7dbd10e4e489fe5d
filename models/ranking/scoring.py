"""Components of candidate pairs, and their weighting by a recipe. Arrays only; the formulas are in features.

Components are rounded to four decimals before they are used, so that a score can be recomputed from what is stored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features import components as formulas
from models.arrays import Doubles, Floats, Ints
from models.kernels.sparse_rows import sums_over_terms
from models.ranking.collaborative import collaborative_shares, known_shares, products
from models.ranking.context import CandidatePairs
from models.ranking.settings import COLLABORATIVE, Recipe
from serving.contract.tables import COMPONENTS

COMPONENT_DECIMALS = 4
_COMPONENT_INDEX = {name: index for index, name in enumerate(COMPONENTS)}


@dataclass(frozen=True)
class Scored:
    """Scores and confidences in [0, 1], and the components that they are made of; (B, C) each."""

    score: Doubles
    confidence: Doubles
    values: Mapping[str, Floats]


def score_pairs(values: Mapping[str, Floats], recipes: Sequence[Recipe], recipe_of_row: Ints) -> Scored:
    """score = base + sum of weight * value over the recipe's components, unknown values being neutral; (B, C).

    Weights are scaled by the recipe. The collaborative term counts at most the recipe's cap. Confidence is the weight
    share of the known components.
    """
    weights = np.zeros((len(recipes), len(COMPONENTS)))
    for row, recipe in enumerate(recipes):
        for name, weight in recipe.scaled().items():
            weights[row, _COMPONENT_INDEX[name]] = weight
    scale = np.array([recipe.scale for recipe in recipes])[recipe_of_row][:, None]
    base = np.array([recipe.base for recipe in recipes])[recipe_of_row][:, None]
    neutral = np.array([recipe.neutral for recipe in recipes])[recipe_of_row][:, None]
    most = caps(recipes)[recipe_of_row][:, None]
    shape = next(iter(values.values())).shape
    score, confidence = np.zeros(shape) + base, np.zeros(shape)
    for name in COMPONENTS:
        if not weights[:, _COMPONENT_INDEX[name]].any():
            continue
        weight = weights[recipe_of_row, _COMPONENT_INDEX[name]][:, None]
        value = values[name].astype(np.float64)
        is_known = ~np.isnan(value)
        term = weight * np.where(is_known, value, neutral)
        score += np.minimum(term, most) if name == COLLABORATIVE else term
        confidence += weight * is_known
    return Scored(score=np.clip(score, 0, 1), confidence=np.clip(confidence / scale, 0, 1), values=values)


def caps(recipes: Sequence[Recipe]) -> Doubles:
    """The most that the collaborative component adds to a score by each recipe, infinite for no limit."""
    return np.array([np.inf if recipe.collaborative_cap is None else recipe.collaborative_cap for recipe in recipes])


def score_candidates(pairs: CandidatePairs) -> Scored:
    """Scores of a block's candidates by the components that the recipes of the batch weigh."""
    recipes = pairs.batch.recipes
    needed = sorted({name for recipe in recipes for name in recipe.normalised()})
    return score_pairs(component_values(needed, pairs), recipes, pairs.block.recipe_of_row)


def component_values(names: Sequence[str], pairs: CandidatePairs) -> dict[str, Floats]:
    """The named components of all pairs, (B, C) float32 rounded to COMPONENT_DECIMALS, NaN where unknown."""
    return {name: np.round(_FORMULAS[name](pairs), COMPONENT_DECIMALS).astype(np.float32) for name in names}


def _location(pairs: CandidatePairs) -> Floats:
    return formulas.location(
        pairs.distance_km,
        max_distance_km=pairs.users.max_distance_km[pairs.user],
        job_is_remote=pairs.jobs.is_remote[pairs.job],
        user_remote=pairs.users.remote[pairs.user],
        is_same_city=pairs.is_same_city,
    )


def _location_match(pairs: CandidatePairs) -> Floats:
    return formulas.location_match(
        is_same_area=pairs.is_same_city,
        job_is_remote=pairs.jobs.is_remote[pairs.job],
        user_remote=pairs.users.remote[pairs.user],
        is_same_country=pairs.is_same_country,
    )


def _tags(pairs: CandidatePairs) -> Floats:
    common = pairs.sum_over(pairs.jobs.tags, pairs.users.tags)
    return formulas.jaccard(common, n_left=pairs.users.n_tags[pairs.user], n_right=pairs.jobs.n_tags[pairs.job])


def _skills(pairs: CandidatePairs) -> Floats:
    matched = pairs.sum_over(pairs.jobs.skills, pairs.users.skills)
    avoided = pairs.sum_over(pairs.jobs.skills, pairs.users.avoided_skills)
    value = formulas.skill_match(matched, total_weight=pairs.jobs.skill_rarity_total[pairs.job], avoided_weight=avoided)
    states_skills = pairs.users.has_skills | pairs.users.avoids_skills
    return np.where(states_skills[pairs.user], value, np.nan).astype(np.float32)


def _experience(pairs: CandidatePairs) -> Floats:
    return formulas.experience(
        pairs.users.years[pairs.user],
        min_years=pairs.jobs.min_years[pairs.job],
        max_years=pairs.jobs.max_years[pairs.job],
    )


def _salary(pairs: CandidatePairs) -> Floats:
    return formulas.salary(
        pairs.users.salary_minimum[pairs.user],
        job_min=pairs.jobs.salary_min[pairs.job],
        job_max=pairs.jobs.salary_max[pairs.job],
    )


def _growth(pairs: CandidatePairs) -> Floats:
    known = pairs.users.skills[pairs.rows]
    is_known = known.copy()
    is_known.data = np.ones_like(is_known.data)
    near = is_known @ pairs.context.adjacent_skills
    near.data = np.ones_like(near.data)
    is_new_and_near = (near - near.multiply(is_known)).tocsr()
    asked = pairs.context.asked_skills
    n_known = sums_over_terms(asked, pairs.job, is_known)
    n_adjacent = sums_over_terms(asked, pairs.job, is_new_and_near)
    n_asked = np.diff(asked.indptr)[pairs.job]
    has_skills = pairs.users.has_skills[pairs.user]
    n_new = np.where(has_skills & (n_asked > 0), n_asked - n_known, np.nan)
    step = pairs.jobs.level[pairs.job] - pairs.users.level[pairs.user]
    return formulas.growth(step, n_new_adjacent=n_adjacent, n_new=n_new)


def _affinity(pairs: CandidatePairs) -> Floats:
    weighted = pairs.sum_over(pairs.jobs.preference_features, pairs.batch.affinity)
    confidence = pairs.sum_over(pairs.jobs.preference_features, pairs.batch.affinity_confidence)
    is_known = confidence > 1e-6
    mean = np.divide(weighted, confidence, out=np.zeros_like(weighted), where=is_known)
    return np.where(is_known, np.clip((mean + 1) / 2, 0, 1), np.nan).astype(np.float32)


def _culture(pairs: CandidatePairs) -> Floats:
    text = pairs.context.culture_rows[pairs.job]
    return np.clip(products(pairs.batch.culture, pairs.rows, pairs.context.culture, text), 0, 1)


def _content(pairs: CandidatePairs) -> Floats:
    return np.clip(products(pairs.batch.content, pairs.rows, pairs.context.content, pairs.job), 0, 1)


def _collaborative(pairs: CandidatePairs) -> Floats:
    return collaborative_shares(pairs.context, pairs.batch, pairs.rows, pairs.block.collaborative, pairs.job)


def _neighbours(pairs: CandidatePairs) -> Floats:
    return known_shares(pairs.block.neighbour_shares, pairs.job)


def _also_applied(pairs: CandidatePairs) -> Floats:
    return known_shares(pairs.batch.also_applied, pairs.job, pairs.rows)


_FORMULAS: Mapping[str, Callable[[CandidatePairs], Floats]] = {
    "location": _location,
    "tags": _tags,
    "engagement": lambda pairs: pairs.jobs.engagement[pairs.job],
    "recency": lambda pairs: pairs.jobs.recency[pairs.job],
    "poster_quality": lambda pairs: pairs.jobs.poster_quality[pairs.job],
    "collaborative": _collaborative,
    "content": _content,
    "skills": _skills,
    "experience": _experience,
    "salary": _salary,
    "location_match": _location_match,
    "culture": _culture,
    "growth": _growth,
    "neighbours": _neighbours,
    "also_applied": _also_applied,
    "affinity": _affinity,
    "trending": lambda pairs: pairs.jobs.trending[pairs.job],
}
