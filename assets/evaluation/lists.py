"""The lists that are judged: those of every recipe by the real ranking, and those of plain baselines.

All are rows of the open jobs at the cut; jobs that a user knew before are never listed.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from assets.ranking.inputs import Tables
from assets.ranking.shards import RankingRun
from assets.training.inputs import consented, representatives
from features.schemas.catalog import DAILY_INTERACTIONS
from models.arrays import Csr, Doubles, Ints, Longs, positions
from models.evaluation.judging import LIST_LENGTH
from models.evaluation.recommenders import (
    Recommender,
    Restricted,
    als_recommender,
    content_recommender,
    recommend,
    recommender_of,
    same_for_all,
)
from models.fitting.als import AlsModel, AlsSettings, fit_als
from models.fitting.collaborative import ITEM_KNN, LINEAR_ITEMS, MODELS, USER_KNN
from models.fitting.weights import WINDOW_HALF_LIVES, WeightMatrix, decayed_weights
from models.ranking.fallback import fallback_feeds
from models.ranking.stages import RecipeLists, feed_sources, rank_by_recipe
from serving.contract.tables import GLOBAL_AREA

_BATCH_USERS = 2_048
_MODELS = {"item-kNN": ITEM_KNN, "user-kNN": USER_KNN, "linear items": LINEAR_ITEMS}


@dataclass(frozen=True)
class Listed:
    """One list per user, (U, LIST_LENGTH) rows of the open jobs, -1 padded; `score` only if it is a match score."""

    job: Ints
    score: Doubles | None = None


def recipe_lists(run: RankingRun, users: Longs, known: Csr) -> dict[str, Listed]:
    """The list of every recipe for the users at the given positions of the run.

    `known` (users x jobs) joins the forbidden jobs: a reader who leaves out what was seen. Users with neither profile
    nor history get the fallback feed, as unknown users do.
    """
    recipes = list(run.context.settings.recipes.values())

    def rank(start: int) -> Mapping[str, RecipeLists]:
        rows = slice(start, start + _BATCH_USERS)
        batch = replace(run.batch(users[rows]), ended=known[rows])
        lists = rank_by_recipe(run.context, batch, recipes)
        is_unknown = feed_sources(batch) < 0
        for of_recipe in lists.values():
            of_recipe.job[is_unknown], of_recipe.score[is_unknown] = fallback.job, fallback.score
        return lists

    fallback = _fallback(run)
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(run.context.settings.n_threads) as pool:
        parts = list(pool.map(rank, range(0, len(users), _BATCH_USERS)))
    return {
        recipe.name: Listed(
            np.concatenate([part[recipe.name].job[:, :LIST_LENGTH] for part in parts]),
            np.concatenate([part[recipe.name].score[:, :LIST_LENGTH] for part in parts]),
        )
        for recipe in recipes
    }


def baseline_lists(
    run: RankingRun, users: Longs, known: Csr, *, weights: WeightMatrix, n_users_of_job: Longs, als: AlsSettings
) -> dict[str, Listed]:
    """The lists of the baselines, from `weights` of all users and from what the pipeline fitted.

    ALS is fitted here, by `als`, where the pipeline chose another model.
    """
    jobs, fitted, context = run.context.jobs, run.context.fitted, run.context
    lists = {
        "popularity": Listed(same_for_all(n_users_of_job.astype(np.float32), known, k=LIST_LENGTH)),
        "recency": Listed(same_for_all(-jobs.age_days, known, k=LIST_LENGTH)),
    }
    recommenders: dict[str, Callable[[], Recommender]] = {
        **{name: partial(_registered, model, weights, run) for name, model in _MODELS.items()},
        "ALS": lambda: als_recommender(_als(run, weights, als), job_ids=jobs.ids),
        "content": lambda: content_recommender(fitted.user_vectors, jobs.ids, context.content.rows),
    }
    user_ids = run.population.users.ids.gather(users)
    excluded = _pairs(known, user_ids, jobs.ids)

    def make(build: Callable[[], Recommender]) -> Listed:
        found = recommend(build(), user_ids, k=LIST_LENGTH, excluded=excluded)
        return Listed(_as_rows(found, user_ids, jobs.ids))

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(context.settings.n_threads) as pool:
        made = list(pool.map(make, recommenders.values()))
    return lists | dict(zip(recommenders, made, strict=True))


def training_weights(tables: Tables, daily: pl.LazyFrame, run: RankingRun) -> WeightMatrix:
    """The interaction weights that ALS was fitted on."""
    half_life_days = run.context.fitted.als.half_life_days
    return decayed_weights(
        consented(daily.select(list(DAILY_INTERACTIONS.columns)), tables.profiles),
        as_of=run.context.as_of,
        half_life_days=half_life_days,
        days=WINDOW_HALF_LIVES * half_life_days,
        representatives=representatives(tables.jobs),
    )


def _als(run: RankingRun, weights: WeightMatrix, settings: AlsSettings) -> AlsModel:
    fitted = run.context.fitted.als
    if not fitted.user_ids.is_empty():
        return fitted
    return fit_als(weights, settings=settings, as_of=fitted.as_of, seed=run.context.settings.seed)


def _registered(model: str, weights: WeightMatrix, run: RankingRun) -> Recommender:
    """A collaborative model with its default settings, for the open jobs."""
    kind, settings = MODELS[model], run.context.settings
    fitted = kind.fit(weights, kind.settings(), settings.seed, settings.n_threads)
    return Restricted(recommender_of(fitted), run.context.jobs.ids)


def _fallback(run: RankingRun) -> RecipeLists:
    """The fallback feed of all segments as one row of jobs and scores."""
    context = run.context
    feeds = fallback_feeds(context.jobs, context.sketch, context.settings)
    items = feeds.filter(pl.col("segment") == GLOBAL_AREA).select("items").explode("items").unnest("items")
    job, score = context.jobs.rows_of(items["job_id"]), items["score"].cast(pl.Float64).to_numpy()
    return RecipeLists.joined([RecipeLists(job[None, :], score[None, :])], width=context.settings.feed_items)


def _pairs(table: Csr, user_ids: pl.Series, job_ids: pl.Series) -> pl.DataFrame:
    coordinates = table.tocoo()
    return pl.DataFrame({"user_id": user_ids.gather(coordinates.row), "job_id": job_ids.gather(coordinates.col)})


def _as_rows(lists: pl.DataFrame, user_ids: pl.Series, job_ids: pl.Series) -> Ints:
    """LISTS as rows of jobs."""
    rows = np.full((len(user_ids), LIST_LENGTH), -1, dtype=np.int32)
    rows[positions(user_ids, lists["user_id"]), lists["rank"].to_numpy() - 1] = positions(job_ids, lists["job_id"])
    return rows
