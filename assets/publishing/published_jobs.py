"""Which jobs a generation holds: the open ones, and those that another published table refers to."""

from collections.abc import Mapping
from functools import partial

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from assets.lake import Lake
from assets.ranking.listed import read_feeds
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS, INTERACTIONS, JOBS
from features.schemas.features import NEARBY, TRENDING
from features.schemas.ranking import FALLBACK_FEEDS, FEEDS
from features.schemas.training import SIMILAR_JOBS
from serving.contract.tables import JOB_REFERENCE_CODES

# Tables that list jobs, in lists of items or one a row, and where the lake holds them.
_LISTS = {
    FEEDS.name: ("ranking", FEEDS),
    FALLBACK_FEEDS.name: ("ranking", FALLBACK_FEEDS),
    SIMILAR_JOBS.name: ("training", SIMILAR_JOBS),
}
_ROWS = {TRENDING.name: ("features", TRENDING), NEARBY.name: ("features", NEARBY)}
_OF_APPLICATIONS = (APPLICATIONS.name, APPLICATION_EVENTS.name)


def published_jobs(lake: Lake) -> pl.LazyFrame:
    """The published rows of JOBS.

    Reasons name jobs that the user saved, applied to or viewed. All of those are taken, which is cheaper than reading
    every reason.
    """
    jobs = lake.scan("catalog", JOBS)
    is_named = pl.col("is_saved") | pl.col("is_applied") | pl.col("is_seen")
    named = lake.scan("catalog", INTERACTIONS).filter(is_named).select("job_id")
    small = {name: lake.scan(*place) for name, place in (_LISTS | _ROWS).items() if name != FEEDS.name}
    in_feeds = pl.defer(partial(_ids_in_feeds, lake), schema=_NO_IDS.schema)
    wanted = published_job_ids(jobs, listed_job_ids(small), in_feeds, named)
    return jobs.join(wanted, on="job_id", how="semi")


_NO_IDS = pl.DataFrame(schema={"job_id": pl.String})


def _ids_in_feeds(lake: Lake) -> pl.DataFrame:
    """The ids of the jobs that stored feeds list, some more than once. The other fields of items are not decoded."""

    def read(feeds: pa.Table) -> pl.DataFrame:
        listed = pc.struct_field(pc.list_flatten(feeds["items"]), 0)
        return pl.DataFrame({"job_id": pc.unique(listed)}, schema=_NO_IDS.schema)

    return pl.concat([_NO_IDS, *read_feeds(lake, ["job_id"], read)])


def published_job_ids(jobs: pl.LazyFrame, *referenced: pl.LazyFrame) -> pl.LazyFrame:
    """The distinct ids of open jobs and of those that are referenced (frames of job_id); some may have no row."""
    return pl.concat([jobs.filter(pl.col("status") == "open").select("job_id"), *referenced]).unique()


def listed_job_ids(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """The ids of the jobs that these rows of published tables list, by the name of the table."""
    item_id = pl.col("items").struct.field("job_id").alias("job_id")
    lists = [tables[name].select("items").explode("items").select(item_id) for name in _LISTS if name in tables]
    rows = [tables[name].select("job_id") for name in _ROWS if name in tables]
    return pl.concat([*lists, *rows]).drop_nulls()


def named_job_ids(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """The distinct ids of the jobs, open or not, that reasons of feeds and applications name in these rows."""
    rows = [tables[name].select("job_id") for name in _OF_APPLICATIONS if name in tables]
    reasons = [_ids_in_reasons(tables[FEEDS.name])] if FEEDS.name in tables else []
    return pl.concat([_NO_IDS.lazy(), *rows, *reasons]).drop_nulls().unique()


def _ids_in_reasons(feeds: pl.LazyFrame) -> pl.LazyFrame:
    lists = feeds.select("items").explode("items").select(pl.col("items").struct.field("reasons"))
    reason = lists.explode("reasons").select(pl.col("reasons").struct.field("code", "ref"))
    return reason.filter(pl.col("code").is_in(JOB_REFERENCE_CODES)).select(pl.col("ref").alias("job_id"))
