"""Loads what ranking takes from configuration, lake tables and trained models. It computes no scores."""

import datetime as dt
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.config.loading import Config
from assets.config.ranking import AUTO
from assets.io import NotTrainedError
from assets.lake import Lake
from assets.learning.store import load_registry
from assets.resources import Workspace
from assets.training.embedding_switch import require_one_space
from assets.user_rows import rows_of, rows_of_users
from features.hashing import shard_of, stable_hash
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import (
    JOB_FEATURES,
    PREFERENCE_DIMENSIONS,
    PREFERENCES,
    SKILL_WEIGHTS,
    TRENDING,
    USER_PROFILES,
)
from models.arrays import widened
from models.fitting.als import AlsModel
from models.fitting.collaborative import Collaborative, fold_in_history
from models.fitting.item_knn import JobNeighbours
from models.fitting.job_vectors import JobVectors
from models.fitting.user_knn import UserNeighbours
from models.fitting.user_vectors import UserVectors
from models.learning.registry import LEARNED
from models.ranking.context import Fitted
from models.ranking.experiments import Arm
from models.ranking.interaction_arrays import JobIndex, counts_for_ranking, is_acted
from models.ranking.job_arrays import JobTable, encode_jobs
from models.ranking.population import Population, encode_population, join_populations
from models.ranking.settings import CompanyCap, Limits, Recipe, Settings
from models.ranking.vector_index import JobClusters

# More candidates than items: the last ranks are still chosen among several jobs.
_MIN_CANDIDATES_PER_ITEM = 1.5
CHUNK_USERS = 50_000
_SHARD_SALT = "shard"
_JOB_COLUMNS = (
    "job_id", "status", "duplicate_of", "title", "company", "company_id", "city", "region", "country", "latitude",
    "longitude", "locations", "work_format", "experience_min_years", "experience_max_years", "career_level",
    "salary_monthly_usd_min", "salary_monthly_usd_max", "skills", "tags", "professional_roles",
)  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """The lake tables that ranking reads."""

    jobs: pl.LazyFrame
    interactions: pl.LazyFrame
    profiles: pl.LazyFrame
    job_features: pl.LazyFrame
    skill_weights: pl.LazyFrame
    preferences: pl.LazyFrame
    trending: pl.LazyFrame
    lake: Lake | None = None  # that they are the tables of, as they are stored


def lake_tables(lake: Lake) -> Tables:
    """The tables of the lake."""
    return Tables(
        jobs=lake.scan("catalog", JOBS),
        interactions=lake.scan("catalog", INTERACTIONS),
        profiles=lake.scan("features", USER_PROFILES),
        job_features=lake.scan("features", JOB_FEATURES),
        skill_weights=lake.scan("features", SKILL_WEIGHTS),
        preferences=_learned(lake.scan("features", PREFERENCES)),
        trending=lake.scan("features", TRENDING),
        lake=lake,
    )


def clusters_path(models: Path, of: str) -> Path:
    """Where the clusters of jobs lie that ranking searches by their factors or texts ("als", "content")."""
    return models / "ranking" / f"{of}_clusters.npz"


def load_fitted(models: Path, *, with_clusters: bool = False) -> Fitted:
    """The models of the folder. Raises NotTrainedError, OtherSpaceError.

    `with_clusters`: with those of the last run for all users, which other runs search too.
    """
    folder = models / "training"
    for name in ("collaborative", "als", "also_applied", "user_neighbours", "job_vectors", "user_vectors"):
        if not (folder / f"{name}.npz").is_file():
            raise NotTrainedError(folder / f"{name}.npz")
    with ThreadPoolExecutor(1) as pool:
        largest = pool.submit(UserVectors.load, folder / "user_vectors.npz")  # as large as the others together
        als = AlsModel.load(folder / "als.npz")
        collaborative = Collaborative.load(folder / "collaborative.npz")
        also_applied = JobNeighbours.load(folder / "also_applied.npz")
        user_neighbours = UserNeighbours.load(folder / "user_neighbours.npz")
        job_vectors = JobVectors.load(folder / "job_vectors.npz")
    job_vectors, user_vectors = in_one_space(job_vectors, largest.result())
    return Fitted(
        als=als,
        collaborative=collaborative,
        folded_in=fold_in_history(collaborative, []),
        also_applied=also_applied,
        user_neighbours=user_neighbours,
        job_vectors=job_vectors,
        user_vectors=user_vectors,
        als_clusters=_clusters(clusters_path(models, "als")) if with_clusters else None,
        content_clusters=_clusters(clusters_path(models, "content")) if with_clusters else None,
    )


def load_job_vectors(models: Path) -> JobVectors:
    """The vectors of jobs alone. Raises NotTrainedError."""
    path = models / "training" / "job_vectors.npz"
    if not path.is_file():
        raise NotTrainedError(path)
    return JobVectors.load(path)


def _clusters(path: Path) -> JobClusters | None:
    return JobClusters.load(path) if path.is_file() else None


def in_one_space(jobs: JobVectors, users: UserVectors) -> tuple[JobVectors, UserVectors]:
    """Both with equally many dimensions: a side without any vector has none of its own. Raises OtherSpaceError."""
    require_one_space(jobs.model, users.model, "training/user_vectors")
    rows = (jobs.vectors, jobs.about_vectors, users.vectors, users.summary_vectors)
    vectors, abouts, of_users, summaries = (widened(one, max(other.shape[1] for other in rows)) for one in rows)
    return (
        replace(jobs, vectors=vectors, about_vectors=abouts),
        replace(users, vectors=of_users, summary_vectors=summaries),
    )


