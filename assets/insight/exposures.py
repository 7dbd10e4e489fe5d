"""Keeps what feeds said of the jobs that users were shown, because the generations themselves are soon removed."""

import datetime as dt
from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import polars as pl

from assets.declare import asset
from assets.ingest.events.store import without_erased
from assets.insight.queries import Period, insight_query
from assets.instants import parse_as_of
from assets.io import StoredTable
from assets.lake import Lake
from assets.plots import bar_chart
from assets.publishing.generations import list_generations
from assets.resources import RunClock, Workspace
from assets.sql import query_text
from features.interactions import CLOCK_SKEW
from features.schemas.insight import EXPOSURES
from models.ranking.experiments import Arm, assign_arms

_LAYER = "insight"
_COLUMNS = ("user_id", "job_id", "event_type", "occurred_at", "surface", "position", "generation", "is_bot")
_PARTS_OF_A_DAY = 16


@asset("insight/exposures", inputs=("bronze/events", "bronze/erasures"), kinds=("duckdb", "sql"))
def exposures_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    events: pl.LazyFrame,
    erasures: pl.LazyFrame,
) -> dg.Output[StoredTable]:
    """New impressions in feeds and digests, with recipe, arm, score and propensity of the generation that was shown.

    Runs must not be further apart than generations are kept: an impression of a removed one counts for no recipe.
    """
    lake, as_of = workspace.lake, clock.as_of(context)
    impressions = new_impressions(workspace, events, until=as_of + CLOCK_SKEW)
    kept = without_erased(impressions, erasures.collect(), at="shown_at")
    found = exposures_of(workspace.published, kept, memory_limit=workspace.config.pipeline.duckdb_memory_limit)
    found = with_experiment(found, workspace)
    for (day,), rows in found.group_by(pl.col("shown_at").dt.date(), maintain_order=True):
        lake.append(_LAYER, EXPOSURES, rows, partition=f"date={day}")
    _compact(lake, before=as_of.date())
    by_recipe = found.group_by("recipe").len().sort("recipe")
    return dg.Output(
        StoredTable(EXPOSURES, lake.n_rows(_LAYER, EXPOSURES)),
        metadata={
            "n_new": found.height,
            "n_without_own_feed": kept.height - found.height,
            "recipes": bar_chart(by_recipe, "recipe", "len", "New exposures by recipe"),
        },
    )


def new_impressions(workspace: Workspace, events: pl.LazyFrame, *, until: dt.datetime) -> pl.DataFrame:
    """Impressions of generations that still exist and that EXPOSURES lacks; rows of query insight/impressions."""
    dated = [(one.generation, parse_as_of(one.as_of)) for one in list_generations(workspace.published)]
    generations = pl.DataFrame(
        dated, schema={"generation": pl.String, "as_of": pl.Datetime("us", "UTC")}, orient="row"
    ).filter(pl.col("as_of") <= until)
    oldest = generations["as_of"].min()
    period = Period(oldest if isinstance(oldest, dt.datetime) else until, until)
    recent = period.of(events, "occurred_at").filter(event_type="impression").select(_COLUMNS)
    shown = insight_query("impressions", workspace, {"events": recent, "generations": generations}, {})
    key = list(EXPOSURES.key)
    known = workspace.lake.scan(_LAYER, EXPOSURES).filter(pl.col("shown_at") > period.since).select(key).collect()
    return shown.join(known, on=key, how="anti")


def exposures_of(published: Path, impressions: pl.DataFrame, *, memory_limit: str) -> pl.DataFrame:
    """EXPOSURES of impressions (rows of query insight/impressions), without experiment, in order of their key."""
    parts = [EXPOSURES.empty()]
    for (generation,), rows in impressions.partition_by("generation", as_dict=True).items():
        path = published / str(generation) / "jobfeed.duckdb"
        try:
            con = duckdb.connect(str(path), read_only=True, config={"memory_limit": memory_limit})
        except duckdb.IOException:
            if path.exists():
                raise
            continue  # another run removed the generation since it was listed
        with con:
            con.execute("set TimeZone = 'UTC'")
            con.register("impressions", rows.to_arrow())
            parts.append(EXPOSURES.conform(con.sql(query_text("insight/exposures")).pl()))
    return pl.concat(parts).sort(list(EXPOSURES.key))


def with_experiment(found: pl.DataFrame, workspace: Workspace) -> pl.DataFrame:
    """EXPOSURES with the name of the configured experiment where it assigns the user to the row's arm."""
    experiment = workspace.config.ranking.experiment
    if experiment is None or found.is_empty():
        return found
    arms = [Arm(arm.name, arm.share, arm.recipe) for arm in experiment.arms]
    names = np.array([arm.name for arm in arms])[assign_arms(found["user_id"], salt=experiment.salt, arms=arms)]
    is_assigned = pl.col("arm") == pl.lit(pl.Series(names))
    return found.with_columns(experiment=pl.when(is_assigned).then(pl.lit(experiment.name)))


def _compact(lake: Lake, *, before: dt.date) -> None:
    for folder in sorted(lake.folder(_LAYER, EXPOSURES.name).glob("date=*")):
        if dt.date.fromisoformat(folder.name.removeprefix("date=")) < before:
            lake.compact(_LAYER, EXPOSURES, more_than=_PARTS_OF_A_DAY, partition=folder.name)
