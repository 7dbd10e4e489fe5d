"""The running experiment and the off-policy values of recipes as assets, and the alarm for a lopsided split."""

import datetime as dt
from collections.abc import Set

import dagster as dg
import polars as pl

from assets.config.ranking import Experiment
from assets.declare import asset
from assets.insight.queries import Period, insight_query, reactions
from assets.plots import bar_chart
from assets.ranking.inputs import served_settings
from assets.resources import RunClock, Workspace
from features.schemas.insight import EXPERIMENTS
from models.evaluation.experiments import ALARM_BELOW, compare_arms
from models.evaluation.explored_slots import policy_values

_SQL = ("duckdb", "sql", "numpy")


@asset("insight/experiments", inputs=("insight/exposures",), deps=("bronze/events",), kinds=_SQL)
def experiments_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, exposures: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """CTR and apply rate of each arm against the first, with bounds that hold however often one looks at them."""
    experiment = workspace.config.ranking.experiment
    if experiment is None:
        return dg.Output(EXPERIMENTS.empty(), metadata={"experiment": "none is configured in ranking.yaml"})
    found = experiment_reactions(workspace, exposures, name=experiment.name, as_of=clock.as_of(context))
    sums = insight_query("experiment_sums", workspace, {"reactions": found}, {"experiment": experiment.name})
    table = compare_arms(sums, experiment.written_arms, name=experiment.name)
    ctr = table.filter(metric="ctr")
    return dg.Output(
        table,
        metadata={
            "experiment": experiment.name,
            **_notes(exposures, experiment, set(served_settings(workspace).recipes)),
            "ctr": bar_chart(ctr, "arm", "value", "CTR by arm"),
            "users": bar_chart(ctr, "arm", "n_users", "Users by arm"),
        },
    )


def _notes(exposures: pl.LazyFrame, experiment: Experiment, recipes: Set[str]) -> dict[str, str]:
    """What keeps the comparison from being what its arms say: a recipe that is not served, rows by other recipes."""
    notes, arms = {}, experiment.written_arms
    missing = sorted({arm.recipe for arm in arms if arm.share > 0} - recipes)
    if missing:
        notes["waits"] = f"no fit of {', '.join(missing)} is in use: until then, nothing that is shown is counted"
    written = pl.LazyFrame({"arm": [arm.name for arm in arms], "recipe": [arm.recipe for arm in arms]})
    others = exposures.filter(pl.col("experiment") == experiment.name).join(written, on=["arm", "recipe"], how="anti")
    n_others = others.select(pl.len()).collect(engine="streaming").item()
    if n_others:
        notes["warning"] = (
            f"{n_others:,} counted exposures are by other recipes than ranking.yaml names for their arms; "
            "give the experiment another name and salt to compare these arms alone"
        )
    return notes


def experiment_reactions(
    workspace: Workspace, exposures: pl.LazyFrame, *, name: str, as_of: dt.datetime
) -> pl.DataFrame:
    """Reactions to what the experiment showed since it began: bounds that hold at any time need data that only grow.

    A job that was shown before the experiment too counts from its first exposure within it.
    """
    shown = exposures.filter(pl.col("experiment") == name)
    return reactions(workspace, Period.since_first(shown, as_of), shown)


@asset("insight/policy_values", deps=("bronze/events", "insight/exposures"), kinds=_SQL)
def policy_values_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock
) -> dg.Output[pl.DataFrame]:
    """What each recipe would have earned on explored positions, from the chances with which these were filled."""
    period = Period.before(clock.as_of(context))
    recent = period.scan(period.exposures(workspace.lake), "shown_at")
    found = reactions(workspace, period, recent.filter(pl.col("explored"), pl.col("drawn").is_not_null()))
    table = policy_values(found, list(served_settings(workspace).recipes.values()))
    ctr = table.filter(metric="ctr", estimator="snips").sort("value", descending=True)
    return dg.Output(
        table, metadata={"n_slots": found.height, "ctr": bar_chart(ctr, "recipe", "value", "CTR by recipe (SNIPS)")}
    )


@dg.asset_check(asset=dg.AssetKey(["insight", "experiments"]), blocking=False)
def users_are_split_as_configured(experiments: pl.LazyFrame) -> dg.AssetCheckResult:
    """The users of each arm are as many as its share, up to chance: else the experiment compares different people."""
    arms = experiments.filter(metric="ctr").collect()
    p_value = float(arms["sample_ratio_p_value"][0]) if len(arms) else 1.0
    users = ", ".join(f"{arm}: {n} of {share:.0%}" for arm, n, share in arms.select("arm", "n_users", "share").rows())
    return dg.AssetCheckResult(
        passed=p_value >= ALARM_BELOW,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"p = {p_value:.2g}, alarm below {ALARM_BELOW}; {users or 'no experiment'}",
        metadata={"p_value": dg.MetadataValue.float(p_value)},
    )


ASSETS = [experiments_table, policy_values_table]
ASSET_CHECKS = [users_are_split_as_configured]