def served_settings(workspace: Workspace, *, n_threads: int | None = None) -> Settings:
    """The settings that the stored feeds are ranked by."""
    return ranking_settings(
        workspace.config, learned=load_registry(workspace.models).served_recipe, n_threads=n_threads
    )


def ranking_settings(config: Config, *, learned: Recipe | None = None, n_threads: int | None = None) -> Settings:
    """`ranking.yaml` and the pipeline's seed as the ranking functions' settings; threads by default one per core.

    Without a `learned` recipe the configured one ranks where `ranking.yaml` names `learned` or `auto`.
    """
    ranking = config.ranking
    recipes = {name: Recipe(name=name, **recipe.model_dump()) for name, recipe in ranking.recipes.items()}
    recipes |= {LEARNED: learned} if learned is not None else {}
    default = ranking.default_recipe if ranking.default_recipe in recipes else ranking.configured_recipe
    if ranking.default_recipe == AUTO and learned is not None:
        default = LEARNED
    retrieval = ranking.retrieval.model_dump()
    cap, exact_jobs = retrieval.pop("cap"), retrieval.pop("exact_jobs")
    experiment = ranking.experiment
    return Settings(
        recipes=recipes,
        default_recipe=default,
        limits=Limits(
            per_retriever=retrieval, cap=cap, least=min(cap, int(_MIN_CANDIDATES_PER_ITEM * ranking.feed_items))
        ),
        company_cap=CompanyCap(most=ranking.company_cap, top=ranking.company_cap_top),
        feed_items=ranking.feed_items,
        component_items=ranking.component_items,
        arms=tuple(
            Arm(arm.name, arm.share, arm.recipe if arm.recipe in recipes else default)
            for arm in (experiment.arms if experiment else ())
        ),
        salt=experiment.salt if experiment else "",
        seed=config.pipeline.seed,
        exact_jobs=exact_jobs,
        reached_users=ranking.reached_users,
        n_threads=n_threads or os.cpu_count() or 1,
    )


def encoded_jobs(
    jobs: pl.LazyFrame,
    *,
    job_features: pl.LazyFrame,
    skill_weights: pl.LazyFrame,
    preferences: pl.LazyFrame,
    as_of: dt.datetime,
) -> JobTable:
    """The jobs that are open at `as_of`: a run between two catalogs must not show jobs that have expired since."""
    has_ended = (pl.col("expires_at") <= as_of).fill_null(value=False) | (pl.col("closed_at") <= as_of).fill_null(
        value=False
    )
    status = pl.when((pl.col("status") == "open") & has_ended).then(pl.lit("expired")).otherwise("status")
    return encode_jobs(
        jobs.with_columns(status=status).select(_JOB_COLUMNS).collect(),
        job_features=job_features.collect(),
        skill_weights=skill_weights.collect(),
        preference_values=preferences.select("dimension", "value").unique().collect(engine="streaming"),
    )


def users_to_rank(tables: Tables) -> pl.Series:
    """The sorted ids of the users who get a feed: all with a profile or an interaction beyond impressions."""
    acted = tables.interactions.filter(is_acted()).select("user_id").unique()
    with_profile = tables.profiles.filter("has_profile").select("user_id")
    return pl.concat([acted, with_profile]).unique().collect(engine="streaming")["user_id"].sort()


def shards_of_users(user_ids: pl.Series, n_shards: int) -> NDArray[np.int32]:
    """The shard of each user."""
    return shard_of(stable_hash(user_ids, _SHARD_SALT), n_shards)


def of_users(tables: Tables, user_ids: pl.Series) -> Tables:
    """The tables with the rows of these users (sorted) only, in memory: they are then read once."""
    if tables.lake is not None:
        return replace(
            tables,
            interactions=rows_of(tables.lake, "catalog", INTERACTIONS, user_ids).lazy(),
            profiles=rows_of(tables.lake, "features", USER_PROFILES, user_ids).lazy(),
            preferences=_learned(rows_of(tables.lake, "features", PREFERENCES, user_ids).lazy()),
        )
    return replace(
        tables,
        interactions=rows_of_users(user_ids, tables.interactions).collect().lazy(),
        profiles=rows_of_users(user_ids, tables.profiles).collect().lazy(),
        preferences=rows_of_users(user_ids, tables.preferences).collect().lazy(),
    )


def _learned(preferences: pl.LazyFrame) -> pl.LazyFrame:
    """Without tolerances."""
    return preferences.filter(pl.col("dimension").is_in(PREFERENCE_DIMENSIONS))


def load_population(
    tables: Tables, user_ids: pl.Series, *, index: JobIndex, chunk_users: int = CHUNK_USERS
) -> Population:
    """The users of `user_ids` (sorted, distinct) as arrays, chunk by chunk: the tables are sorted by user too, so that
    each chunk reads only its part."""
    parts = []
    for start in range(0, max(len(user_ids), 1), chunk_users):
        chunk = user_ids.slice(start, chunk_users)
        profiles = rows_of_users(chunk, tables.profiles).collect()
        parts.append(
            encode_population(
                pl.DataFrame({"user_id": chunk}).join(profiles, on="user_id", how="left"),
                interactions=rows_of_users(chunk, tables.interactions).filter(counts_for_ranking()).collect(),
                preferences=rows_of_users(chunk, tables.preferences).collect(),
                index=index,
            )
        )
    return join_populations(parts)
