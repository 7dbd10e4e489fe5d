"""Keeps what feeds said of the jobs that users were shown, because the generations themselves are soon removed."""

import datetime as dt
import itertools
import shutil
from collections.abc import Sequence, Set
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pyarrow.parquet as pq

from assets.config.ranking import Experiment
from assets.declare import asset
from assets.erasing.requests import Erasures
from assets.insight.queries import Period, insight_query
from assets.instants import parse_as_of
from assets.io import StoredTable
from assets.lake import Lake
from assets.parts import current_parts
from assets.plots import bar_chart
from assets.publishing.database import open_database
from assets.publishing.generations import list_generations
from assets.resources import RunClock, Workspace
from assets.sql import Rows, query_text
from features.interactions import CLOCK_SKEW
from features.schemas.insight import EXPOSURES
from models.ranking.experiments import assign_arms
from serving.contract.generation import DATABASE, Manifest

_LAYER = "insight"
_PARTS_OF_A_DAY = 16


@asset("insight/exposures", deps=("bronze/erasures", "bronze/events"), kinds=("duckdb", "sql"))
def exposures_table(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """New impressions in feeds and digests, with recipe, arm, score and propensity of the generation that was shown.

    An impression that is read after its generation was removed counts for no recipe; their number is reported.
    """
    lake, as_of = workspace.lake, clock.as_of(context)
    impressions, n_too_late = new_impressions(workspace, until=as_of + CLOCK_SKEW)
    kept = Erasures.load(lake).without_erased(impressions, at="shown_at")
    ranking, pipeline = workspace.config.ranking, workspace.config.pipeline
    found = exposures_of(
        workspace.published, kept, experiment=ranking.experiment, memory_limit=pipeline.duckdb_memory_limit
    )
    for (day,), rows in found.group_by(pl.col("shown_at").dt.date(), maintain_order=True):
        lake.append(_LAYER, EXPOSURES, rows, partition=f"date={day}")
    _compact(lake, before=as_of.date())
    days = (pipeline.exposure_retention_days, max(pipeline.exposure_retention_days, pipeline.event_retention_days))
    before, before_all = (as_of.date() - dt.timedelta(days=n_days) for n_days in days)
    running = ranking.experiment.name if ranking.experiment is not None else None
    _drop_days(lake, before=before, running=running, before_all=before_all)
    by_recipe = found.group_by("recipe").len().sort("recipe")
    return dg.Output(
        StoredTable(EXPOSURES, lake.n_rows(_LAYER, EXPOSURES)),
        metadata={
            "n_new": found.height,
            "n_without_own_feed": kept.height - found.height,
            "n_of_removed_generations": n_too_late,
            "recipes": bar_chart(by_recipe, "recipe", "len", "New exposures by recipe"),
        },
    )


def new_impressions(workspace: Workspace, *, until: dt.datetime) -> tuple[pl.DataFrame, int]:
    """Impressions of generations that still exist and that EXPOSURES lacks: rows of query insight/impressions.

    Returns also how many impressions of the same time belong to a generation that was removed before they were read.
    """
    lake = workspace.lake
    found = [one for one in list_generations(workspace.published) if parse_as_of(one.as_of) <= until]
    period = Period(min((parse_as_of(one.as_of) for one in found), default=until), until)
    frames: dict[str, Rows] = {"events": period.events(lake), "generations": _in_force(found)}
    shown = insight_query("impressions", workspace, frames, vars(period))
    key = list(EXPOSURES.key)
    known = period.scan(period.exposures(lake), "shown_at").select(key).collect()
    unknown = shown.join(known, on=key, how="anti")
    # Without a name, it may have been attributed while its generation was there.
    nameless = unknown.filter(pl.col("generation").is_null()).join(known, on=key[:-1], how="anti")
    named = unknown.filter(pl.col("generation").is_not_null(), ~pl.col("is_kept"))
    return unknown.filter("is_kept").drop("is_kept"), len(nameless) + len(named)


def _in_force(found: Sequence[Manifest]) -> pl.DataFrame:
    """When each generation was created, and when the next one replaced it.

    Whether a generation was replaced by one that is gone shows in the next one's parent: then it counts as replaced at
    once, because the instant is not known.
    """
    in_order = sorted(found, key=lambda one: (parse_as_of(one.created_at), one.generation))
    rows = []
    for one, after in itertools.zip_longest(in_order, in_order[1:]):
        created = parse_as_of(one.created_at)
        replaced = parse_as_of(after.created_at) if after is not None else None
        is_followed = after is None or after.parent == one.generation
        rows.append((one.generation, created, replaced if is_followed else created))
    instant = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        rows, schema={"generation": pl.String, "created_at": instant, "replaced_at": instant}, orient="row"
    )


