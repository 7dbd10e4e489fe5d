"""The training assets: embeddings, vectors, factors, neighbours, similar jobs. The models are in `models.fitting`."""

import datetime as dt
import os
from dataclasses import asdict
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.io import StoredTable
from assets.plots import bar_chart
from assets.resources import RunClock, Workspace, is_partial
from assets.training.embedding_models import find_model
from assets.training.embedding_switch import read_serving, require_one_space
from assets.training.embedding_update import Texts, described, update_embeddings
from assets.training.inputs import applications, consented, representatives, texts_of_users
from assets.training.job_texts import texts_of_jobs
from assets.training.similar_jobs import CLUSTERS_FILE, update_similar_jobs
from assets.training.tuning import TUNE_TAG, als_settings, choice, count_interactions, keep_tuned, tuned_path
from assets.training.tuning import tune as tune_models
from assets.training.user_vectors import UserSources, update_user_vectors
from assets.training.warm_start import warm_start
from features.schemas.training import SIMILAR_JOBS, TEXT_EMBEDDINGS
from models.arrays import csr_of_shape
from models.fitting.als import AlsModel, fit_als
from models.fitting.collaborative import ALS, MODELS, Collaborative, combine
from models.fitting.embeddings import TextModel, text_vectors
from models.fitting.item_knn import JobNeighbours, fit_also_applied
from models.fitting.job_vectors import JobVectors, build_job_vectors
from models.fitting.sparse_models import SparseModel
from models.fitting.texts import commonest_texts, distinct_texts
from models.fitting.tuning import TuningError
from models.fitting.user_knn import UserNeighbours, fit_user_neighbours
from models.fitting.user_vectors import UserVectors
from models.fitting.weights import WINDOW_HALF_LIVES, WeightMatrix, decayed_weights

_INTERACTION_INPUTS = ("catalog/jobs", "catalog/daily_interactions", "features/user_profiles")
_model = partial(asset, kept_by="model_io", kinds=("numpy",))

MODEL_LOADERS: dict[str, type[Any]] = {
    "job_vectors": JobVectors,
    "user_vectors": UserVectors,
    "als": AlsModel,
    "collaborative": Collaborative,
    "also_applied": JobNeighbours,
    "user_neighbours": UserNeighbours,
}


@asset(
    "training/text_embeddings",
    inputs=("features/user_profiles",),
    deps=("catalog/jobs", "catalog/daily_interactions"),
    kinds=("polars", "pytorch"),
)
def text_embeddings(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, user_profiles: pl.LazyFrame
) -> dg.Output[StoredTable]:
    """A vector for each distinct text of jobs and users, Russian and English in one space; only new ones are made.

    If another model is configured than serves, its vectors are made over several runs, see embedding_update.py.
    """
    settings, as_of = workspace.config.pipeline.embedding, clock.as_of(context)
    of_jobs = texts_of_jobs(workspace.lake, as_of=as_of, max_characters=settings.max_characters)
    of_users = texts_of_users(user_profiles, max_characters=settings.max_characters)
    updated = update_embeddings(
        workspace.lake,
        Texts(
            distinct_texts(of_jobs["title"], of_jobs["skills"], of_jobs["extract"], of_jobs["about"]),
            distinct_texts(of_users["roles"], of_users["skills"]),
            commonest_texts(of_users["summary"], most=settings.max_summaries),
        ),
        settings,
        # All feeds change their model in one run, the one that ranks all users.
        may_switch=not is_partial(context),
        say=lambda message: context.log.info("embeddings: %s", message),
    )
    n_rows = workspace.lake.n_rows("training", TEXT_EMBEDDINGS)
    return dg.Output(StoredTable(TEXT_EMBEDDINGS, n_rows), metadata=described(updated))


@_model(
    "training/job_vectors",
    inputs=("training/text_embeddings",),
    deps=("catalog/jobs", "catalog/daily_interactions"),
)
def job_vectors(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, text_embeddings: pl.LazyFrame
) -> dg.Output[JobVectors]:
    """A vector for each open or recently used job from its title and skills, and one of its company's description."""
    settings, as_of = workspace.config.pipeline.embedding, clock.as_of(context)
    texts = texts_of_jobs(workspace.lake, as_of=as_of, max_characters=settings.max_characters)
    wanted = distinct_texts(texts["title"], texts["skills"], texts["extract"], texts["about"])
    model = _serving_model(workspace)
    embedded = text_vectors(text_embeddings, space=model.space("passage"), texts=wanted)
    vectors = build_job_vectors(texts, embedded, model=model.identity)
    n_without = int((~vectors.vectors.any(axis=1)).sum())
    counts = {"n_jobs": len(vectors.job_ids), "n_without_vector": n_without, "n_abouts": len(vectors.about_vectors)}
    return dg.Output(vectors, metadata=counts)


