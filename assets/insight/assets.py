"""Market trends and the demand for skills as assets, and the list of all assets of insight.

Queries are in sql/insight, formulas in `features`.
"""

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.insight.companies import company_profiles_table
from assets.insight.experiments import ASSET_CHECKS as EXPERIMENT_CHECKS
from assets.insight.experiments import ASSETS as EXPERIMENT_ASSETS
from assets.insight.exposures import exposures_table
from assets.insight.metrics import metrics_table
from assets.insight.outcomes import ASSETS as OUTCOME_ASSETS
from assets.insight.queries import MARKET_COLUMNS, insight_query
from assets.insight.skills import ASSETS as SKILL_ASSETS
from assets.plots import bar_chart, lines_over_time
from assets.resources import RunClock, Workspace
from features.schemas.insight import MARKET_TRENDS, SKILL_DEMAND
from serving.contract.tables import GLOBAL_AREA

TREND_WEEKS = 12
TREND_VALUES = 100
SALARY_BAND_USD = 1_000
DEMAND_PERIOD_DAYS = 28
MIN_JOBS_FOR_CHANGE = 10

_SQL = ("duckdb", "sql")


@asset("insight/market_trends", inputs=("catalog/jobs",), kinds=_SQL)
def market_trends_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """New jobs a week by skill, role, company and salary band, per country and overall, against the week before."""
    params = {
        "as_of": clock.as_of(context), "weeks": TREND_WEEKS, "top": TREND_VALUES, "salary_band": SALARY_BAND_USD,
        "min_jobs": MIN_JOBS_FOR_CHANGE,
    }  # fmt: skip
    table = insight_query("market_trends", workspace, {"jobs": jobs.select(MARKET_COLUMNS)}, params).pipe(
        MARKET_TRENDS.conform
    )
    roles = table.filter((pl.col("dimension") == "role") & (pl.col("area") == GLOBAL_AREA))
    newest = roles.filter(pl.col("week") == pl.col("week").max()).sort("n_jobs", "value", descending=[True, False])
    weekly = roles.with_columns(pl.col("week").cast(pl.Datetime))
    paid = newest.filter(pl.col("n_salaries") >= MIN_JOBS_FOR_CHANGE)
    return dg.Output(
        table,
        metadata={
            "n_weeks": table["week"].n_unique(),
            "n_areas": table["area"].n_unique(),
            "roles": bar_chart(newest, "value", "n_jobs", "New jobs this week by role"),
            "roles_by_week": lines_over_time(weekly, "week", "n_jobs", "value", "New jobs by week and role"),
            "pay": bar_chart(paid, "value", "salary_monthly_usd_median", "Median pay of new jobs by role, USD a month"),
        },
    )


@asset("insight/skill_demand", inputs=("catalog/jobs",), kinds=_SQL)
def skill_demand_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """How many open jobs ask for each skill, what they pay, and how that changed, per country and overall."""
    params = {"as_of": clock.as_of(context), "period_days": DEMAND_PERIOD_DAYS, "min_jobs": MIN_JOBS_FOR_CHANGE}
    table = insight_query("skill_demand", workspace, {"jobs": jobs.select(MARKET_COLUMNS)}, params).pipe(
        SKILL_DEMAND.conform
    )
    overall = table.filter(pl.col("area") == GLOBAL_AREA).sort("n_jobs", "skill", descending=[True, False])
    rising = overall.drop_nulls("change").sort("change", "skill", descending=[True, False])
    return dg.Output(
        table,
        metadata={
            "n_skills": overall.height,
            "n_areas": table["area"].n_unique(),
            "skills": bar_chart(overall, "skill", "n_jobs", "Skills in demand"),
            "rising": bar_chart(rising, "skill", "change", "Change of new jobs in four weeks"),
        },
    )


ASSETS = [
    *(market_trends_table, skill_demand_table, *SKILL_ASSETS, company_profiles_table),
    *(exposures_table, *OUTCOME_ASSETS, *EXPERIMENT_ASSETS, metrics_table),
]
ASSET_CHECKS = EXPERIMENT_CHECKS
