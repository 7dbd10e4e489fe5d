"""Market trends, skill demand and skill gaps as assets, and the list of all assets of insight.

Queries are in sql/insight, formulas in `features`.
"""

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.insight.experiments import ASSET_CHECKS as EXPERIMENT_CHECKS
from assets.insight.experiments import ASSETS as EXPERIMENT_ASSETS
from assets.insight.exposures import exposures_table
from assets.insight.metrics import metrics_table
from assets.insight.outcomes import ASSETS as OUTCOME_ASSETS
from assets.insight.queries import insight_query
from assets.plots import bar_chart
from assets.resources import RunClock, Workspace
from features.schemas.insight import MARKET_TRENDS, SKILL_DEMAND
from features.users.skill_gaps import MIN_ROLE_SHARE, skill_gaps
from serving.contract.tables import GLOBAL_AREA

TREND_WEEKS = 12
TREND_VALUES = 100
SALARY_BAND_USD = 1_000
DEMAND_PERIOD_DAYS = 28

_SQL = ("duckdb", "sql")
_MARKET_COLUMNS = (
    "job_id", "company", "skills", "professional_roles", "country", "status", "duplicate_of", "published_at",
    "salary_monthly_usd_min", "salary_monthly_usd_max",
)  # fmt: skip


@asset("insight/market_trends", inputs=("catalog/jobs",), kinds=_SQL)
def market_trends_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """New jobs a week by skill, role, company and salary band, per country and overall, against the week before."""
    params = {
        "as_of": clock.as_of(context), "weeks": TREND_WEEKS, "top": TREND_VALUES, "salary_band": SALARY_BAND_USD
    }  # fmt: skip
    table = insight_query("market_trends", workspace, {"jobs": jobs.select(_MARKET_COLUMNS)}, params).pipe(
        MARKET_TRENDS.conform
    )
    roles = table.filter((pl.col("dimension") == "role") & (pl.col("area") == GLOBAL_AREA))
    newest = roles.filter(pl.col("week") == pl.col("week").max()).sort("n_jobs", "value", descending=[True, False])
    return dg.Output(
        table,
        metadata={
            "n_weeks": table["week"].n_unique(),
            "n_areas": table["area"].n_unique(),
            "roles": bar_chart(newest, "value", "n_jobs", "New jobs this week by role"),
        },
    )


@asset("insight/skill_demand", inputs=("catalog/jobs",), kinds=_SQL)
def skill_demand_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """How many open jobs ask for each skill, what they pay, and how that changed, per country and overall."""
    params = {"as_of": clock.as_of(context), "period_days": DEMAND_PERIOD_DAYS}
    table = insight_query("skill_demand", workspace, {"jobs": jobs.select(_MARKET_COLUMNS)}, params).pipe(
        SKILL_DEMAND.conform
    )
    overall = table.filter(pl.col("area") == GLOBAL_AREA).sort("n_jobs", "skill", descending=[True, False])
    return dg.Output(
        table,
        metadata={
            "n_skills": overall.height,
            "n_areas": table["area"].n_unique(),
            "skills": bar_chart(overall, "skill", "n_jobs", "Skills in demand"),
        },
    )


@asset("insight/skill_gaps", inputs=("features/user_profiles", "catalog/jobs"), kinds=(*_SQL, "polars"))
def skill_gaps_table(workspace: Workspace, user_profiles: pl.LazyFrame, jobs: pl.LazyFrame) -> dg.Output[pl.DataFrame]:
    """What each user has, has in part and lacks for the roles wanted, how long learning takes, and whether to apply."""
    required = insight_query(
        "role_skills", workspace, {"jobs": jobs.select(_MARKET_COLUMNS)}, {"min_share": MIN_ROLE_SHARE}
    )
    table = skill_gaps(user_profiles, required)
    verdicts = table.group_by("verdict").agg(n_users=pl.len()).sort("verdict")
    return dg.Output(
        table,
        metadata={
            "n_users": table["user_id"].n_unique(),
            "n_roles": table["role"].n_unique(),
            "verdicts": bar_chart(verdicts, "verdict", "n_users", "Verdicts"),
        },
    )


ASSETS = [
    *(market_trends_table, skill_demand_table, skill_gaps_table),
    *(exposures_table, *OUTCOME_ASSETS, *EXPERIMENT_ASSETS, metrics_table),
]
ASSET_CHECKS = EXPERIMENT_CHECKS
