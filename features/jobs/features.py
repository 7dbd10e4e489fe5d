"""The tables JOB_FEATURES and SKILL_WEIGHTS: what ranking needs of jobs beside the catalog.

Formulas of components, engagement, trending and companies have modules of their own.
"""

import datetime as dt

import polars as pl

from features import components
from features.engagement import (
    counters_by_job,
    engagement_score,
    is_recommendable,
    representative_id,
    seconds_before,
    share_of_maximum,
)
from features.jobs.companies import NEUTRAL_OUTCOME, completeness, quality
from features.schemas.features import JOB_FEATURES, SKILL_WEIGHTS
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

    Engagement counts the last 90 days of a job together with its near-duplicates. A job's age counts from its
    publication or first sighting, whichever is earlier. poster_quality is 3/4 the company's and 1/4 the completeness of
    the posting; a job without a company gets the market's outcome.
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


def skill_weights(jobs: pl.LazyFrame) -> pl.DataFrame:
    """SKILL_WEIGHTS: one row per skill that an open job asks for. A rarer skill is more informative and weighs more."""
    open_jobs = jobs.filter(is_recommendable()).select("job_id", pl.col("skills").list.unique()).collect()
    return (
        open_jobs.explode("skills")
        .rename({"skills": "skill"})
        .drop_nulls("skill")
        .group_by("skill")
        .agg(pl.len().cast(pl.Int64).alias("n_jobs"))
        .with_columns(rarity=rarity(pl.col("n_jobs"), pl.lit(open_jobs.height)))
        .sort("skill")
        .pipe(SKILL_WEIGHTS.conform)
    )


def rarity(n_with: pl.Expr, n_all: pl.Expr) -> pl.Expr:
    """Inverse document frequency ln(1 + N / n) (K. Sparck Jones, 1972) divided by its maximum ln(1 + N); in (0, 1]."""
    total = n_all.cast(pl.Float64)
    return ((1 + total / n_with).log() / (1 + total).log()).round(6).cast(pl.Float32)


def _trending_columns(scores: pl.DataFrame) -> pl.DataFrame:
    """One row per representative, one column per period."""
    return scores.group_by(representative="job_id").agg(
        pl.col("score").filter(pl.col("period") == period).first().alias(period) for period in PERIODS
    )
