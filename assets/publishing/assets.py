"""The published generation as an asset: collects the tables, calls the publisher, tells what became of it."""

import datetime as dt
import os
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.io import TABLES
from assets.lake import Lake
from assets.publishing import generations
from assets.publishing.delta import publish_changes
from assets.publishing.full import Published, ValidationFailedError, publish
from assets.publishing.tables import Source
from assets.ranking.scope import SCOPE_TAG, parse_scope
from assets.resources import RunClock, Workspace
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import NEARBY, TRENDING
from features.schemas.ranking import FALLBACK_FEEDS, FEED_CHANGES, FEEDS
from features.schemas.training import SIMILAR_JOBS
from models.explanations.templates import REASON_TEMPLATES

_FRAMES = {
    "similar_jobs": "training",
    "trending": "features",
    "nearby": "features",
    "preferences": "features",
    "fallback_feeds": "ranking",
    "market_trends": "insight",
    "skill_demand": "insight",
    "skill_gaps": "insight",
    "metrics": "insight",
    "digests": "digests",
}
_DEPENDENCIES = (
    *("catalog/jobs", "catalog/interactions", "ranking/feeds"),
    *(f"{layer}/{name}" for name, layer in _FRAMES.items()),
)


@asset("publishing/generation", deps=_DEPENDENCIES, kinds=("duckdb", "parquet"), kept_by=None, code_version="2")
def generation(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[None]:
    """One immutable, validated version of all served tables, announced by replacing `published/current`.

    The daily run makes a full one; the others, which the tag `jobfeed/scope` tells, one of what changed since the last.
    One that fails its validation is not announced: the last one stays served and the run says why.
    """
    as_of = clock.as_of(context)
    make = publish if parse_scope(context.run.tags.get(SCOPE_TAG)) == "all" else publish_changes
    with workspace.lake.lock("publishing"):
        try:
            result = make(
                workspace.published,
                collect_sources(workspace),
                as_of=as_of,
                created_at=clock.now(),
                config=workspace.config,
                code_version=version("jobfeed"),
                high_water_marks=_high_water_marks(workspace.lake),
                interactions=workspace.lake.file("catalog", INTERACTIONS.name),
            )
        except ValidationFailedError as error:
            raise dg.Failure(
                f"The generation was not announced; the last one stays served.\n{error}", allow_retries=False
            ) from error
        workspace.lake.remove_leftovers(before=clock.now() - dt.timedelta(days=1))
        copied = _copy_to_postgres(workspace, result.manifest.generation)
        removed = generations.prune(workspace.published, kept=workspace.config.pipeline.publishing.kept_generations)
    return dg.Output(None, metadata=_metadata(result, copied, removed))


def _metadata(result: Published, copied: str, removed: Sequence[str]) -> dict[str, Any]:
    manifest = result.manifest
    rows = "\n".join(f"| {n} | {t['rows']:,} | {t['bytes']:,} |" for n, t in sorted(manifest.tables.items()))
    return {
        "generation": manifest.generation,
        "announced": f"new, {manifest.kind}" if result.is_new else "unchanged: equal to the served one",
        "tables": dg.MetadataValue.md(f"| table | rows | bytes |\n| --- | ---: | ---: |\n{rows}"),
        "dagster/row_count": manifest.rows("feeds"),
        "megabytes": round(sum(f["bytes"] for f in manifest.files.values()) / 1e6, 1),
        "look_up_layers": max(len(files) for files in manifest.lookup.values()),
        "postgres": copied,
        "removed_generations": ", ".join(removed) or "none",
    }


def _copy_to_postgres(workspace: Workspace, generation: str) -> str:
    """Copies the served generation if `postgres` is enabled; one that an earlier run failed to copy too."""
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
    """Every table of the contract from where the lake holds it."""
    lake = workspace.lake
    feeds = lake.files("ranking", FEEDS.name)
    sources = {
        name: Source(frame=_scan(lake, layer, name), read_from=lake.files(layer, name))
        for name, layer in _FRAMES.items()
    }
    changes = lake.folder("ranking", FEED_CHANGES.name)
    nothing = Source(frame=FEEDS.empty().lazy())
    sources["feeds"] = Source(files=feeds, changes=changes) if feeds else nothing
    sources["jobs"] = Source(frame=published_jobs(lake), read_from=lake.files("catalog", JOBS.name))
    sources["reason_templates"] = Source(frame=_reason_templates().lazy())
    sources["recipes"] = Source(frame=_recipes(workspace).lazy())
    return sources


def _scan(lake: Lake, layer: str, name: str) -> pl.LazyFrame:
    return lake.scan(layer, TABLES[name])


def published_jobs(lake: Lake) -> pl.LazyFrame:
    """Open jobs and those that another published table refers to.

    Reasons name jobs that the user saved, applied to or opened: all of those are taken, which is cheaper than reading
    every reason.
    """
    jobs = lake.scan("catalog", JOBS)
    item_id = pl.col("items").struct.field("job_id").alias("job_id")
    lists = [("ranking", FEEDS), ("ranking", FALLBACK_FEEDS), ("training", SIMILAR_JOBS)]
    referenced = [lake.scan(layer, table).select("items").explode("items").select(item_id) for layer, table in lists]
    referenced += [lake.scan("features", table).select("job_id") for table in (TRENDING, NEARBY)]
    met = lake.scan("catalog", INTERACTIONS).filter(pl.col("is_saved") | pl.col("is_applied") | pl.col("is_seen"))
    referenced.append(met.select("job_id"))
    wanted = pl.concat([jobs.filter(pl.col("status") == "open").select("job_id"), *referenced]).unique()
    return jobs.join(wanted, on="job_id", how="semi")


def _reason_templates() -> pl.DataFrame:
    rows = [
        {"code": code, "language": language, "template": template}
        for code, templates in REASON_TEMPLATES.items()
        for language, template in templates.items()
    ]
    return pl.DataFrame(rows, schema=["code", "language", "template"])


def _recipes(workspace: Workspace) -> pl.DataFrame:
    rows = [
        {
            "recipe": name,
            "component": component,
            "weight": weight / sum(recipe.weights.values()),
            "neutral": recipe.neutral,
        }
        for name, recipe in workspace.config.ranking.recipes.items()
        for component, weight in recipe.weights.items()
    ]
    return pl.DataFrame(rows, schema=["recipe", "component", "weight", "neutral"])


def _high_water_marks(lake: Lake) -> dict[str, str]:
    """Per source of jobs the newest sighting, and the newest event."""
    seen = lake.scan("catalog", JOBS).group_by("source").agg(pl.col("last_seen_at").max()).sort("source")
    marks = {row["source"]: _iso(row["last_seen_at"]) for row in seen.collect().iter_rows(named=True)}
    newest = lake.scan("catalog", INTERACTIONS).select(pl.col("last_at").max()).collect().item()
    return marks | ({"events": _iso(newest)} if newest is not None else {})


def _iso(instant: dt.datetime | None) -> str:
    return instant.isoformat() if instant is not None else ""


ASSETS = [generation]
