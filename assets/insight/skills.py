"""Skill gaps, what became of them, and learning plans as assets."""

import datetime as dt
from pathlib import Path

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.insight.queries import MARKET_COLUMNS, insight_query
from assets.plots import bar_chart
from assets.resources import RunClock, Workspace
from features.schemas.insight import SKILL_GAPS, SKILL_PROGRESS
from features.users.learning_plan import PlanLimits, learning_plans, learning_resources
from features.users.skill_gaps import MIN_ROLE_LIFT, MIN_ROLE_SHARE, skill_gaps
from features.users.skill_progress import skill_progress

PROGRESS_DAYS = 400
_STAGE = "insight"
_PARTS = 30  # of progress, before they are merged


@asset("insight/skill_gaps", inputs=("features/user_profiles", "catalog/jobs"), kinds=("duckdb", "sql", "polars"))
def skill_gaps_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    user_profiles: pl.LazyFrame,
    jobs: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """What each user has, has in part and lacks for the roles wanted, how long learning takes, and whether to apply.

    What left the gaps since the last run is added to `insight/skill_progress`.
    """
    params = {"min_share": MIN_ROLE_SHARE, "min_lift": MIN_ROLE_LIFT}
    required = insight_query("role_skills", workspace, {"jobs": jobs.select(MARKET_COLUMNS)}, params)
    table = skill_gaps(user_profiles, required)
    n_learned = _note_progress(workspace, table, clock.as_of(context))
    verdicts = table.group_by("verdict").agg(n_users=pl.len()).sort("verdict")
    missing = table.select(pl.col("missing").list.eval(pl.element().struct.field("skill")).explode()).to_series()
    lacking = missing.drop_nulls().value_counts(name="n_users").sort("n_users", "missing", descending=[True, False])
    return dg.Output(
        table,
        metadata={
            "n_users": table["user_id"].n_unique(),
            "n_roles": table["role"].n_unique(),
            "n_learned": n_learned,
            "verdicts": bar_chart(verdicts, "verdict", "n_users", "Verdicts"),
            "missing": bar_chart(lacking, "missing", "n_users", "Users who lack a skill of a wanted role"),
        },
    )


@asset("insight/learning_plans", inputs=("features/user_profiles", "catalog/jobs"), kinds=("polars", "scipy"))
def learning_plans_table(
    workspace: Workspace, user_profiles: pl.LazyFrame, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """The skills that open the most jobs of each wanted role per hour of learning, with free resources."""
    settings = workspace.config.pipeline.learning
    is_open = (pl.col("status") == "open") & pl.col("duplicate_of").is_null()
    columns = ("job_id", "country", "work_format", "skills", "published_at")
    market = jobs.filter(is_open).select(*columns, roles="professional_roles").collect()
    limits = PlanLimits(settings.steps, settings.jobs)
    table = learning_plans(user_profiles, market, learning_resources(_resources_file(workspace)), limits=limits)
    first = table.filter(pl.col("rank") == 1)["skill"].value_counts(name="n_users")
    shown = first.sort("n_users", "skill", descending=[True, False])
    return dg.Output(
        table,
        metadata={
            "n_users": table["user_id"].n_unique(),
            "first_skills": bar_chart(shown, "skill", "n_users", "Skills to learn first"),
        },
    )


def _note_progress(workspace: Workspace, now: pl.DataFrame, as_of: dt.datetime) -> int:
    """Adds the skills that left the gaps since the last run; returns how many."""
    lake, today = workspace.lake, as_of.astimezone(dt.UTC).date()
    before = lake.scan(_STAGE, SKILL_GAPS).select("user_id", "role", "partial", "missing").collect()
    learned = skill_progress(before, now, noticed_on=today)
    fresh, _ = lake.append_new(_STAGE, SKILL_PROGRESS, learned, within=("noticed_on",))
    since = today - dt.timedelta(days=PROGRESS_DAYS)
    lake.compact(_STAGE, SKILL_PROGRESS, more_than=_PARTS, keep=lambda rows: rows.filter(pl.col("noticed_on") >= since))
    return len(fresh)


def _resources_file(workspace: Workspace) -> Path:
    """The configured table of resources, else the shipped one."""
    named = workspace.config.pipeline.learning.resources
    if not named:
        return workspace.vocabulary / "learning_resources.csv"
    return (workspace.config_folder or Path()) / named


ASSETS = [skill_gaps_table, learning_plans_table]