def exposures_of(
    published: Path, impressions: pl.DataFrame, *, experiment: Experiment | None, memory_limit: str
) -> pl.DataFrame:
    """EXPOSURES of impressions (rows of query insight/impressions), in order of their key."""
    parts = [EXPOSURES.empty()]
    for (generation,), rows in impressions.partition_by("generation", as_dict=True).items():
        folder = published / str(generation)
        try:
            con = open_database(folder, memory_limit=memory_limit)
        except duckdb.IOException:
            if (folder / DATABASE).exists():
                raise
            continue  # another run removed the generation since it was listed
        with con:
            con.execute("set TimeZone = 'UTC'")
            con.register("impressions", rows.to_arrow())
            rows = EXPOSURES.conform(con.sql(query_text("insight/exposures")).pl())
            recipes = con.sql("select distinct recipe from recipes").pl()["recipe"]
            parts.append(rows if experiment is None else with_experiment(rows, experiment, recipes=set(recipes)))
    return pl.concat(parts).sort(list(EXPOSURES.key))


def with_experiment(found: pl.DataFrame, experiment: Experiment, *, recipes: Set[str]) -> pl.DataFrame:
    """EXPOSURES of a generation with the experiment's name where it assigns the user to the row's arm and recipe.

    `recipes` are those of the generation. It counts for the experiment only if it has those of all arms: without a fit
    of `learned`, that arm is ranked by another recipe. The other arms wait for it, so that all are compared over the
    same time.
    """
    arms = experiment.written_arms
    if found.is_empty() or not {arm.recipe for arm in arms if arm.share > 0} <= recipes:
        return found
    place = assign_arms(found["user_id"], salt=experiment.salt, arms=arms)
    assigned = pl.DataFrame({"arm": [arm.name for arm in arms], "recipe": [arm.recipe for arm in arms]})[place]
    is_assigned = pl.all_horizontal(pl.col(name) == pl.lit(assigned[name]) for name in assigned.columns)
    return found.with_columns(experiment=pl.when(is_assigned).then(pl.lit(experiment.name)))


def _compact(lake: Lake, *, before: dt.date) -> None:
    for folder in sorted(lake.folder(_LAYER, EXPOSURES.name).glob("date=*")):
        if dt.date.fromisoformat(folder.name.removeprefix("date=")) < before:
            lake.compact(_LAYER, EXPOSURES, more_than=_PARTS_OF_A_DAY, partition=folder.name)


def _drop_days(lake: Lake, *, before: dt.date, running: str | None, before_all: dt.date) -> None:
    """Removes the exposures of days before `before`, because they name users.

    Those of the `running` experiment go with the days before `before_all`: its bounds need data that only grow.
    """
    for folder in lake.folder(_LAYER, EXPOSURES.name).glob("date=*"):
        day = dt.date.fromisoformat(folder.name.removeprefix("date="))
        if day >= before:
            continue
        if running is not None and day >= before_all:
            _keep_experiment(lake, folder, running)
        else:
            shutil.rmtree(folder)


def _keep_experiment(lake: Lake, folder: Path, name: str) -> None:
    """Leaves the experiment's rows of a day. What was cleaned before is not read again."""
    if all(_is_of_experiment(path, name) for path in current_parts(folder)):
        return
    is_kept = pl.col("experiment") == name
    lake.compact(_LAYER, EXPOSURES, more_than=0, partition=folder.name, keep=lambda rows: rows.filter(is_kept))
    if not sum(pq.read_metadata(path).num_rows for path in current_parts(folder)):
        shutil.rmtree(folder)


def _is_of_experiment(path: Path, name: str) -> bool:
    """Whether the file's statistics say that all its rows are of the experiment."""
    found = pq.read_metadata(path)
    column = found.schema.names.index("experiment")
    statistics = [found.row_group(group).column(column).statistics for group in range(found.num_row_groups)]
    return all(one is not None and one.null_count == 0 and one.min == one.max == name for one in statistics)
