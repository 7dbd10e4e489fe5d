"""The table of job features: what ranking needs of a job beside the catalog. Its formulas have modules of their own."""

import datetime as dt

import polars as pl

from features import components
from features.engagement import (
    counters_by_job,
    engagement_score,
    representative_id,
    seconds_before,
    share_of_maximum,
)
from features.jobs.companies import NEUTRAL_OUTCOME, completeness, quality
from features.schemas.features import JOB_FEATURES
from features.trending import PERIODS

COMPANY_SHARE = 0.75
_SECONDS_A_DAY = 86_400


def job_features(
    jobs: pl.LazyFrame,
    *,
    daily: pl.LazyFrame,
    companies: pl.LazyFrame,
    trending_scores: pl.DataFrame,
    as_of: dt.datetime,
) -> pl.DataFrame:
    """JOB_FEATURES: one row per job of the catalog, open or not.

    Engagement counts the last 90 days of a job and its near-duplicates together. A job's age runs from its publication
    or first sighting, whichever is older. poster_quality is 3/4 the company's and 1/4 the completeness of the posting;
    a job that names no company gets the market's outcome.
    """
    base = jobs.select(
        "job_id",
        "company_id",
        representative=representative_id(),
        completeness=completeness(),
        age_days=(seconds_before(as_of, pl.min_horizontal("published_at", "first_seen_at")) / _SECONDS_A_DAY).round(6),
    )
    counters = (
        counters_by_job(daily, as_of=as_of)
        .join(base.select("job_id", "representative"), on="job_id")
        .group_by("representative")
        .agg(pl.col("n_impressions", "n_applies", "weight").sum())
    )
    poster = pl.coalesce("company_quality", quality(pl.lit(NEUTRAL_OUTCOME), pl.col("completeness"), pl.lit(0.0)))
    table = (
        base.join(counters, on="representative", how="left")
        .join(_trending_columns(trending_scores).lazy(), on="representative", how="left")
        .join(companies.select("company_id", company_quality="poster_quality"), on="company_id", how="left")
        .with_columns(
            pl.col("n_impressions", "n_applies").fill_null(0),
            engagement_score=engagement_score(pl.col("weight")),
            poster_quality=(COMPANY_SHARE * poster + (1 - COMPANY_SHARE) * pl.col("completeness")).round(6),
        )
        .with_columns(
            engagement=share_of_maximum(pl.col("engagement_score")),
            **{f"trending_{period}": share_of_maximum(pl.col(period).fill_null(0.0)) for period in PERIODS},
        )
        .sort("job_id")
        .collect()
    )
    ages = table["age_days"].to_numpy()
    recency = pl.Series("recency", components.recency(ages)).fill_nan(None)
    return table.with_columns(recency).select(list(JOB_FEATURES.columns)).pipe(JOB_FEATURES.conform)


def _trending_columns(scores: pl.DataFrame) -> pl.DataFrame:
    """One row per representative, one column per period."""
    return scores.group_by(representative="job_id").agg(
        pl.col("score").filter(pl.col("period") == period).first().alias(period) for period in PERIODS
    )
