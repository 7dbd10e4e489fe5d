"""Components of candidate pairs, and the recipe that makes a score of them. Arrays only; the formulas are in features.

Components are rounded to four decimals before they are used, so that a score can be recomputed from what is stored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features import components as formulas
from models.arrays import Csr, Doubles, Floats, Ints, csr_of_ones, expand_slices, rank_within
from models.kernels.sparse_rows import dot_pairs, lookup, sums_over_terms
from models.ranking.job_arrays import JobTable, UserTable
from models.ranking.retrieval import BlockScores
from models.ranking.signals import Factors, Signals
from serving.contract.tables import COMPONENTS

COMPONENT_DECIMALS = 4
COLLABORATIVE = "collaborative"
COLLABORATIVE_MOST = 0.10  # of a score of 1: behaviour of others may lift a job by ten points, not carry it
_COMPONENT_INDEX = {name: index for index, name in enumerate(COMPONENTS)}


@dataclass(frozen=True)
class Recipe:
    """Weights per component (normalised to sum 1), the neutral value of unknown ones, and what steers the list."""

    name: str
    weights: Mapping[str, float]
    neutral: float = 0.5
    diversity: float = 0.15
    exploration_share: float = 0.1

    def normalised(self) -> Mapping[str, float]:
        total = sum(self.weights.values())
        return {name: weight / total for name, weight in self.weights.items() if weight > 0}


@dataclass(frozen=True)
class Scored:
    """Scores and confidences in [0, 1], both (B, C)."""

    score: Doubles
    confidence: Doubles


def score_pairs(values: Mapping[str, Floats], recipes: Sequence[Recipe], recipe_of_row: Ints) -> Scored:
    """score = sum of weight * value over the recipe's components, unknown values being neutral; (B, C).

    The collaborative term counts at most COLLABORATIVE_MOST. Confidence is the weight share of the known components.
    """
    weights = np.zeros((len(recipes), len(COMPONENTS)))
    for row, recipe in enumerate(recipes):
        for name, weight in recipe.normalised().items():
            weights[row, _COMPONENT_INDEX[name]] = weight
    neutral = np.array([recipe.neutral for recipe in recipes])[recipe_of_row][:, None]
    shape = next(iter(values.values())).shape
    score, confidence = np.zeros(shape), np.zeros(shape)
    for name in COMPONENTS:
        if not weights[:, _COMPONENT_INDEX[name]].any():
            continue
        weight = weights[recipe_of_row, _COMPONENT_INDEX[name]][:, None]
        value = values[name].astype(np.float64)
        is_known = ~np.isnan(value)
        term = weight * np.where(is_known, value, neutral)
        score += np.minimum(term, COLLABORATIVE_MOST) if name == COLLABORATIVE else term
        confidence += weight * is_known
    return Scored(score=np.clip(score, 0, 1), confidence=np.clip(confidence, 0, 1))


def component_values(names: Sequence[str], pairs: "Pairs") -> dict[str, Floats]:
    """The named components of all pairs, (B, C) float32 rounded to COMPONENT_DECIMALS, NaN where unknown."""
    return {name: np.round(_FORMULAS[name](pairs), COMPONENT_DECIMALS).astype(np.float32) for name in names}


@dataclass(frozen=True)
class SkillGraph:
    """`asked`: jobs x skills of ones; `adjacent`: skills x skills of ones, what is often asked for together."""

    asked: Csr
    adjacent: Csr


@dataclass(frozen=True)
class Pairs:
    """A block of users against their candidates: `job` (B, C) holds rows of the JobTable, without padding."""

    users: UserTable
    jobs: JobTable
    signals: Signals
    of_block: BlockScores
    first_user: int
    job: Ints
    skill_graph: SkillGraph

    @property
    def user(self) -> NDArray[np.int64]:
        return self.first_user + np.arange(len(self.job))[:, None]

    @property
    def rows(self) -> slice:
        return slice(self.first_user, self.first_user + len(self.job))

    def distance_km(self) -> Floats:
        return formulas.haversine_km(
            self.users.latitude[self.user],
            self.users.longitude[self.user],
            self.jobs.latitude[self.job],
            self.jobs.longitude[self.job],
        )

    def is_same_city(self) -> NDArray[np.bool_]:
        """The same name, and not known to lie in two countries: there are a London and a Birmingham on either side."""
        city, country = self.users.city[self.user], self.users.country[self.user]
        job_country = self.jobs.country[self.job]
        is_abroad = (country >= 0) & (job_country >= 0) & (country != job_country)
        return np.asarray((city == self.jobs.city[self.job]) & (city >= 0) & ~is_abroad)

    def lookup(self, table: Csr) -> Floats:
        """The entry of a CSR matrix users x jobs for each pair, 0 where it has none."""
        return lookup(table[self.rows], self.job)

    def sum_over(self, job_terms: Csr, user_terms: Csr) -> Doubles:
        """Per pair the sum of job value * user value over the job's terms; `user_terms` is users x terms."""
        return sums_over_terms(job_terms, self.job, user_terms[self.rows])


