"""What ranking works on: the job side of a run, a batch of users, a block of the batch, and pairs of the block.

Only data and look-ups. models.ranking.preparation builds a run and its batches; models.ranking.stages ranks them.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.components import haversine_km
from models.arrays import Bools, Csr, Doubles, Floats, Ints, Longs
from models.fitting.als import AlsModel
from models.fitting.collaborative import Collaborative, FoldedIn
from models.fitting.item_knn import JobNeighbours
from models.fitting.job_vectors import JobVectors
from models.fitting.user_knn import UserNeighbours
from models.fitting.user_vectors import UserVectors
from models.kernels.sparse_rows import lookup, sums_over_terms
from models.ranking.experiments import Arm
from models.ranking.interaction_arrays import JobIndex
from models.ranking.job_arrays import JobTable
from models.ranking.job_places import JobPlaces, PlacesOfPairs
from models.ranking.population import Population
from models.ranking.settings import Recipe, Settings
from models.ranking.user_arrays import UserTable
from models.ranking.vector_index import JobClusters, VectorIndex

_Array = TypeVar("_Array", bound=NDArray[Any])
# Kinds of history, strongest first. The kind decides which reason a similar job gets.
KIND_APPLIED, KIND_SAVED, KIND_VIEWED = 0, 1, 2

# A retriever is built once per run, prepared once per batch of users, and then asked for `k` jobs per user of a block:
# (B, k) rows of the JobTable, best first, padded with -1, none of them forbidden.
Find = Callable[["UserBlock", int], Ints]
ForUsers = Callable[[Population], Find]
Retriever = Callable[["JobContext"], ForUsers]


@dataclass(frozen=True)
class Fitted:
    """The fitted models as they were trained; `folded_in` has the users of `collaborative` who acted since."""

    als: AlsModel
    collaborative: Collaborative
    folded_in: FoldedIn
    also_applied: JobNeighbours
    user_neighbours: UserNeighbours
    job_vectors: JobVectors
    user_vectors: UserVectors
    als_clusters: JobClusters | None = None
    content_clusters: JobClusters | None = None


@dataclass(frozen=True)
class Factors:
    """Rows (n, d) of a fitted matrix, of jobs, users or texts, and which of them the model knows; others are zeros."""

    rows: Floats
    is_known: Bools


@dataclass(frozen=True)
class SparsePart:
    """A sparse member of the chosen collaborative model: what it says of the open jobs by `terms` of the model."""

    weight: float
    terms: slice
    right: Csr  # terms x jobs
    is_popularity: bool  # the same scores for all users


@dataclass(frozen=True)
class JobContext:
    """The job side of a run, the same for all batches: open jobs as arrays and all that is derived from them once."""

    settings: Settings
    as_of: dt.datetime
    fitted: Fitted
    jobs: JobTable
    index: JobIndex
    prior_score: Floats  # in [0, 1]: how good a job is for any user
    popular_diverse: Ints  # all jobs by prior score, the fourth and later jobs of a company last
    sketch: Floats  # job vectors shortened for comparisons
    als: Factors
    als_index: VectorIndex
    als_weight: float  # of ALS in the chosen collaborative model
    sparse_parts: Sequence[SparsePart]
    content: Factors
    content_index: VectorIndex
    culture: Factors  # a row per self-description of a company, and a last one that is not known
    culture_rows: Ints  # the row of each job, the last one for none
    interacted: Csr  # users of the neighbours model x jobs
    user_links: Csr  # users x users of the neighbours model
    also_applied_rows: Ints  # of the index's jobs in the also_applied model
    also_applied_jobs: Ints  # the row of the JobTable for each job of that model
    vector_rows: Ints  # of the index's jobs in the model of job vectors
    asked_skills: Csr  # jobs x skills of ones
    adjacent_skills: Csr  # skills x skills of ones: skills that jobs often ask for together
    jobs_by_tag: Csr
    jobs_by_company: Csr
    jobs_by_company_name: Csr
    trending: pl.DataFrame  # schema TRENDING
    user_cells: pl.Series  # distinct map cells of the run's users
    retrievers: Mapping[str, ForUsers]


@dataclass(frozen=True)
class UserBatch:
    """A shard of users: profiles, what the models know of them, and their recipes. Matrices have a row per user."""

    users: UserTable
    als: Factors
    sparse_terms: Sequence[Csr]  # columns: the terms of each of the context's sparse parts
    content: Factors
    culture: Factors
    neighbour_links: Csr  # columns: users of the neighbours model
    also_applied: Csr  # columns: jobs; the score of the most related job that the user applied to
    also_applied_source: Csr  # that job: 1 + position in the job index
    affinity: Csr  # columns: preference features; affinity times confidence
    affinity_confidence: Csr
    history_job: Ints  # (U, H) positions in the job index, -1 padded, strongest and newest first
    history_kind: Ints
    has_history: Bools
    seen: Csr  # columns: jobs
    ended: Csr  # columns: jobs that the user applied to or dismissed
    finders: Mapping[str, Find]
    arms: Sequence[Arm]
    arm_of_user: Ints
    recipes: Sequence[Recipe]
    recipe_of_user: Ints


@dataclass(frozen=True)
class CollaborativeScores:
    """The chosen collaborative model over a block: the best allowed jobs, and what shares of scores are computed from.

    A member's share is its score by the user's greatest one, forbidden jobs included; `greatest` (B,) is the greatest
    weighted sum of the shares of all members.
    """

    jobs: Ints
    als_greatest: Floats  # (B,)
    sparse_shares: Sequence[Csr]  # (B, J) each
    greatest: Floats


@dataclass(frozen=True)
class UserBlock:
    """A slice of a batch that is ranked at once, with what both retrieval and scoring read."""

    context: JobContext
    batch: UserBatch
    rows: slice
    forbidden: Csr  # (B, J) of ones
    collaborative: CollaborativeScores
    neighbour_shares: Csr  # (B, J) interactions of similar users as a share of the user's best

    @property
    def recipe_of_row(self) -> Ints:
        return self.batch.recipe_of_user[self.rows]

    def by_recipe(self, values: Sequence[float]) -> Floats:
        """The value of each user's recipe, (B,), from one value per recipe of the batch."""
        return np.array(values, dtype=np.float32)[self.recipe_of_row]


