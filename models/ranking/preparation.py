"""Builds what ranking works on: the job context of a run, and the batches of users. Nothing is fitted or ranked here.

Users who opted out of personalisation get profile signals only: their rows in every other model stay empty.
"""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import (
    NO_ENTRY,
    Bools,
    Csr,
    Floats,
    Ints,
    csr_from_coordinates,
    csr_of_ones,
    csr_rows_or_empty,
    csr_with_columns,
    expand_slices,
    padded_rows,
    positions,
    rank_within,
    rows_or_zeros,
)
from models.fitting.collaborative import ALS, POPULARITY, Collaborative
from models.fitting.job_vectors import JobVectors
from models.fitting.user_knn import UserNeighbours
from models.ranking.context import (
    KIND_APPLIED,
    KIND_SAVED,
    KIND_VIEWED,
    Factors,
    Fitted,
    JobContext,
    SparsePart,
    UserBatch,
)
from models.ranking.diversity import popular_diverse, topic_sketch
from models.ranking.experiments import DEFAULT_ARM, Arm, assign_arms
from models.ranking.interaction_arrays import APPLIED, DISMISSED, LIKED, SAVED, SEEN, InteractionArrays, JobIndex
from models.ranking.job_arrays import JobTable
from models.ranking.population import Population
from models.ranking.retrieval import RETRIEVERS
from models.ranking.retrievers.precomputed import cells_of
from models.ranking.settings import Settings
from models.ranking.user_arrays import UserTable
from models.ranking.vector_index import JobClusters, KnownClusters, VectorIndex, build_index
from models.sort_keys import KeyLayout

HISTORY_ITEMS = 12
APPLIED_ITEMS = 30  # newest applications of a user that also_applied starts from
_SCORE_STEPS = 10_000
_APPLIED_KEY = KeyLayout(pair=44, distance=14, place=5)
_CONTENT_PROBED_JOBS = 1_000  # text vectors lie in tight clusters


@dataclass(frozen=True)
class ModelRows:
    """The row of each user of a population in each model, -1 where the model does not know the user."""

    als: Ints
    collaborative: Ints
    folded_in: Ints
    neighbours: Ints
    vectors: Ints

    def take(self, rows: NDArray[Any]) -> "ModelRows":
        """Those of the users at the given positions."""
        return ModelRows(
            self.als[rows],
            self.collaborative[rows],
            self.folded_in[rows],
            self.neighbours[rows],
            self.vectors[rows],
        )


def model_rows(fitted: Fitted, user_ids: pl.Series) -> ModelRows:
    """The rows of a whole population, looked up at once: no batch builds an index of a million ids again."""
    return ModelRows(
        als=positions(fitted.als.user_ids, user_ids),
        collaborative=positions(fitted.collaborative.user_ids, user_ids),
        folded_in=positions(fitted.folded_in.user_ids, user_ids),
        neighbours=positions(fitted.user_neighbours.user_ids, user_ids),
        vectors=positions(fitted.user_vectors.user_ids, user_ids),
    )