def skill_graph(jobs: JobTable, *, most: int = 10) -> SkillGraph:
    """Which skills the jobs ask for, and each skill's `most` closest by the cosine of being asked for together."""
    asked = jobs.skills.copy()
    asked.data = np.ones_like(asked.data)
    together = (asked.T @ asked).tocsr()
    together.setdiag(0)
    together.eliminate_zeros()
    together.sort_indices()
    count = np.maximum(np.asarray(asked.sum(axis=0)).ravel(), 1)
    rows, _ = expand_slices(together.indptr[:-1], np.diff(together.indptr))
    cosine = together.data / np.sqrt(count[rows] * count[together.indices])
    order = np.lexsort((together.indices, -cosine, rows))
    kept = order[rank_within(rows[order]) < most]
    adjacent = csr_of_ones(rows[kept].astype(np.int32), together.indices[kept], shape=together.shape)
    return SkillGraph(asked=asked, adjacent=adjacent)


def _location(pairs: Pairs) -> Floats:
    return formulas.location(
        pairs.distance_km(),
        max_distance_km=pairs.users.max_distance_km[pairs.user],
        job_is_remote=pairs.jobs.is_remote[pairs.job],
        user_remote=pairs.users.remote[pairs.user],
        is_same_city=pairs.is_same_city(),
    )


def _location_match(pairs: Pairs) -> Floats:
    country, job_country = pairs.users.country[pairs.user], pairs.jobs.country[pairs.job]
    is_same_country = np.where((country < 0) | (job_country < 0), np.nan, country == job_country)
    return formulas.location_match(
        is_same_area=pairs.is_same_city(),
        job_is_remote=pairs.jobs.is_remote[pairs.job],
        user_remote=pairs.users.remote[pairs.user],
        is_same_country=is_same_country,
    )


def _tags(pairs: Pairs) -> Floats:
    common = pairs.sum_over(pairs.jobs.tags, pairs.users.tags)
    return formulas.jaccard(common, n_left=pairs.users.n_tags[pairs.user], n_right=pairs.jobs.n_tags[pairs.job])


def _skills(pairs: Pairs) -> Floats:
    matched = pairs.sum_over(pairs.jobs.skills, pairs.users.skills)
    avoided = pairs.sum_over(pairs.jobs.skills, pairs.users.avoided_skills)
    value = formulas.skill_match(matched, total_weight=pairs.jobs.skill_rarity_total[pairs.job], avoided_weight=avoided)
    states_skills = pairs.users.has_skills | pairs.users.avoids_skills
    return np.where(states_skills[pairs.user], value, np.nan).astype(np.float32)


def _experience(pairs: Pairs) -> Floats:
    return formulas.experience(
        pairs.users.years[pairs.user],
        min_years=pairs.jobs.min_years[pairs.job],
        max_years=pairs.jobs.max_years[pairs.job],
    )