@_model(
    "training/user_vectors",
    inputs=("catalog/daily_interactions", "features/user_profiles", "training/text_embeddings", "training/job_vectors"),
)
def user_vectors(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    daily_interactions: pl.LazyFrame,
    user_profiles: pl.LazyFrame,
    text_embeddings: pl.LazyFrame,
    job_vectors: JobVectors,
) -> dg.Output[UserVectors]:
    """A vector for each user in the space of the jobs, from the profile and from the liked and rejected jobs."""
    settings, as_of = workspace.config.pipeline.embedding, clock.as_of(context)
    model = _serving_model(workspace)
    require_one_space(job_vectors.model, model.identity, "training/text_embeddings")
    made, n_computed = update_user_vectors(
        workspace.lake,
        workspace.models / "training" / "user_vectors.npz",
        UserSources(user_profiles, daily_interactions, text_embeddings, job_vectors),
        settings,
        model=model,
        as_of=as_of,
        only_changes=is_partial(context),
    )
    counts = {
        "n_users": len(made.user_ids),
        "n_computed": n_computed,
        "n_with_profile": int(made.has_profile.sum()),
        "n_with_history": int(made.has_history.sum()),
    }
    return dg.Output(made, metadata=counts)


@asset("training/tuning", deps=_INTERACTION_INPUTS, kinds=("optuna",), kept_by=None)
def tuning(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[None]:
    """The choice of the collaborative model on held-out interactions, kept in `collaborative.json` until the next one.

    A run chooses if nothing is kept yet and there are enough interactions, but not so many that it would take minutes,
    or if its tag `jobfeed/tune` is "always".
    """
    config, path, as_of = workspace.config.pipeline, tuned_path(workspace.models), clock.as_of(context)
    is_asked_for = context.run.tags.get(TUNE_TAG) == "always"
    if not config.als.use_tuned or (path.is_file() and not is_asked_for):
        return dg.Output(None, metadata={"origin": choice(workspace.models, config.als).origin})
    n_interactions = count_interactions(workspace) if config.tuning.enabled else 0
    if n_interactions < config.tuning.min_interactions:
        return dg.Output(None, metadata={"origin": "configuration"})
    if n_interactions > config.tuning.max_first_interactions and not is_asked_for:
        context.log.info("%d interactions: the weekly run chooses first", n_interactions)
        return dg.Output(None, metadata={"origin": "configuration"})

    def report(model: str, trial: int, ndcg: float) -> None:
        context.log.info("tuning %s, trial %d: NDCG@20 %.4f", model, trial + 1, ndcg)

    n_trials = config.tuning.trials if is_asked_for else config.tuning.first_trials
    try:
        tuned, split = tune_models(workspace, as_of=as_of, n_trials=n_trials, on_trial=report)
    except TuningError as error:
        context.log.info("not tuned: %s", error)
        return dg.Output(None, metadata={"origin": "configuration"})
    keep_tuned(workspace.models, tuned, split, as_of=as_of, config=config)
    return dg.Output(
        None,
        metadata={
            "origin": f"tuned for {as_of.isoformat()}",
            "split": f"{split.kind}: {split.reason}",
            "chosen": dg.MetadataValue.json([member.as_json() for member in tuned.members]),
            "ndcg": tuned.ndcg,
            "incumbent_ndcg": tuned.incumbent_ndcg,
            "is_cut_by_time": tuned.is_cut_by_time,
        },
    )


@_model("training/collaborative", inputs=_INTERACTION_INPUTS, deps=("training/tuning",), kinds=("scipy", "numba"))
def collaborative(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    daily_interactions: pl.LazyFrame,
    user_profiles: pl.LazyFrame,
) -> dg.Output[Collaborative]:
    """The chosen collaborative model; the factors of ALS, if it is chosen, are those of training/als."""
    config, as_of = workspace.config.pipeline, clock.as_of(context)
    found = choice(workspace.models, config.als)
    members = [member for member in found.members if member.model != ALS]
    # One matrix at a time: members of one half-life share theirs.
    models: dict[str, SparseModel] = {}
    for half_life_days in sorted({member.settings.half_life_days for member in members}):
        weights = _weights(half_life_days, as_of, jobs, daily_interactions, user_profiles)
        for member in members:
            if member.settings.half_life_days == half_life_days:
                one = MODELS[member.model].fit(weights, member.settings, config.seed, os.cpu_count() or 1)
                models |= {member.model: one} if isinstance(one, SparseModel) else {}
    fitted = [models[member.model] for member in members]
    model = combine(found.members, fitted, as_of=as_of.isoformat())
    chosen = dg.MetadataValue.json([member.as_json() for member in found.members])
    counts = {"n_users": len(model.user_ids), "n_jobs": len(model.job_ids), "n_entries": model.right.nnz}
    return dg.Output(model, metadata={**counts, "chosen": chosen, "chosen_from": found.origin})


@_model("training/als", inputs=_INTERACTION_INPUTS, deps=("training/tuning",), kinds=("numpy", "implicit"))
def als(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    daily_interactions: pl.LazyFrame,
    user_profiles: pl.LazyFrame,
) -> dg.Output[AlsModel]:
    """Factors of users and jobs from decayed interactions, dismissals as dislikes; starts from the last factors.

    Only the component and retriever `collaborative` read them: the model is empty while another one is chosen.
    """
    config, as_of = workspace.config.pipeline, clock.as_of(context)
    found = choice(workspace.models, config.als)
    settings, is_chosen = found.als, any(member.model == ALS for member in found.members)
    if is_chosen:
        weights = _weights(settings.half_life_days, as_of, jobs, daily_interactions, user_profiles)
    else:
        nothing = pl.Series([], dtype=pl.String)
        weights = WeightMatrix(nothing, nothing, csr_of_shape(0, 0))
    start = warm_start(workspace.models / "training" / "als.npz", as_of=as_of)
    losses: list[tuple[int, float]] = []

    def report(iteration: int, seconds: float, loss: float) -> None:
        losses.append((iteration + 1, loss))
        context.log.info("ALS iteration %d: loss %.6f, %.1f s", iteration + 1, loss, seconds)

    model = fit_als(
        weights, settings=settings, as_of=as_of.isoformat(), seed=config.seed, warm_start=start, on_iteration=report
    )
    loss = pl.DataFrame(losses, schema={"iteration": pl.Int64, "loss": pl.Float64}, orient="row")
    counts = {"n_users": len(model.user_ids), "n_jobs": len(model.job_ids), "n_weights": weights.values.nnz}
    return dg.Output(
        model,
        metadata={
            **counts,
            "is_chosen": is_chosen,
            "settings_from": found.origin,
            "settings": dg.MetadataValue.json(asdict(settings)),
            "started_from": start.as_of if start is not None else "noise",
            "loss": bar_chart(loss, "iteration", "loss", "Loss by iteration"),
        },
    )


@_model(
    "training/also_applied", inputs=("catalog/interactions", "catalog/jobs", "features/user_profiles"), kinds=("scipy",)
)
def also_applied(
    interactions: pl.LazyFrame, jobs: pl.LazyFrame, user_profiles: pl.LazyFrame
) -> dg.Output[JobNeighbours]:
    """The nearest jobs of each job by the users who applied to both."""
    pairs = applications(consented(interactions, user_profiles), jobs)
    model = fit_also_applied(pairs)
    counts = {"n_jobs": len(model.job_ids), "n_applications": len(pairs), "n_pairs": len(model.scores)}
    return dg.Output(model, metadata=counts)


@_model("training/user_neighbours", inputs=_INTERACTION_INPUTS, deps=("training/tuning",), kinds=("scipy", "numba"))
def user_neighbours(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    daily_interactions: pl.LazyFrame,
    user_profiles: pl.LazyFrame,
) -> dg.Output[UserNeighbours]:
    """The nearest users of each user by the jobs that they liked."""
    half_life_days = als_settings(workspace.models, workspace.config.pipeline.als)[0].half_life_days
    model = fit_user_neighbours(_weights(half_life_days, clock.as_of(context), jobs, daily_interactions, user_profiles))
    counts = {"n_users": len(model.user_ids), "n_jobs": len(model.job_ids), "n_pairs": len(model.scores)}
    return dg.Output(model, metadata=counts)


@asset(
    "training/similar_jobs",
    inputs=("catalog/jobs", "training/job_vectors", "training/also_applied"),
    kinds=("numpy", "scikitlearn"),
)
def similar_jobs_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    jobs: pl.LazyFrame,
    job_vectors: JobVectors,
    also_applied: JobNeighbours,
) -> dg.Output[StoredTable]:
    """At most twenty similar jobs of each open job, by their texts and by the users who applied to both."""
    settings = workspace.config.pipeline
    updated = update_similar_jobs(
        workspace.lake,
        workspace.models / "training" / CLUSTERS_FILE,
        jobs.select("job_id", "status", "duplicate_of").collect(),
        job_vectors,
        also_applied,
        seed=settings.seed,
        version=f"{job_vectors.model} {settings.embedding.max_characters}",
        only_changes=is_partial(context),
    )
    return dg.Output(StoredTable(SIMILAR_JOBS, updated.n_rows), metadata={"n_written": updated.n_written})


def _serving_model(workspace: Workspace) -> TextModel:
    serving = read_serving(workspace.lake)
    return (
        serving.model.text_model if serving is not None else find_model(workspace.config.pipeline.embedding).text_model
    )


def _weights(
    half_life: float,
    as_of: dt.datetime,
    jobs: pl.LazyFrame,
    daily_interactions: pl.LazyFrame,
    user_profiles: pl.LazyFrame,
) -> WeightMatrix:
    return decayed_weights(
        consented(daily_interactions, user_profiles),
        as_of=as_of,
        half_life_days=half_life,
        days=WINDOW_HALF_LIVES * half_life,
        representatives=representatives(jobs),
    )


ASSETS = [
    text_embeddings,
    job_vectors,
    user_vectors,
    tuning,
    als,
    collaborative,
    also_applied,
    user_neighbours,
    similar_jobs_table,
]
