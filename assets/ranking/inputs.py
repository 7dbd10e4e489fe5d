"""From configuration and lake tables to what the ranking functions take. No arithmetic, no judgement."""

import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.config import Config
from assets.lake import Lake
from features.hashing import shard_of, stable_hash
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import JOB_FEATURES, PREFERENCES, SKILL_WEIGHTS, TRENDING, USER_PROFILES
from models.fitting.als import AlsModel
from models.fitting.neighbours import JobNeighbours, UserNeighbours
from models.fitting.vectors import JobVectors, UserVectors
from models.ranking.diversity import CompanyCap
from models.ranking.experiments import Arm
from models.ranking.interaction_arrays import is_acted
from models.ranking.job_arrays import JobTable, encode_jobs
from models.ranking.retrieval import Limits
from models.ranking.scoring import Recipe
from models.ranking.signals import Fitted
from models.ranking.stages import Settings

# More candidates than items, so that the last ranks are still chosen and not merely what is left.
_LEAST_CANDIDATES_PER_ITEM = 1.5
_SHARD_SALT = "shard"
_JOB_COLUMNS = (
    "job_id", "status", "duplicate_of", "title", "company", "company_id", "city", "country", "latitude", "longitude",
    "work_format", "experience_min_years", "experience_max_years", "career_level", "salary_monthly_usd_min",
    "salary_monthly_usd_max", "skills", "tags", "professional_roles",
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


def lake_tables(lake: Lake) -> Tables:
    """The tables as they lie in the lake."""
    return Tables(
        jobs=lake.scan("catalog", JOBS),
        interactions=lake.scan("catalog", INTERACTIONS),
        profiles=lake.scan("features", USER_PROFILES),
        job_features=lake.scan("features", JOB_FEATURES),
        skill_weights=lake.scan("features", SKILL_WEIGHTS),
        preferences=lake.scan("features", PREFERENCES),
        trending=lake.scan("features", TRENDING),
    )


def load_fitted(models: Path) -> Fitted:
    """The models as they lie in the folder; FileNotFoundError before they were trained."""
    folder = models / "training"
    return Fitted(
        als=AlsModel.load(folder / "als.npz"),
        also_applied=JobNeighbours.load(folder / "also_applied.npz"),
        user_neighbours=UserNeighbours.load(folder / "user_neighbours.npz"),
        job_vectors=JobVectors.load(folder / "job_vectors.npz"),
        user_vectors=UserVectors.load(folder / "user_vectors.npz"),
    )


def ranking_settings(config: Config, *, n_threads: int | None = None) -> Settings:
    """`ranking.yaml` and the pipeline's seed as the ranking functions' settings; threads by default one per core."""
    ranking = config.ranking
    retrieval = ranking.retrieval.model_dump()
    cap, exact_jobs = retrieval.pop("cap"), retrieval.pop("exact_jobs")
    experiment = ranking.experiment
    return Settings(
        recipes={name: Recipe(name=name, **recipe.model_dump()) for name, recipe in ranking.recipes.items()},
        default_recipe=ranking.default_recipe,
        limits=Limits(
            per_retriever=retrieval, cap=cap, least=min(cap, int(_LEAST_CANDIDATES_PER_ITEM * ranking.feed_items))
        ),
        company_cap=CompanyCap(most=ranking.company_cap, top=ranking.company_cap_top),
        feed_items=ranking.feed_items,
        component_items=ranking.component_items,
        arms=tuple(Arm(arm.name, arm.share, arm.recipe) for arm in experiment.arms) if experiment else (),
        salt=experiment.salt if experiment else "",
        seed=config.pipeline.seed,
        exact_jobs=exact_jobs,
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
    """The jobs to show at `as_of`: a run between two catalogs must not show what has expired since."""
    has_ended = (pl.col("expires_at") <= as_of).fill_null(value=False) | (pl.col("closed_at") <= as_of).fill_null(
        value=False
    )
    status = pl.when((pl.col("status") == "open") & has_ended).then(pl.lit("expired")).otherwise("status")
    return encode_jobs(
        jobs.with_columns(status=status).select(_JOB_COLUMNS).collect(),
        job_features=job_features.collect(),
        skill_weights=skill_weights.collect(),
        facet_values=preferences.select("dimension", "value").unique().collect(engine="streaming"),
    )


def users_to_rank(tables: Tables) -> pl.Series:
    """Who gets a feed, sorted user_ids: all with a profile or an act beyond impressions."""
    acted = tables.interactions.filter(is_acted()).select("user_id").unique()
    with_profile = tables.profiles.filter("has_profile").select("user_id")
    return pl.concat([acted, with_profile]).unique().collect(engine="streaming")["user_id"].sort()


def shards_of_users(user_ids: pl.Series, n_shards: int) -> NDArray[np.int32]:
    """Which of the shards each user belongs to."""
    return shard_of(stable_hash(user_ids, _SHARD_SALT), n_shards)
