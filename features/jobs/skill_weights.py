"""How telling a skill is: its rarity among the open jobs. What users have or lack of it lives elsewhere."""

import polars as pl

from features.engagement import is_recommendable
from features.schemas.features import SKILL_WEIGHTS


def rarity(n_with: pl.Expr, n_all: pl.Expr) -> pl.Expr:
    """Inverse document frequency ln(1 + N / n) (K. Sparck Jones, 1972) over its greatest, ln(1 + N); in (0, 1]."""
    total = n_all.cast(pl.Float64)
    return ((1 + total / n_with).log() / (1 + total).log()).round(6).cast(pl.Float32)


def skill_weights(jobs: pl.LazyFrame) -> pl.DataFrame:
    """SKILL_WEIGHTS: one row per skill that an open job asks for."""
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
