"""The published generation as an asset: collects the tables, publishes them, reports the result."""

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets import run_ledger
from assets.catalog.application_updates import user_table
from assets.catalog.assets import stale_after_days
from assets.catalog.counting import spill_folders
from assets.catalog.folding import newest_event_at
from assets.damage import drop_damaged, rebuilt
from assets.declare import asset
from assets.digests.outbox_turn import forget_users
from assets.erasing.purge import forget_purged, purged_by
from assets.erasing.requests import mark_erased
from assets.evaluation.results import EVALUATIONS, drop_user_values, work_folders
from assets.increments import LayeredTable, forget_folded
from assets.io import TABLES
from assets.lake import Lake
from assets.leftovers import remove_half_written
from assets.publishing import generations
from assets.publishing.build import Published, PublishingRun
from assets.publishing.delta import publish_delta
from assets.publishing.full import publish_full
from assets.publishing.past_days import past_days
from assets.publishing.published_jobs import published_jobs
from assets.publishing.tables import Source
from assets.publishing.validation import ValidationFailedError
from assets.ranking.inputs import served_settings
from assets.ranking.listed import feeds_table
from assets.ranking.matches import matches_table
from assets.resources import ANNOUNCE_TAG, RunClock, Workspace, is_partial, whole_job
from assets.run_turns import turn_began_at
from assets.training.similar_jobs import similar_jobs_layers
from assets.work_folders import remove_abandoned
from features.localisation.places import town_names
from features.schemas.catalog import (
    APPLICATION_EVENTS,
    APPLICATIONS,
    FOLLOW_UPS,
    INTERACTIONS,
    INTERVIEWS,
    JOBS,
    OFFERS,
)
from features.schemas.features import PREFERENCES, USER_PROFILES
from features.schemas.insight import SKILL_PROGRESS
from features.schemas.ranking import FEEDS, MATCHES
from features.schemas.training import SIMILAR_JOBS
from features.vocabulary.display_names import display_names
from models.explanations.templates import REASON_TEMPLATES, reason_texts
from serving.contract.tables import KEYS

_FRAMES = {
    "similar_jobs": "training",
    "trending": "features",
    "nearby": "features",
    "preferences": "features",
    "fallback_feeds": "ranking",
    "market_trends": "insight",
    "skill_demand": "insight",
    "skill_gaps": "insight",
    "learning_plans": "insight",
    "skill_progress": "insight",
    "company_profiles": "insight",
    "metrics": "insight",
    "digests": "digests",
    "applications": "catalog",
    "application_events": "catalog",
    "interviews": "catalog",
    "offers": "catalog",
    "application_funnel": "insight",
    "follow_ups": "catalog",
    "follow_up_stats": "insight",
}
_DAMAGED_KEPT_DAYS = 30
_DEPENDENCIES = (
    *("catalog/jobs", "catalog/interactions", "features/user_profiles", "ranking/feeds", "ranking/matches"),
    # The asset of skill gaps writes the table of progress too.
    *(f"{stage}/{name}" for name, stage in _FRAMES.items() if name != SKILL_PROGRESS.name),
    "insight/exposures",  # which reads the generations that publishing removes
)


