"""The ranking assets: every user's feed, and fallback feeds for unknown users. The ranking itself is in `models`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.io import StoredTable
from assets.lake import atomic_path
from assets.learning.store import load_registry, update_registry
from assets.plots import bar_chart
from assets.ranking.checks import ASSET_CHECKS
from assets.ranking.inputs import (
    clusters_path,
    encoded_jobs,
    lake_tables,
    load_fitted,
    load_job_vectors,
    ranking_settings,
    served_settings,
)
from assets.ranking.matches import update_matches
from assets.ranking.shards import Report, rank_feeds
from assets.resources import SCOPE_TAG, RunClock, Scope, Workspace, draws_charts, is_partial, parse_scope
from features.schemas.features import PREFERENCES
from features.schemas.ranking import FALLBACK_FEEDS, FEEDS, MATCHES
from models.ranking.diversity import topic_sketch
from models.ranking.fallback import fallback_feeds
from models.ranking.preparation import align
from models.ranking.settings import Settings

__all__ = ["ASSETS", "ASSET_CHECKS"]

_TABLES = (
    "catalog/jobs", "catalog/interactions", "features/user_profiles", "features/job_features", "features/skill_weights",
    "features/preferences", "features/trending", "learning/learned_recipe",
)  # fmt: skip
_MODELS = (
    "training/als", "training/collaborative", "training/also_applied", "training/user_neighbours",
    "training/job_vectors", "training/user_vectors",
)  # fmt: skip


@asset("ranking/feeds", deps=(*_MODELS, *_TABLES), kinds=("numpy", "polars"))
def feeds(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Every known user's list of jobs with scores, components and reasons; one file per shard of users.

    The run tag `jobfeed/scope` selects the users: all, touched (by new jobs or events) or acted. The others keep their
    feeds without the jobs that are no longer open. What changes lies in layers above the shards.
    """
    with _ranking(workspace, parse_scope(context.run.tags.get(SCOPE_TAG))) as (scope, settings):
        report = rank_feeds(
            lake_tables(workspace.lake),
            load_fitted(workspace.models, with_clusters=scope != "all"),
            lake=workspace.lake,
            settings=settings,
            shard_users=workspace.config.ranking.shard_users,
            as_of=clock.as_of(context),
            scope=scope,
            on_shard=lambda done, n: context.log.info("ranked shard %d of %d", done, n),
        )
    for name, clusters in report.clusters.items():
        with atomic_path(clusters_path(workspace.models, name)) as temporary:
            clusters.save(temporary)
    return dg.Output(StoredTable(FEEDS, report.n_rows), metadata=_metadata(report, with_charts=draws_charts(context)))


@asset(
    "ranking/fallback_feeds",
    inputs=("catalog/jobs", "features/job_features", "features/skill_weights"),
    deps=("training/job_vectors", "ranking/feeds"),  # the latter decide by which fit all are ranked
    kinds=("numpy", "polars"),
)
def fallback_feeds_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    job_features: pl.LazyFrame,
    skill_weights: pl.LazyFrame,
) -> dg.Output[StoredTable]:
    """What unknown users get: the best jobs of all, of each country, and of each country and role.

    Runs without new jobs keep the lists, unless a job has closed: an hourly run ended early.
    """
    if parse_scope(context.run.tags.get(SCOPE_TAG)) == "acted":
        stored = workspace.lake.scan("ranking", FALLBACK_FEEDS)
        n_segments = workspace.lake.n_rows("ranking", FALLBACK_FEEDS)
        if n_segments and _shows_open_jobs(stored, jobs):
            return dg.Output(StoredTable(FALLBACK_FEEDS, n_segments), metadata={"is_kept": True})
    nobody = PREFERENCES.empty().lazy()
    encoded = encoded_jobs(
        jobs, job_features=job_features, skill_weights=skill_weights, preferences=nobody, as_of=clock.as_of(context)
    )
    job_vectors = load_job_vectors(workspace.models)
    vectors = align(job_vectors.job_ids, job_vectors.vectors, encoded.ids)
    table = fallback_feeds(encoded, topic_sketch(vectors.rows), served_settings(workspace))
    workspace.lake.replace("ranking", FALLBACK_FEEDS, table)
    return dg.Output(StoredTable(FALLBACK_FEEDS, len(table)), metadata={"n_jobs": encoded.n})


