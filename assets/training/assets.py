"""The fitted models as assets: embeddings, vectors, factors, neighbours, similar jobs. Their meaning is in `models`."""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl

from assets.declare import counts_and_seconds, table_asset
from assets.io import StoredTable
from assets.plots import bar_chart
from assets.resources import RunClock, Workspace
from assets.training.embedding_store import PERSONAL, SHARED, keep_embeddings
from assets.training.inputs import (
    applications,
    consented,
    representatives,
    texts_of_jobs,
    texts_of_users,
)
from assets.training.tuning import als_settings
from assets.training.warm_start import warm_start
from features.schemas.training import TEXT_EMBEDDINGS
from models.fitting.als import AlsModel, fit_als
from models.fitting.embeddings import load_embedder, model_identity, text_vectors
from models.fitting.neighbours import JobNeighbours, UserNeighbours, fit_also_applied, fit_user_neighbours
from models.fitting.similar_jobs import similar_jobs
from models.fitting.texts import commonest_texts, distinct_texts, shared_texts
from models.fitting.vectors import (
    HISTORY_DAYS,
    JobVectors,
    UserVectors,
    build_job_vectors,
    build_user_vectors,
    event_weights,
)
from models.fitting.weights import WINDOW_HALF_LIVES, WeightMatrix, decayed_weights

_JOBS = ("catalog", "jobs")
_DAILY = ("catalog", "daily_interactions")
_PROFILES = ("features", "user_profiles")
_EMBEDDINGS = ("training", "text_embeddings")
_JOB_VECTORS = ("training", "job_vectors")

MODEL_LOADERS: dict[str, type[Any]] = {
    "job_vectors": JobVectors,
    "user_vectors": UserVectors,
    "als": AlsModel,
    "also_applied": JobNeighbours,
    "user_neighbours": UserNeighbours,
}


def _model_asset(
    name: str, *, inputs: dict[str, tuple[str, str]], kinds: frozenset[str] = frozenset({"numpy"})
) -> Callable[[Callable[..., dg.Output[Any]]], dg.AssetsDefinition]:
    """Declares the model `training/<name>`, kept as one `.npz` file."""
    return dg.asset(
        key=["training", name],
        ins={argument: dg.AssetIn(key=list(key)) for argument, key in inputs.items()},
        group_name="training",
        kinds=set(kinds),
        owners=["team:jobfeed"],
        io_manager_key="model_io",
        code_version="2",
    )


@table_asset(
    "training",
    "text_embeddings",
    inputs={"jobs": _JOBS, "daily": _DAILY, "profiles": _PROFILES},
    kinds=frozenset({"numpy", "polars"}),
)
def text_embeddings(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    daily: pl.LazyFrame,
    profiles: pl.LazyFrame,
) -> dg.Output[StoredTable]:
    """A vector for each distinct text of jobs and users, Russian and English in one space; only new ones are made."""
    started, settings, as_of = time.perf_counter(), workspace.config.pipeline.embedding, clock.as_of(context)
    n_characters = settings.max_characters
    of_jobs = texts_of_jobs(jobs, daily, as_of=as_of, days=HISTORY_DAYS, max_characters=n_characters)
    of_users = texts_of_users(profiles, max_characters=n_characters)
    texts = {
        SHARED: shared_texts(of_jobs, of_users),
        PERSONAL: commonest_texts(of_users["summary"], most=settings.max_summaries),
    }
    kept = {
        partition: keep_embeddings(
            workspace.lake,
            partition,
            wanted,
            model=settings.model,
            load=lambda: load_embedder(settings.model, batch_size=settings.batch_size),
            on_batch=lambda done, total: context.log.info("embedded %d of %d texts", done, total),
        )
        for partition, wanted in texts.items()
    }
    n_rows = int(workspace.lake.scan("training", TEXT_EMBEDDINGS).select(pl.len()).collect().item())
    return dg.Output(
        StoredTable(TEXT_EMBEDDINGS, n_rows),
        metadata={
            "model": model_identity(settings.model),
            **counts_and_seconds(
                started,
                n_texts=sum(part.n_wanted for part in kept.values()),
                n_new=sum(part.n_new for part in kept.values()),
                n_dropped=sum(part.n_dropped for part in kept.values()),
            ),
        },
    )


