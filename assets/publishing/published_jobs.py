"""Which jobs a generation holds: the open ones, and those that another published table refers to."""

from collections.abc import Mapping

import polars as pl

from assets.lake import Lake
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import NEARBY, TRENDING
from features.schemas.ranking import FALLBACK_FEEDS, FEEDS
from features.schemas.training import SIMILAR_JOBS

# Tables that list jobs, in lists of items or one a row, and where the lake holds them.
_LISTS = {
    FEEDS.name: ("ranking", FEEDS),
    FALLBACK_FEEDS.name: ("ranking", FALLBACK_FEEDS),
    SIMILAR_JOBS.name: ("training", SIMILAR_JOBS),
}
_ROWS = {TRENDING.name: ("features", TRENDING), NEARBY.name: ("features", NEARBY)}


def published_jobs(lake: Lake) -> pl.LazyFrame:
    """The published rows of JOBS.

    Reasons name jobs that the user saved, applied to or viewed. All of those are taken, which is cheaper than reading
    every reason.
    """
    jobs = lake.scan("catalog", JOBS)
    is_named = pl.col("is_saved") | pl.col("is_applied") | pl.col("is_seen")
    named = lake.scan("catalog", INTERACTIONS).filter(is_named).select("job_id")
    listed = listed_job_ids({name: lake.scan(*place) for name, place in (_LISTS | _ROWS).items()})
    return jobs.join(published_job_ids(jobs, listed, named), on="job_id", how="semi")


def published_job_ids(jobs: pl.LazyFrame, *referenced: pl.LazyFrame) -> pl.LazyFrame:
    """The distinct ids of open jobs and of those that are referenced (frames of job_id); some may have no row."""
    return pl.concat([jobs.filter(pl.col("status") == "open").select("job_id"), *referenced]).unique()


def listed_job_ids(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """The ids of the jobs that these rows of published tables list, by the name of the table."""
    item_id = pl.col("items").struct.field("job_id").alias("job_id")
    lists = [tables[name].select("items").explode("items").select(item_id) for name in _LISTS if name in tables]
    rows = [tables[name].select("job_id") for name in _ROWS if name in tables]
    return pl.concat([*lists, *rows]).drop_nulls()
