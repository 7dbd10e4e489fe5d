"""What became of recommendations as assets: rates by recipe, position and slice, the match score, success patterns."""

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.insight.queries import Period, insight_query, reactions
from assets.plots import bar_chart, lines_over
from assets.resources import RunClock, Workspace
from assets.sql import Rows
from features.applications.funnel import step_patterns
from features.interactions import MAX_DWELL_SECONDS
from features.metrics import EVERY, MIN_USERS, USER_GROUPS
from features.outcomes import match_quality, outcome_rates, success_patterns
from features.pattern_counts import pattern_counts
from features.schemas.insight import APPLICATION_FUNNEL, SUCCESS_PATTERNS
from features.vocabulary.roles import Roles

MAX_POSITION = 50
NEW_JOB_DAYS = 7
PATTERN_VALUES = 200
_SQL = ("duckdb", "sql")
_LOGS = ("bronze/events", "insight/exposures")  # read by day
_PATTERN_JOBS = ("job_id", "company", "professional_roles", "skills", "career_level", "city", "country")


@asset("insight/outcomes", inputs=("catalog/jobs",), deps=_LOGS, kinds=_SQL)
def outcomes_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """Rates of clicks, applications, saves and dismissals and dwell over 28 days, by surface, recipe, arm and slice."""
    period = Period.before(clock.as_of(context))
    frames: dict[str, Rows] = {
        "events": period.events(workspace.lake),
        "exposures": period.exposures(workspace.lake),
        "jobs": jobs.select("job_id", "language", "country", "published_at", "first_seen_at"),
    }
    limits = {"max_dwell_seconds": MAX_DWELL_SECONDS, "new_days": NEW_JOB_DAYS, "max_position": MAX_POSITION}
    params = {**vars(period), **limits, "user_groups": USER_GROUPS}
    table = outcome_rates(insight_query("outcomes", workspace, frames, params))
    ctr = table.filter(metric="ctr", recipe=EVERY)
    positions = ctr.filter(dimension="position").with_columns(pl.col("slice").cast(pl.Int64)).sort("slice", "surface")
    slices = ctr.filter(pl.col("dimension").str.starts_with("job_"), surface=EVERY).sort("n", descending=True)
    slices = slices.with_columns(label=pl.format("{} {}", pl.col("dimension").str.strip_prefix("job_"), "slice"))
    return dg.Output(
        table,
        metadata={
            "ctr_by_position": lines_over(positions, "slice", "value", "surface", "CTR by position"),
            "ctr_by_surface": bar_chart(ctr.filter(dimension=EVERY), "surface", "value", "CTR by surface"),
            "ctr_by_slice": bar_chart(slices, "label", "value", "CTR by kind of job"),
        },
    )


@asset("insight/match_quality", deps=_LOGS, kinds=_SQL)
def match_quality_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock
) -> dg.Output[pl.DataFrame]:
    """How often users click, save or apply by match score, and precision, recall and F1 of every threshold."""
    table = match_quality(reactions(workspace, Period.before(clock.as_of(context))))
    of_recipes = table.filter(arm=EVERY, surface=EVERY)
    known, surfaces = of_recipes.drop_nulls("positive_share"), table.filter(recipe=EVERY).drop_nulls("f1")
    return dg.Output(
        table,
        metadata={
            "calibration": lines_over(
                known, "match_percent", "positive_share", "recipe", "Clicked, saved or applied to, by match percent"
            ),
            "f1": lines_over(of_recipes.drop_nulls("f1"), "match_percent", "f1", "recipe", "F1 by threshold"),
            "f1_by_surface": lines_over(surfaces, "match_percent", "f1", "surface", "F1 by threshold and surface"),
        },
    )


@asset(
    "insight/success_patterns",
    inputs=("catalog/interactions", "catalog/jobs"),
    deps=("insight/application_funnel",),
    kinds=("polars", "scipy"),
)
def success_patterns_table(
    workspace: Workspace, interactions: pl.LazyFrame, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """Which companies, industries, roles, skills, levels and places users act on more often than on all shown jobs, and
    with which of them applications come further.

    Groups of fewer than ten users are left out.
    """
    industries = Roles.load(workspace.vocabulary).names.select(role="slug", industry="family")
    labelled = jobs.select(_PATTERN_JOBS).collect()
    of_jobs = success_patterns(
        pattern_counts(interactions, labelled, industries, min_users=MIN_USERS, top=PATTERN_VALUES)
    )
    of_steps = step_patterns(workspace.lake.scan("insight", APPLICATION_FUNNEL).collect())
    table = pl.concat([of_jobs, of_steps]).sort(SUCCESS_PATTERNS.key)
    # By the lower bound: a high rate of few pairs is often chance.
    likely = table.filter(pl.col("lower") > pl.col("base_rate")).with_columns(
        label=pl.format("{}: {}", "dimension", "value"), least_lift=pl.col("lower") / pl.col("base_rate")
    )
    best = likely.filter(outcome="apply").sort("least_lift", "label", descending=[True, False])
    return dg.Output(
        table,
        metadata={
            "n_patterns": likely.height,
            "apply": bar_chart(best, "label", "least_lift", "Applied to more often than others: least lift"),
        },
    )


ASSETS = [outcomes_table, match_quality_table, success_patterns_table]
