"""Digests, the market, skill gaps and metrics."""

import polars as pl

from features.schemas.table import STRINGS, UTC_TIMESTAMP, Table

DIGESTS = Table(
    "digests",
    {
        "user_id": pl.String,
        "digest_date": pl.Date,
        "title": pl.String,
        "summary": pl.String,
        "html": pl.String,
        "text": pl.String,
        "top_jobs": pl.List(pl.Struct({"job_id": pl.String, "rank": pl.Int16, "match_percent": pl.Int16})),
        "total_new_jobs": pl.Int32,
        "total_matches": pl.Int32,
        "market_trends": pl.List(pl.Struct({"name": pl.String, "n_jobs": pl.Int64, "change": pl.Float64})),
        "skill_recommendations": STRINGS,
        "generation_time_seconds": pl.Float64,
    },
    key=("user_id", "digest_date"),
)
# Grain: user, job that was in a digest. Partitioned by the UTC date of the run that made the digest.
DIGEST_ITEMS = Table(
    "digest_items",
    {"user_id": pl.String, "job_id": pl.String, "digest_date": pl.Date, "made_at": UTC_TIMESTAMP},
    key=("user_id", "digest_date", "job_id"),
)
# Grain: dimension (skill, role, company, salary), value, area, week (Monday, UTC).
MARKET_TRENDS = Table(
    "market_trends",
    {
        "dimension": pl.String,
        "value": pl.String,
        "area": pl.String,
        "week": pl.Date,
        "n_jobs": pl.Int64,
        "salary_monthly_usd_median": pl.Float64,
        "change": pl.Float64,  # of n_jobs against the week before, as a share; null without one
    },
    key=("dimension", "value", "area", "week"),
)
SKILL_DEMAND = Table(
    "skill_demand",
    {
        "skill": pl.String,
        "area": pl.String,
        "n_jobs": pl.Int64,
        "share": pl.Float64,
        "salary_monthly_usd_median": pl.Float64,
        "change": pl.Float64,
    },
    key=("skill", "area"),
)
SKILL_GAPS = Table(
    "skill_gaps",
    {
        "user_id": pl.String,
        "role": pl.String,
        "has": STRINGS,
        "partial": STRINGS,
        "missing": pl.List(
            pl.Struct({"skill": pl.String, "impact": pl.Float32, "priority": pl.String, "estimated_hours": pl.Int32})
        ),
        "coverage_share": pl.Float32,
        "estimated_hours": pl.Int32,
        "verdict": pl.String,  # apply_now, learn_first, reconsider
    },
    key=("user_id", "role"),
)
METRICS = Table(
    "metrics",
    {
        "metric": pl.String,
        "recipe": pl.String,
        "arm": pl.String,
        "surface": pl.String,
        "value": pl.Float64,
        "lower": pl.Float64,
        "upper": pl.Float64,
        "n": pl.Int64,
    },
    key=("metric", "recipe", "arm", "surface"),
)
