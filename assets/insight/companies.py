"""Profiles of companies as an asset."""

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.insight.queries import MARKET_COLUMNS, insight_query
from assets.plots import bar_chart
from assets.resources import RunClock, Workspace
from features.applications.answers import company_answers
from features.jobs.company_profiles import company_profiles
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS
from features.schemas.companies import COMPANY_FACTS, COMPANY_NEWS
from models.fitting.similar_companies import similar_companies

PROFILE_PARAMETERS = {
    "weeks": 12, "period_days": 28, "min_before": 5, "top": 10, "min_salaries": 5, "history_days": 180,
}  # fmt: skip
_COLUMNS = ("company_id", "company", "city", "work_format", "employment_type", "career_level", "language")


@asset(
    "insight/company_profiles",
    inputs=("catalog/jobs", "features/companies"),
    deps=("catalog/applications", "catalog/application_events", "bronze/company_facts", "bronze/company_news"),
    kinds=("duckdb", "sql", "scipy"),
)
def company_profiles_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    companies: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """What is known of each company: what it seeks where, its pay against the market, its trend, whether it answers,
    who is like it, facts and news."""
    as_of, lake = clock.as_of(context), workspace.lake
    frames = {"jobs": jobs.select(sorted({*MARKET_COLUMNS, *_COLUMNS})), "companies": companies}
    figures = insight_query("company_profiles", workspace, frames, {"as_of": as_of, **PROFILE_PARAMETERS})
    answers = company_answers(lake.scan("catalog", APPLICATIONS), lake.scan("catalog", APPLICATION_EVENTS), as_of=as_of)
    table = company_profiles(
        figures,
        similar_companies(figures),
        answers,
        facts=lake.scan("bronze", COMPANY_FACTS),
        news=lake.scan("bronze", COMPANY_NEWS),
        as_of=as_of,
    )
    codes = table.select(code=pl.col("insights").list.eval(pl.element().struct.field("code"))).explode("code")
    counts = codes.drop_nulls().group_by("code").agg(n_companies=pl.len()).sort("n_companies", descending=True)
    return dg.Output(
        table,
        metadata={
            "mean_completeness": round(float(table["completeness"].mean() or 0.0), 3),  # type: ignore[arg-type]
            **{f"with_{name}": int((table[name].list.len() > 0).sum()) for name in ("facts", "news")},
            "with_answers": int(table["answer_share"].is_not_null().sum()),
            "insights": bar_chart(counts, "code", "n_companies", "Companies by insight"),
        },
    )