def build_job_context(
    index: JobIndex,
    fitted: Fitted,
    *,
    users: UserTable,
    trending: pl.DataFrame,
    settings: Settings,
    as_of: dt.datetime,
) -> JobContext:
    """Aligns the models with the open jobs and builds the retrievers, once for all batches of the `users`."""
    jobs = index.jobs
    als = align(fitted.als.job_ids, fitted.als.job_factors, jobs.ids)
    vector_row = positions(fitted.job_vectors.job_ids, jobs.ids)
    content = as_factors(rows_or_zeros(fitted.job_vectors.vectors, vector_row))
    asked_skills = jobs.skills.copy()
    asked_skills.data = np.ones_like(asked_skills.data)
    score = jobs.prior_score()
    als_weight = sum(member.weight for member in fitted.collaborative.chosen() if member.model == ALS)
    with ThreadPoolExecutor(settings.n_threads) as pool:  # of what takes a tenth of a second or more
        content_index = pool.submit(_content_index, content.rows, fitted, jobs, exact_jobs=settings.exact_jobs)
        sketch = pool.submit(topic_sketch, content.rows)
        searched = als.rows if als_weight else als.rows[:0]
        als_index = pool.submit(_als_index, searched, fitted, jobs, exact_jobs=settings.exact_jobs)
        sparse_parts = pool.submit(_sparse_parts, fitted.collaborative, jobs)
        interacted = pool.submit(_interacted, fitted.user_neighbours, jobs)
    context = JobContext(
        settings=settings,
        as_of=as_of,
        fitted=fitted,
        jobs=jobs,
        index=index,
        prior_score=score,
        popular_diverse=popular_diverse(score, jobs.company),
        sketch=sketch.result(),
        als=als,
        als_index=als_index.result(),
        als_weight=als_weight,
        sparse_parts=sparse_parts.result(),
        content=content,
        content_index=content_index.result(),
        culture=as_factors(np.pad(fitted.job_vectors.about_vectors, ((0, 1), (0, 0)))),
        culture_rows=_culture_rows(fitted.job_vectors, vector_row),
        interacted=interacted.result(),
        user_links=fitted.user_neighbours.matrix(),
        also_applied_rows=positions(fitted.also_applied.job_ids, index.representatives),
        also_applied_jobs=jobs.rows_of(fitted.also_applied.job_ids),
        vector_rows=positions(fitted.job_vectors.job_ids, index.job_ids),
        asked_skills=asked_skills,
        adjacent_skills=_adjacent_skills(asked_skills),
        jobs_by_tag=jobs.tags.T.tocsr(),
        jobs_by_company=_members(jobs.company, n_groups=len(jobs.vocabularies["company"])),
        jobs_by_company_name=_members(jobs.company_name, n_groups=len(jobs.vocabularies["company_name"])),
        trending=trending,
        user_cells=cells_of(users.latitude, users.longitude).drop_nulls().unique().sort(),
        retrievers={},
    )
    return replace(context, retrievers={name: build(context) for name, build in RETRIEVERS.items()})


def build_user_batch(context: JobContext, people: Population, rows: ModelRows) -> UserBatch:
    """Looks the users up in the models and assigns experiment arms; `rows` are those of `people`."""
    users, interactions, fitted, settings = people.users, people.interactions, context.fitted, context.settings
    consents = users.is_personalised
    history_job, history_kind = _history(interactions, consents)
    also_applied, source = _also_applied(context, interactions, consents)
    has_vector_history = np.append(fitted.user_vectors.has_history, False)[rows.vectors]  # row -1 is the appended False
    summary_rows = np.append(fitted.user_vectors.summary_rows, -1)[rows.vectors]
    als = as_factors(rows_or_zeros(fitted.als.user_factors, rows.als))
    content = as_factors(rows_or_zeros(fitted.user_vectors.vectors, rows.vectors))
    arms = settings.arms or (Arm(DEFAULT_ARM, 1.0, settings.default_recipe),)
    recipes = sorted({arm.recipe for arm in arms})
    arm_of_user = assign_arms(users.ids, salt=settings.salt, arms=arms)
    return UserBatch(
        users=users,
        als=Factors(als.rows, als.is_known & consents),
        sparse_terms=_sparse_terms(context, rows, consents),
        content=Factors(content.rows, content.is_known & (consents | ~has_vector_history)),
        culture=as_factors(rows_or_zeros(fitted.user_vectors.summary_vectors, summary_rows)),
        neighbour_links=csr_rows_or_empty(context.user_links, np.where(consents, rows.neighbours, -1)),
        also_applied=also_applied,
        also_applied_source=source,
        affinity=people.affinity,
        affinity_confidence=people.affinity_confidence,
        history_job=history_job,
        history_kind=history_kind,
        has_history=interactions.has_acted,
        seen=interactions.jobs_with(SEEN, context.index),
        ended=interactions.jobs_with(APPLIED | DISMISSED, context.index),
        finders={name: prepare(people) for name, prepare in context.retrievers.items()},
        arms=arms,
        arm_of_user=arm_of_user,
        recipes=[settings.recipes[name] for name in recipes],
        recipe_of_user=np.array([recipes.index(arm.recipe) for arm in arms], dtype=np.int32)[arm_of_user],
    )