@_model_asset("job_vectors", inputs={"jobs": _JOBS, "daily": _DAILY, "embeddings": _EMBEDDINGS})
def job_vectors(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    daily: pl.LazyFrame,
    embeddings: pl.LazyFrame,
) -> dg.Output[JobVectors]:
    """A vector for each open or recently touched job, from title and skills, and one for its company's own words."""
    started, settings, as_of = time.perf_counter(), workspace.config.pipeline.embedding, clock.as_of(context)
    texts = texts_of_jobs(jobs, daily, as_of=as_of, days=HISTORY_DAYS, max_characters=settings.max_characters)
    wanted = distinct_texts(texts["title"], texts["skills"], texts["extract"], texts["about"])
    embedded = text_vectors(embeddings, identity=model_identity(settings.model), texts=wanted)
    vectors = build_job_vectors(texts, embedded)
    n_without = int((~vectors.vectors.any(axis=1)).sum())
    counts = {"n_jobs": len(vectors.job_ids), "n_without_vector": n_without, "n_abouts": len(vectors.about_vectors)}
    return dg.Output(vectors, metadata=counts_and_seconds(started, **counts))


@_model_asset(
    "user_vectors",
    inputs={"daily": _DAILY, "profiles": _PROFILES, "embeddings": _EMBEDDINGS, "vectors": _JOB_VECTORS},
)
def user_vectors(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    daily: pl.LazyFrame,
    profiles: pl.LazyFrame,
    embeddings: pl.LazyFrame,
    vectors: JobVectors,
) -> dg.Output[UserVectors]:
    """A vector for each user in the space of the jobs: what the profile says, and the jobs taken to or turned down."""
    started, settings, as_of = time.perf_counter(), workspace.config.pipeline.embedding, clock.as_of(context)
    texts = texts_of_users(profiles, max_characters=settings.max_characters)
    wanted = distinct_texts(texts["roles"], texts["skills"], texts["summary"])
    embedded = text_vectors(embeddings, identity=model_identity(settings.model), texts=wanted)
    events = event_weights(
        consented(daily, profiles),
        as_of=as_of,
        half_life_days=settings.half_life_days,
        job_ids=vectors.job_ids,
    )
    made = build_user_vectors(texts, events, embedded, vectors)
    counts = {
        "n_users": len(made.user_ids),
        "n_with_profile": int(made.has_profile.sum()),
        "n_with_history": int(made.has_history.sum()),
    }
    return dg.Output(made, metadata=counts_and_seconds(started, **counts))


@_model_asset(
    "als", inputs={"jobs": _JOBS, "daily": _DAILY, "profiles": _PROFILES}, kinds=frozenset({"numpy", "scikitlearn"})
)
def als(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    daily: pl.LazyFrame,
    profiles: pl.LazyFrame,
) -> dg.Output[AlsModel]:
    """Factors of users and jobs from decayed interactions, dismissals as dislikes; starts from yesterday's factors."""
    started, as_of = time.perf_counter(), clock.as_of(context)
    config = workspace.config.pipeline
    settings, settings_from = als_settings(workspace.models, config.als)
    weights = _weights(settings.half_life_days, as_of, jobs, daily, profiles)
    start = warm_start(workspace.models / "training" / "als.npz", as_of=as_of)
    losses: list[tuple[int, float]] = []

    def report(iteration: int, seconds: float, loss: float) -> None:
        losses.append((iteration + 1, loss))
        context.log.info("ALS iteration %d: loss %.6f, %.1f s", iteration + 1, loss, seconds)

    model = fit_als(
        weights,
        settings=settings,
        as_of=as_of.isoformat(),
        seed=config.seed,
        warm_start=start,
        on_iteration=report,
    )
    loss = pl.DataFrame(losses, schema={"iteration": pl.Int64, "loss": pl.Float64}, orient="row")
    counts = {"n_users": len(model.user_ids), "n_jobs": len(model.job_ids), "n_weights": weights.values.nnz}
    return dg.Output(
        model,
        metadata={
            **counts_and_seconds(started, **counts),
            "settings_from": settings_from,
            "settings": dg.MetadataValue.json(asdict(settings)),
            "started_from": start.as_of if start is not None else "noise",
            "loss": bar_chart(loss, "iteration", "loss", "Loss by iteration"),
        },
    )


