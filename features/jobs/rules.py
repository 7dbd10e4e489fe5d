"""The rules that every value of a job keeps. A value that breaks one is removed where its posting is normalised.

One posting of a source can therefore never break a check of the whole table.
"""

import polars as pl

from features.jobs.salary import PAY
from features.schemas.catalog import CAREER_LEVELS, EMPLOYMENT_TYPES, SALARY_PERIODS, WORK_FORMATS

_BOUNDS = ("salary_min", "salary_max")
_PAY = (*PAY, "salary_monthly_usd_min", "salary_monthly_usd_max")
_POINT = ("latitude", "longitude")
_EXPERIENCE = ("experience_min_years", "experience_max_years")

# Rule -> whether a row breaks it, and the columns that are then null.
VALUE_RULES: dict[str, tuple[pl.Expr, tuple[str, ...]]] = {
    "work_format unknown": (~pl.col("work_format").is_in(WORK_FORMATS), ("work_format",)),
    "employment_type unknown": (~pl.col("employment_type").is_in(EMPLOYMENT_TYPES), ("employment_type",)),
    "career_level unknown": (~pl.col("career_level").is_in(CAREER_LEVELS), ("career_level",)),
    "salary_period unknown": (~pl.col("salary_period").is_in(SALARY_PERIODS), ("salary_period",)),
    "salary bounds swapped": (pl.col("salary_min") > pl.col("salary_max"), _PAY),
    "salary not positive": (pl.any_horizontal((pl.col(name) <= 0) | pl.col(name).is_nan() for name in _BOUNDS), _PAY),
    "experience bounds swapped": (pl.col("experience_min_years") > pl.col("experience_max_years"), _EXPERIENCE),
    "latitude out of range": (~pl.col("latitude").is_between(-90, 90), _POINT),
    "longitude out of range": (~pl.col("longitude").is_between(-180, 180), _POINT),
}


def sound_values(jobs: pl.DataFrame) -> pl.DataFrame:
    """`jobs` with null in place of the values that break a rule."""
    broken_by: dict[str, pl.Expr] = {}
    for is_broken, columns in VALUE_RULES.values():
        for name in columns:
            broken = is_broken.fill_null(value=False)
            broken_by[name] = broken_by[name] | broken if name in broken_by else broken
    return jobs.with_columns(
        pl.when(~is_broken).then(pl.col(name)).alias(name) for name, is_broken in broken_by.items()
    )
