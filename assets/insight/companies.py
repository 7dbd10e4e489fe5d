"""Profiles of companies as an asset."""

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.insight.queries import MARKET_COLUMNS, insight_query
from assets.plots import bar_chart
from assets.resources import RunClock, Workspace
from features.jobs.company_profiles import company_profiles
from models.fitting.similar_companies import similar_companies

PROFILE_PARAMETERS = {
    "weeks": 12, "period_days": 28, "min_before": 5, "top": 10, "min_salaries": 5, "history_days": 180,
}  # fmt: skip
_COLUMNS = ("company_id", "company", "city", "work_format", "employment_type", "career_level", "language")


@asset(
    "insight/company_profiles",
    inputs=("catalog/jobs", "features/companies", "bronze/company_facts"),
    kinds=("duckdb", "sql", "scipy"),
)
def company_profiles_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    companies: pl.LazyFrame,
    company_facts: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """What is known of each company: what it seeks where, its pay against the market, its trend, who is like it."""
    as_of = clock.as_of(context)
    frames = {"jobs": jobs.select(sorted({*MARKET_COLUMNS, *_COLUMNS})), "companies": companies}
    figures = insight_query("company_profiles", workspace, frames, {"as_of": as_of, **PROFILE_PARAMETERS})
    table = company_profiles(figures, similar_companies(figures), company_facts, as_of=as_of)
    codes = table.select(code=pl.col("insights").list.eval(pl.element().struct.field("code"))).explode("code")
    counts = codes.drop_nulls().group_by("code").agg(n_companies=pl.len()).sort("n_companies", descending=True)
    return dg.Output(
        table,
        metadata={
            "mean_completeness": round(float(table["completeness"].mean() or 0.0), 3),  # type: ignore[arg-type]
            "with_facts": int((table["facts"].list.len() > 0).sum()),
            "insights": bar_chart(counts, "code", "n_companies", "Companies by insight"),
        },
    )
