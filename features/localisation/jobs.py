"""What readers see of a job in their language: places, board, how the work is done, pay."""

from collections.abc import Mapping

import polars as pl

from features.localisation.money import pay
from features.localisation.places import PlaceNames
from features.localisation.words import in_words

# The facts of a job as texts, in the order in which lists show them.
FACTS = ("city", "country", "work_format", "employment_type", "career_level", "salary")


def with_reader_names(jobs: pl.DataFrame, *, places: PlaceNames, boards: Mapping[str, str]) -> pl.DataFrame:
    """`jobs` (rows of JOBS) with city_ru, region_ru and board; `boards`: the names of sources."""
    named = places.of(jobs)
    board = pl.col("source").replace_strict(dict(boards), default=None, return_dtype=pl.String)
    return jobs.with_columns(named["city_ru"], named["region_ru"], board=board)


def facts(language: str, countries: Mapping[str, str]) -> dict[str, pl.Expr]:
    """FACTS of rows of JOBS in the language; null where nothing is known. `countries`: names in it by code."""
    city = pl.coalesce("city_ru", "city") if language == "ru" else pl.col("city")
    return {
        "city": city,
        "country": pl.col("country").replace(dict(countries)),
        **{name: in_words(name, language) for name in ("work_format", "employment_type", "career_level")},
        "salary": pay(language),
    }