def _salary(pairs: Pairs) -> Floats:
    return formulas.salary(
        pairs.users.salary_minimum[pairs.user],
        job_min=pairs.jobs.salary_min[pairs.job],
        job_max=pairs.jobs.salary_max[pairs.job],
    )


def _growth(pairs: Pairs) -> Floats:
    known = pairs.users.skills[pairs.rows]
    is_known = known.copy()
    is_known.data = np.ones_like(is_known.data)
    near = is_known @ pairs.skill_graph.adjacent
    near.data = np.ones_like(near.data)
    is_new_and_near = (near - near.multiply(is_known)).tocsr()
    asked = pairs.skill_graph.asked
    n_known = sums_over_terms(asked, pairs.job, is_known)
    n_adjacent = sums_over_terms(asked, pairs.job, is_new_and_near)
    n_asked = np.diff(asked.indptr)[pairs.job]
    has_skills = pairs.users.has_skills[pairs.user]
    n_new = np.where(has_skills & (n_asked > 0), n_asked - n_known, np.nan)
    step = pairs.jobs.level[pairs.job] - pairs.users.level[pairs.user]
    return formulas.growth(step, n_new_adjacent=n_adjacent, n_new=n_new)


def _affinity(pairs: Pairs) -> Floats:
    weighted = pairs.sum_over(pairs.jobs.facets, pairs.signals.affinity)
    confidence = pairs.sum_over(pairs.jobs.facets, pairs.signals.affinity_confidence)
    is_known = confidence > 1e-6
    mean = np.divide(weighted, confidence, out=np.zeros_like(weighted), where=is_known)
    return np.where(is_known, np.clip((mean + 1) / 2, 0, 1), np.nan).astype(np.float32)


def _culture(pairs: Pairs) -> Floats:
    return np.clip(_products(pairs, pairs.signals.culture_users, pairs.signals.of_jobs.culture), 0, 1)


def _content(pairs: Pairs) -> Floats:
    return np.clip(_products(pairs, pairs.signals.content_users, pairs.signals.of_jobs.content), 0, 1)


def _collaborative(pairs: Pairs) -> Floats:
    """A share of the user's greatest score: the best job is 1, and what scores below 0 is 0."""
    best = pairs.of_block.collaborative_best[:, None]
    scores = _products(pairs, pairs.signals.als_users, pairs.signals.of_jobs.als)
    return np.clip(scores / np.where(best > 1e-6, best, 1), 0, 1)


def _products(pairs: Pairs, users: Factors, jobs: Factors) -> Floats:
    """Inner products of the pairs' rows, NaN where the model knows one of the two not."""
    user_is_known = users.is_known[pairs.rows]
    value = np.full(pairs.job.shape, np.nan, dtype=np.float32)
    if user_is_known.all():
        value = dot_pairs(users.rows[pairs.rows], jobs.rows, pairs.job)
    elif user_is_known.any():
        value[user_is_known] = dot_pairs(users.rows[pairs.rows][user_is_known], jobs.rows, pairs.job[user_is_known])
    value[~jobs.is_known[pairs.job]] = np.nan
    return value


def _neighbours(pairs: Pairs) -> Floats:
    return _known_rows(pairs, pairs.of_block.neighbours, slice(None))


def _also_applied(pairs: Pairs) -> Floats:
    return _known_rows(pairs, pairs.signals.also_applied, pairs.rows)


def _known_rows(pairs: Pairs, table: Csr, rows: slice) -> Floats:
    """Entries of users x jobs, 0 where a user has entries but not this one, unknown where a user has none."""
    table = table[rows]
    has_entries = np.diff(table.indptr) > 0
    return np.where(has_entries[:, None], np.clip(lookup(table, pairs.job), 0, 1), np.nan).astype(np.float32)


_FORMULAS: Mapping[str, Callable[[Pairs], Floats]] = {
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