def align(ids: pl.Series, rows: NDArray[Any], wanted: pl.Series) -> Factors:
    """The row of `rows` (one per id) for each wanted id; absent ids and rows of zeros are not known."""
    return as_factors(rows_or_zeros(rows, positions(ids, wanted)))


def as_factors(rows: Floats) -> Factors:
    """The rows as they are; rows of zeros are not known."""
    return Factors(rows=rows, is_known=np.asarray(rows.any(axis=1), dtype=bool))


def _content_index(rows: Floats, fitted: Fitted, jobs: JobTable, *, exact_jobs: int) -> VectorIndex:
    known = _known(fitted.content_clusters, rows, jobs, space=fitted.job_vectors.model)
    return build_index(rows, exact_jobs=exact_jobs, probed_jobs=_CONTENT_PROBED_JOBS, known=known)


def _als_index(rows: Floats, fitted: Fitted, jobs: JobTable, *, exact_jobs: int) -> VectorIndex:
    known = _known(fitted.als_clusters, rows, jobs, space=fitted.als.as_of)
    return build_index(rows, exact_jobs=exact_jobs, known=known)


def _known(clusters: JobClusters | None, rows: Floats, jobs: JobTable, *, space: str) -> KnownClusters | None:
    """What the clusters of the same fit say of these rows, which are of `jobs` if there are any."""
    if clusters is None or clusters.space != space or not len(rows):
        return None
    return clusters.known(rows, jobs.ids)


def _culture_rows(model: JobVectors, vector_row: Ints) -> Ints:
    """The row of the self-description for each row of the model; one after the last for none."""
    rows = np.append(model.about_rows, NO_ENTRY)[vector_row]
    return np.where(rows >= 0, rows, len(model.about_vectors)).astype(np.int32)


def _interacted(model: UserNeighbours, jobs: JobTable) -> Csr:
    """What the users of the model interacted with, of the open jobs."""
    return csr_with_columns(model.history(), jobs.rows_of(model.job_ids), n_columns=jobs.n)


def _sparse_parts(model: Collaborative, jobs: JobTable) -> list[SparsePart]:
    """The sparse members with a column for each open job."""
    column = jobs.rows_of(model.job_ids)
    parts = []
    for member, terms in model.sparse_members():
        aligned = csr_with_columns(model.right[terms], column, n_columns=jobs.n)
        parts.append(SparsePart(member.weight, terms, aligned, is_popularity=member.model == POPULARITY))
    return parts


def _sparse_terms(context: JobContext, rows: ModelRows, consents: Bools) -> list[Csr]:
    """The terms of the users in each sparse member; those who were folded in have theirs from there."""
    if not context.sparse_parts:
        return []
    model, folded_in = context.fitted.collaborative, context.fitted.folded_in
    is_new = rows.folded_in >= 0
    terms = csr_rows_or_empty(model.left, np.where(consents & ~is_new, rows.collaborative, -1))
    if is_new.any():
        terms = (terms + csr_rows_or_empty(folded_in.left, np.where(consents, rows.folded_in, -1))).tocsr()
    return [terms[:, part.terms] for part in context.sparse_parts]