@_model_asset(
    "also_applied",
    inputs={"interactions": ("catalog", "interactions"), "jobs": _JOBS, "profiles": _PROFILES},
    kinds=frozenset({"numpy", "scikitlearn"}),
)
def also_applied(interactions: pl.LazyFrame, jobs: pl.LazyFrame, profiles: pl.LazyFrame) -> dg.Output[JobNeighbours]:
    """Who applied to this job also applied to: the nearest jobs of each by the people who applied to both."""
    started = time.perf_counter()
    pairs = applications(consented(interactions, profiles), jobs)
    model = fit_also_applied(pairs)
    counts = {"n_jobs": len(model.job_ids), "n_applications": len(pairs), "n_pairs": len(model.scores)}
    return dg.Output(model, metadata=counts_and_seconds(started, **counts))


@_model_asset("user_neighbours", inputs={"jobs": _JOBS, "daily": _DAILY, "profiles": _PROFILES})
def user_neighbours(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    daily: pl.LazyFrame,
    profiles: pl.LazyFrame,
) -> dg.Output[UserNeighbours]:
    """Who behaved like you: the nearest users of each by the jobs that they took to."""
    started = time.perf_counter()
    half_life_days = als_settings(workspace.models, workspace.config.pipeline.als)[0].half_life_days
    model = fit_user_neighbours(_weights(half_life_days, clock.as_of(context), jobs, daily, profiles))
    counts = {"n_users": len(model.user_ids), "n_jobs": len(model.job_ids), "n_pairs": len(model.scores)}
    return dg.Output(model, metadata=counts_and_seconds(started, **counts))


@table_asset(
    "training",
    "similar_jobs",
    inputs={"jobs": _JOBS, "vectors": _JOB_VECTORS, "neighbours": ("training", "also_applied")},
    kinds=frozenset({"numpy"}),
)
def similar_jobs_table(
    workspace: Workspace, jobs: pl.LazyFrame, vectors: JobVectors, neighbours: JobNeighbours
) -> dg.Output[pl.DataFrame]:
    """At most twenty jobs like each open job, by what they say and by who applies to both."""
    started = time.perf_counter()
    known = jobs.select("job_id", "status", "duplicate_of").collect()
    table = similar_jobs(known, vectors, neighbours, seed=workspace.config.pipeline.seed)
    lengths = table["items"].list.len()
    counts = {"n_jobs": len(table), "n_items": int(lengths.sum()), "n_without": int((lengths == 0).sum())}
    return dg.Output(table, metadata=counts_and_seconds(started, **counts))


def _weights(
    half_life: float, as_of: dt.datetime, jobs: pl.LazyFrame, daily: pl.LazyFrame, profiles: pl.LazyFrame
) -> WeightMatrix:
    return decayed_weights(
        consented(daily, profiles),
        as_of=as_of,
        half_life_days=half_life,
        days=WINDOW_HALF_LIVES * half_life,
        representatives=representatives(jobs),
    )


ASSETS = [text_embeddings, job_vectors, user_vectors, als, also_applied, user_neighbours, similar_jobs_table]