class CandidatePairs:
    """A block of users against `job` (B, C): rows of the JobTable. Padding (-1) is replaced by the first job."""

    def __init__(self, block: UserBlock, job: Ints) -> None:
        self.block, self.context, self.batch, self.rows = block, block.context, block.batch, block.rows
        self.jobs: JobTable = block.context.jobs
        self.users: UserTable = block.batch.users
        self.job = np.maximum(job, 0)
        self.user: Longs = np.arange(block.rows.start, block.rows.stop)[:, None]

    def at(self, place: Longs | Ints) -> "CandidatePairs":
        """The same block against the columns `place` (B, n) of each row.

        What is known of the places of all these pairs is not computed again.
        """
        chosen = CandidatePairs(self.block, np.take_along_axis(self.job, place, axis=1))
        for name in ("distance_km", "is_same_city", "is_same_country"):
            if name in self.__dict__:
                chosen.__dict__[name] = np.take_along_axis(self.__dict__[name], place, axis=1)
        return chosen

    @cached_property
    def distance_km(self) -> Floats:
        """To the nearest place of the job; NaN where the user or all places have no coordinates."""
        km = _distance_km(self.users, self.user, self.jobs, self.job)
        return self._with_further_places(km, _distance_km, np.fmin)

    @cached_property
    def is_same_city(self) -> Bools:
        """Any place of the same name that is not known to lie abroad: London is in Britain and in Canada."""
        is_same = _is_same_city(self.users, self.user, self.jobs, self.job)
        return self._with_further_places(is_same, _is_same_city, np.logical_or)

    @cached_property
    def is_same_country(self) -> Floats:
        """1 if any place of the job is in the user's country, 0 if none is, NaN where either is unknown."""
        is_same = _is_same_country(self.users, self.user, self.jobs, self.job)
        return self._with_further_places(is_same, _is_same_country, np.fmax)

    @cached_property
    def _further_places(self) -> PlacesOfPairs:
        return self.jobs.further_places.of_pairs(self.job)

    def _with_further_places(self, value: _Array, of_places: Callable[..., Any], best: np.ufunc) -> _Array:
        """`value` (B, C), which is that of the first place of each job, by the best of all places."""
        found = self._further_places
        if len(found.place):
            user = self.user[np.repeat(found.row, found.n_places), 0]
            further = best.reduceat(of_places(self.users, user, self.jobs.further_places, found.place), found.first)
            value[found.row, found.column] = best(value[found.row, found.column], further)
        return value

    def lookup(self, table: Csr) -> Floats:
        """The entry of a CSR matrix users x jobs for each pair, 0 without one."""
        return lookup(table, self.job, self.rows)

    def sum_over(self, job_terms: Csr, user_terms: Csr) -> Doubles:
        """Per pair the sum of job value * user value over the job's terms; `user_terms` is users x terms."""
        return sums_over_terms(job_terms, self.job, user_terms, self.rows)


def _distance_km(users: UserTable, user: Longs, places: JobTable | JobPlaces, place: Ints | Longs) -> Floats:
    return haversine_km(users.latitude[user], users.longitude[user], places.latitude[place], places.longitude[place])


def _is_same_city(users: UserTable, user: Longs, places: JobTable | JobPlaces, place: Ints | Longs) -> Bools:
    city, country, of_place = users.city[user], users.country[user], places.country[place]
    is_abroad = (country >= 0) & (of_place >= 0) & (country != of_place)
    return np.asarray((city == places.city[place]) & (city >= 0) & ~is_abroad)


def _is_same_country(users: UserTable, user: Longs, places: JobTable | JobPlaces, place: Ints | Longs) -> Floats:
    country, of_place = users.country[user], places.country[place]
    return np.where((country < 0) | (of_place < 0), np.nan, country == of_place).astype(np.float32)
