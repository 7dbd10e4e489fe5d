"""Quality of companies as posters: outcomes and completeness of their postings, and the share of re-posts.

The component of a single job, which adds the job's own completeness, is in jobs/features.
"""

import datetime as dt

import polars as pl

from features.engagement import counters_by_job
from features.schemas.features import COMPANIES

PRIOR_TRIALS = 50.0
OUTCOME_SHARE, COMPLETENESS_SHARE, NO_REPOST_SHARE = 0.6, 0.2, 0.2
NEUTRAL_OUTCOME = 0.5
GOOD_DESCRIPTION_CHARACTERS = 200


def completeness() -> pl.Expr:
    """Share of eight facts that a posting states, a multiple of 1/8.

    The facts: company, a description of at least 200 characters, skills, pay, place (or remote), work format,
    employment type, experience or level.
    """
    facts = (
        pl.col("company").is_not_null(),
        pl.col("description").str.len_chars() >= GOOD_DESCRIPTION_CHARACTERS,
        pl.col("skills").list.len() > 0,
        pl.col("salary_min").is_not_null() | pl.col("salary_max").is_not_null(),
        pl.col("city").is_not_null() | pl.col("country").is_not_null() | (pl.col("work_format") == "remote"),
        pl.col("work_format").is_not_null(),
        pl.col("employment_type").is_not_null(),
        pl.any_horizontal(
            pl.col(name).is_not_null() for name in ("experience_min_years", "experience_max_years", "career_level")
        ),
    )
    return pl.sum_horizontal(fact.fill_null(False).cast(pl.Float64) for fact in facts) / len(facts)


def companies(jobs: pl.LazyFrame, daily: pl.LazyFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """COMPANIES: one row per company of the catalog, its outcomes over the last 90 days.

    poster_quality = 0.6 outcome + 0.2 mean completeness + 0.2 (1 - re-post share); the outcome is the smoothed rate of
    applications relative to the market's, see `outcome`.
    """
    sources = jobs.select(duplicate_of="job_id", original_source="source", original_company="company_id")
    postings = (
        jobs.select(
            "job_id",
            "source",
            "duplicate_of",
            "company",
            "status",
            "company_id",
            completeness=completeness(),
        )
        .filter(pl.col("company_id").is_not_null())
        .join(sources, on="duplicate_of", how="left")
        .join(counters_by_job(daily, as_of=as_of), on="job_id", how="left")
        .with_columns(pl.col("n_impressions", "n_applies", "n_dismissals").fill_null(0))
        .with_columns(
            # The same job on two boards is not a re-post.
            is_repost=(pl.col("source") == pl.col("original_source"))
            & (pl.col("company_id") == pl.col("original_company")),
            n_trials=trials(),
        )
    )
    return (
        postings.group_by("company_id")
        .agg(
            pl.col("company").min(),
            pl.len().cast(pl.Int64).alias("n_jobs"),
            (pl.col("status") == "open").cast(pl.Int64).sum().alias("n_open_jobs"),
            pl.col("n_impressions", "n_applies", "n_dismissals", "n_trials").sum(),
            pl.col("is_repost").fill_null(False).cast(pl.Int64).sum().alias("n_reposts"),
            pl.col("completeness").mean(),
        )
        .with_columns(repost_share=(pl.col("n_reposts") / pl.col("n_jobs")).round(6))
        .with_columns(poster_quality=quality(outcome(), pl.col("completeness"), pl.col("repost_share")).round(6))
        .drop("n_trials", "n_reposts", "completeness")
        .sort("company_id")
        .collect()
        .pipe(COMPANIES.conform)
    )


def trials() -> pl.Expr:
    """Opportunities to apply: impressions, or applications if these are more, plus dismissals."""
    return pl.max_horizontal("n_impressions", "n_applies") + pl.col("n_dismissals")


def outcome() -> pl.Expr:
    """Rate of applications, shrunk to the market's m by 50 trials, as rate / (rate + m): 0.5 equals the market.

    Empirical Bayes shrinkage to the mean with a fixed prior weight. The market is all rows of the frame.
    """
    market = pl.col("n_applies").sum() / pl.col("n_trials").sum()
    rate = (pl.col("n_applies") + PRIOR_TRIALS * market) / (pl.col("n_trials") + PRIOR_TRIALS)
    return pl.when(pl.col("n_applies").sum() > 0).then(rate / (rate + market)).otherwise(NEUTRAL_OUTCOME)


def quality(outcome: pl.Expr, completeness: pl.Expr, repost_share: pl.Expr) -> pl.Expr:
    """`poster_quality`: the weighted mean of its three parts."""
    return OUTCOME_SHARE * outcome + COMPLETENESS_SHARE * completeness + NO_REPOST_SHARE * (1 - repost_share)