@asset("publishing/generation", deps=_DEPENDENCIES, kinds=("duckdb", "parquet"), kept_by=None)
def generation(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[None]:
    """One immutable, validated version of all served tables, announced by replacing `published/current`.

    The daily run makes a full one. Runs of another scope (tag `jobfeed/scope`) make a delta of what changed since the
    last. If validation fails, the last one stays served and the run says why. A result for an older instant than that
    of the served one is stored, not announced, unless the run has the tag `jobfeed/announce`.
    """
    lake, now, is_whole = workspace.lake, clock.now(), not is_partial(context)
    publish = publish_full if is_whole else publish_delta
    run = PublishingRun(
        published=workspace.published.resolve(),
        config=workspace.config,
        as_of=clock.as_of(context),
        created_at=now,
        code_version=version("jobfeed"),
        high_water_marks=_high_water_marks(lake),
        interactions=lake.scan("catalog", INTERACTIONS),
        profiles=lake.scan("features", USER_PROFILES),
        is_forced=ANNOUNCE_TAG in context.run.tags,
        is_afresh=len(purged_by(lake, run_id=context.run.run_id)) > 0,
        lake=lake,
    )
    with lake.lock("publishing"):
        try:
            result = publish(run, collect_sources(workspace))
        except ValidationFailedError as error:
            raise dg.Failure(
                f"The generation was not announced; the last one stays served.\n{error}", allow_retries=False
            ) from error
        for folder in (lake.root, workspace.models):
            Lake(folder).remove_leftovers(before=now - dt.timedelta(days=1))
        drop_damaged(lake, before=now - dt.timedelta(days=_DAMAGED_KEPT_DAYS))
        _drop_old_evaluations(workspace, now)
        # Before the copy: a PostgreSQL server that is down must not let generations fill the disk.
        settings = workspace.config.pipeline.publishing
        since = now - dt.timedelta(hours=settings.kept_hours)
        removed = generations.prune(workspace.published, kept=settings.kept_generations, created_since=since)
        served = result.manifest.generation if result.is_announced else None
        if served is not None:
            removed += _finish_erasures(context, workspace, served, now)
            if is_whole:
                rebuilt(lake)
        copied = _copy_to_postgres(workspace, served) if served is not None else "not announced"
    if served is None:
        if is_whole:  # a daily run follows; the entry of a part stays open, so that the next is not taken for idle
            run_ledger.forget_entry(lake, run_id=context.run.run_id)
        context.log.warning(_not_announced(result.manifest.generation))
        return dg.Output(None, metadata=_metadata(result, copied, removed))
    sources = workspace.config.sources
    run_ledger.close_entry(
        lake,
        run_id=context.run.run_id,
        job=whole_job(context),
        as_of=run.as_of,
        generation=served,
        patience=_patience(workspace),
        fetches=sources.hh.enabled or any(feed.enabled for feed in sources.feeds),
    )
    return dg.Output(None, metadata=_metadata(result, copied, removed))


def _patience(workspace: Workspace) -> run_ledger.Patience:
    sources, applications = workspace.config.sources, workspace.config.applications
    return run_ledger.Patience(stale_after_days(sources), sources.file_stale_after_days, applications.days_by_state)


def _finish_erasures(
    context: dg.AssetExecutionContext, workspace: Workspace, served: str, now: dt.datetime
) -> list[str]:
    """Ends the erasures whose rows this run has removed: what was made before goes, and the ids become hashes.

    Returns the names of the generations that are gone.
    """
    requests = purged_by(workspace.lake, run_id=context.run.run_id)
    removed: list[str] = []
    if len(requests):
        forget_users(workspace.lake, requests)
        forget_folded(workspace.lake)
        removed = generations.keep_only(workspace.published, served)
        drop_user_values(Path(workspace.data_dir) / EVALUATIONS, before=now)
        drop_damaged(workspace.lake, before=now)
        _remove_leftovers(workspace)
        mark_erased(workspace.lake, requests, at=now)
    forget_purged(workspace.lake)
    return removed


def _remove_leftovers(workspace: Workspace) -> None:
    """Removes what killed runs and evaluations left, however young it is."""
    for folders in (spill_folders(workspace.lake), work_folders(Path(workspace.data_dir) / EVALUATIONS)):
        remove_abandoned(folders)
    began_at = turn_began_at(workspace.lake)
    if began_at is not None:
        remove_half_written(workspace.lake, workspace.models, before=began_at)


def _not_announced(generation: str) -> str:
    return (
        f"{generation} is stored, not announced: the served generation is of a later instant. "
        f"`jobfeed generations rollback {generation}` serves it"
    )


def _metadata(result: Published, copied: str, removed: Sequence[str]) -> dict[str, Any]:
    manifest = result.manifest
    rows = "\n".join(f"| {n} | {t['rows']:,} | {t['bytes']:,} |" for n, t in sorted(manifest.tables.items()))
    announced = f"new, {manifest.kind}" if result.is_new else "unchanged: equal to the served one"
    return {
        "generation": manifest.generation,
        "announced": announced if result.is_announced else "no: the served one is of a later instant",
        "tables": dg.MetadataValue.md(f"| table | rows | bytes |\n| --- | ---: | ---: |\n{rows}"),
        "dagster/row_count": manifest.rows("feeds"),
        "n_jobs": manifest.rows("jobs"),
        "megabytes": round(sum(f["bytes"] for f in manifest.files.values()) / 1e6, 1),
        "look_up_layers": max(len(files) for files in manifest.lookup.values()),
        "postgres": copied,
        "removed_generations": ", ".join(removed) or "none",
    }


def _drop_old_evaluations(workspace: Workspace, now: dt.datetime) -> None:
    """Here rather than in `jobfeed evaluate`, which may never run again."""
    days = workspace.config.pipeline.evaluation_retention_days
    drop_user_values(Path(workspace.data_dir) / EVALUATIONS, before=now - dt.timedelta(days=days))


def _copy_to_postgres(workspace: Workspace, generation: str) -> str:
    """Copies the served generation if `postgres` is enabled, also one that an earlier run failed to copy."""
    settings = workspace.config.pipeline.publishing.postgres
    if not settings.enabled:
        return "off"
    # An optional dependency.
    from assets.publishing.postgres import DSN_VARIABLE, PostgresError, replicate

    dsn = os.environ.get(DSN_VARIABLE)
    if not dsn:
        raise dg.Failure(f"publishing.postgres is enabled, but {DSN_VARIABLE} is not set", allow_retries=False)
    try:
        written = replicate(
            dsn,
            workspace.published,
            generation,
            schema=settings.schema_name,
            memory_limit=workspace.config.pipeline.duckdb_memory_limit,
        )
    except PostgresError as error:
        raise dg.Failure(f"{generation} is served from its files. {error}") from error
    return ", ".join(f"{table}: {n}" for table, n in written.items()) or "up to date"


def collect_sources(workspace: Workspace) -> dict[str, Source]:
    """Every published table and where the lake holds it."""
    lake = workspace.lake
    feeds = lake.files("ranking", FEEDS.name)
    sources = {
        name: Source(frame=lake.scan(stage, TABLES[name]), read_from=lake.files(stage, name))
        for name, stage in _FRAMES.items()
    }
    preferences = LayeredTable(lake, "features", PREFERENCES, by=("user_id",))
    sources[PREFERENCES.name] = replace(sources[PREFERENCES.name], layered=preferences)
    for table in (APPLICATIONS, APPLICATION_EVENTS, INTERVIEWS, OFFERS, FOLLOW_UPS):
        sources[table.name] = replace(sources[table.name], layered=user_table(lake, table))
    similar = similar_jobs_layers(lake)
    sources[SIMILAR_JOBS.name] = replace(sources[SIMILAR_JOBS.name], layered=similar)
    nothing = Source(frame=FEEDS.empty().lazy())
    sources["feeds"] = Source(files=feeds, layered=feeds_table(lake)) if feeds else nothing
    matches = lake.files("ranking", MATCHES.name)
    sources["matches"] = (
        Source(files=matches, layered=matches_table(lake)) if matches else Source(frame=MATCHES.empty().lazy())
    )
    sources["jobs"] = Source(frame=published_jobs(lake), read_from=lake.files("catalog", JOBS.name))
    frames = {
        **reason_tables(REASON_TEMPLATES),
        "display_names": _names(workspace),
        "recipes": _recipes(workspace),
    }
    return sources | {name: Source(frame=frame.lazy()) for name, frame in frames.items()}


def reason_tables(templates: Mapping[str, Mapping[str, str]]) -> dict[str, pl.DataFrame]:
    """The tables `reason_templates` and `reason_texts` of templates by code and language."""
    rows = [(code, language, text) for code, texts in templates.items() for language, text in texts.items()]
    return {
        "reason_templates": pl.DataFrame(rows, schema=["code", "language", "template"], orient="row"),
        "reason_texts": pl.DataFrame(
            list(reason_texts(rows)), schema=["code", "language", "number_form", "text"], orient="row"
        ),
    }


def _names(workspace: Workspace) -> pl.DataFrame:
    """The table `display_names`: a country's code comes before a town that is written like it."""
    towns = town_names(workspace.lake.scan("catalog", JOBS))
    names = pl.concat([display_names(workspace.vocabulary), towns])
    return names.unique(KEYS["display_names"], keep="first", maintain_order=True)


def _recipes(workspace: Workspace) -> pl.DataFrame:
    rows = [
        (name, component, recipe.scaled().get(component, 0.0), recipe.neutral, recipe.most(component), recipe.base)
        for name, recipe in served_settings(workspace).recipes.items()
        for component in recipe.weights
    ]
    schema = {"recipe": pl.String, "component": pl.String, "weight": pl.Float64, "neutral": pl.Float64}
    return pl.DataFrame(rows, schema=schema | {"cap": pl.Float64, "base": pl.Float64}, orient="row")


def _high_water_marks(lake: Lake) -> dict[str, str]:
    """The newest sighting of each source of jobs, and the newest event."""
    seen = lake.scan("catalog", JOBS).group_by("source").agg(pl.col("last_seen_at").max()).sort("source")
    marks = {row["source"]: _iso(row["last_seen_at"]) for row in seen.collect().iter_rows(named=True)}
    newest = newest_event_at(lake)
    return marks | ({"events": newest} if newest is not None else {})


def _iso(instant: dt.datetime | None) -> str:
    return instant.isoformat() if instant is not None else ""


ASSETS = [generation, past_days]
