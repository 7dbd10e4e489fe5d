"""How far applications come, as an asset."""

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.plots import bar_chart
from assets.resources import Workspace
from features.applications.funnel import ALL, EVERYBODY, funnel, groups, reached_steps
from features.applications.summaries import last_shown
from features.schemas.catalog import JOBS
from features.schemas.insight import EXPOSURES


@asset(
    "insight/application_funnel",
    inputs=("catalog/application_events", "catalog/applications"),
    deps=("catalog/jobs", "insight/exposures"),
)
def application_funnel(
    workspace: Workspace, application_events: pl.LazyFrame, applications: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """How many applications came to each step, how many of those before it, and in how many days: of each user, and of
    all by source, recipe, arm, company, role, skill, level and country, in groups of at least ten people."""
    stands = applications.collect()
    shown = last_shown(stands, workspace.lake.scan("insight", EXPOSURES)).drop("score")
    grouped = groups(stands, workspace.lake.scan("catalog", JOBS), shown)
    table = funnel(reached_steps(application_events.collect(), stands), grouped)
    everybody = table.filter(pl.col("user_id") == EVERYBODY, pl.col("dimension") == ALL)
    steps = dict(everybody.select("step", "n_reached").iter_rows())
    chart = bar_chart(everybody.sort("position"), "step", "n_reached", "Applications by the step that they reached")
    return dg.Output(table, metadata={**{f"n_{step}": n for step, n in steps.items()}, "funnel": chart})


ASSETS = [application_funnel]