def _shows_open_jobs(lists: pl.LazyFrame, jobs: pl.LazyFrame) -> bool:
    """Whether all listed jobs are open, and none repeats another one. The check of the table looks at all its rules."""
    shown = jobs.filter(pl.col("status") == "open", pl.col("duplicate_of").is_null()).select("job_id").collect()
    listed = lists.select(pl.col("items").list.eval(pl.element().struct.field("job_id")).explode().unique()).collect()
    return bool(listed["items"].drop_nulls().is_in(shown["job_id"].implode()).all())


@contextmanager
def _ranking(workspace: Workspace, scope: Scope) -> Iterator[tuple[Scope, Settings]]:
    """The scope and the settings of the run, which alone writes feeds meanwhile.

    A run that ranks all users takes over the promoted fit, which is served once they all are ranked; others rank by the
    fit of the stored feeds. If a run was stopped in between, feeds are by both fits: the next one ranks all users.
    """
    with workspace.lake.lock("ranking"):
        registry = load_registry(workspace.models)
        if scope != "all" and not registry.is_taking_over:
            yield scope, served_settings(workspace)
            return
        if registry.active != registry.served:
            update_registry(workspace, lambda latest: replace(latest, is_taking_over=True))
        yield "all", ranking_settings(workspace.config, learned=registry.active_recipe)
        update_registry(workspace, lambda latest: replace(latest, served=registry.active, is_taking_over=False))


def _metadata(report: Report, *, with_charts: bool) -> dict[str, Any]:
    return {
        "n_ranked": dg.MetadataValue.int(report.n_ranked),
        "n_shortened": dg.MetadataValue.int(report.n_shortened),
        "n_waiting": dg.MetadataValue.int(report.n_waiting),
        "n_shards": dg.MetadataValue.int(report.n_shards),
        "items_per_feed": dg.MetadataValue.float(round(report.n_items / max(report.n_ranked, 1), 2)),
        **(_charts(report) if with_charts else {}),
        # Summed over threads.
        "seconds_per_stage": dg.MetadataValue.json(
            {stage: round(seconds, 3) for stage, seconds in report.timings.seconds.items()}
        ),
    }


def _charts(report: Report) -> dict[str, Any]:
    sources = pl.DataFrame(sorted(report.sources.items()), {"source": pl.String, "users": pl.Int64}, orient="row")
    retrievers = pl.DataFrame(
        {"retriever": list(report.timings.n_found_by), "items": list(report.timings.n_found_by.values())},
        schema={"retriever": pl.String, "items": pl.Int64},
    ).sort("items", "retriever", descending=[True, False])
    return {
        "users_by_source": bar_chart(sources, "source", "users", "Ranked users by source"),
        "found_by": bar_chart(retrievers, "retriever", "items", "Listed items by retriever"),
    }


@asset(
    "ranking/matches",
    deps=("ranking/feeds", "catalog/jobs", "features/user_profiles", "features/skill_weights"),
    kinds=("polars",),
)
def matches(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.Output[StoredTable]:
    """How well the first jobs of each feed match: five scores, what speaks for and against, and why in a sentence.

    Runs between daily ones compute the users whose feeds changed; these rows lie in layers above the parts.
    """
    n_rows = update_matches(workspace, only_changes=is_partial(context))
    table = workspace.lake.scan("ranking", MATCHES)
    charts = {"compatibility": _by_compatibility(table)} if draws_charts(context) else {}
    return dg.Output(StoredTable(MATCHES, n_rows), metadata=charts)


def _by_compatibility(table: pl.LazyFrame) -> dg.MarkdownMetadataValue:
    band = (pl.col("compatibility") // 10 * 10).alias("compatibility")
    bands = table.group_by(band).agg(matches=pl.len()).sort("compatibility").collect()
    return bar_chart(bands, "compatibility", "matches", "Matches by compatibility")


ASSETS = [feeds, fallback_feeds_table, matches]