def _history(interactions: InteractionArrays, consents: Bools) -> tuple[Ints, Ints]:
    """The first HISTORY_ITEMS jobs of each consenting user and their kinds, (U, H): applied before saved before
    viewed, the newest first."""
    events, user = interactions.events, interactions.user
    kind = np.select(
        [(events & APPLIED) > 0, (events & SAVED) > 0, (events & (SEEN | LIKED)) > 0],
        [KIND_APPLIED, KIND_SAVED, KIND_VIEWED],
        -1,
    )
    kept = np.flatnonzero((kind >= 0) & ((events & DISMISSED) == 0) & consents[user])
    # Rows come newest first: a stable sort by user and kind keeps that order within both.
    kept = kept[np.argsort(user[kept].astype(np.int64) * 4 + kind[kept], kind="stable")]
    job, kind = interactions.job[kept], kind[kept].astype(np.int32)
    n_rows = len(consents)
    return (
        padded_rows(user[kept], job, n_rows=n_rows, width=HISTORY_ITEMS),
        padded_rows(user[kept], kind, n_rows=n_rows, width=HISTORY_ITEMS),
    )


def _also_applied(context: JobContext, interactions: InteractionArrays, consents: Bools) -> tuple[Csr, Csr]:
    """Per user and job the largest score to one of the user's newest applications, and that application."""
    model, n_jobs, events, every = context.fitted.also_applied, context.jobs.n, interactions.events, interactions.user
    kept = np.flatnonzero(((events & APPLIED) > 0) & ((events & DISMISSED) == 0) & consents[every])
    user, applied = every[kept], interactions.job[kept]
    place = rank_within(user)
    applied_job = padded_rows(user, applied, n_rows=len(consents), width=APPLIED_ITEMS)
    row = context.also_applied_rows[applied]
    usable = (place < APPLIED_ITEMS) & (row >= 0)
    user, place, row = user[usable], place[usable], row[usable]
    pair, position = expand_slices(model.indptr[row], np.diff(model.indptr)[row])
    column = context.also_applied_jobs[model.indices[position]].astype(np.int64)
    step = np.rint(np.clip(model.scores[position].astype(np.float64), 0, 1) * _SCORE_STEPS).astype(np.int64)
    shown = (column >= 0) & (step > 0)
    # Sorted keys: the first of each pair of user and job has the largest score.
    user_job = user[pair[shown]].astype(np.int64) * n_jobs + column[shown]
    key = np.sort(_APPLIED_KEY.pack(pair=user_job, distance=_SCORE_STEPS - step[shown], place=place[pair[shown]]))
    user_job = _APPLIED_KEY.unpack(key, "pair")
    is_first = np.diff(user_job, prepend=-1) > 0
    key, user_job = key[is_first], user_job[is_first]
    rows, columns = np.divmod(user_job, max(n_jobs, 1))
    scores = (_SCORE_STEPS - _APPLIED_KEY.unpack(key, "distance")) / _SCORE_STEPS
    source = 1 + applied_job[rows, _APPLIED_KEY.unpack(key, "place")]
    shape = (len(consents), n_jobs)
    return (
        csr_from_coordinates(rows, columns, scores, shape=shape),
        csr_from_coordinates(rows, columns, source, shape=shape),
    )


def _adjacent_skills(asked: Csr, *, most: int = 10) -> Csr:
    """Each skill's `most` closest by the cosine of being asked for together: skills x skills of ones."""
    together = (asked.T @ asked).tocsr()
    together.setdiag(0)
    together.eliminate_zeros()
    together.sort_indices()
    count = np.maximum(np.asarray(asked.sum(axis=0)).ravel(), 1)
    rows, _ = expand_slices(together.indptr[:-1], np.diff(together.indptr))
    cosine = together.data / np.sqrt(count[rows] * count[together.indices])
    order = np.lexsort((together.indices, -cosine, rows))
    kept = order[rank_within(rows[order]) < most]
    return csr_of_ones(rows[kept].astype(np.int32), together.indices[kept], shape=together.shape)


def _members(group: Ints, *, n_groups: int) -> Csr:
    return csr_of_ones(group, np.arange(len(group), dtype=np.int32), shape=(n_groups, len(group)))
