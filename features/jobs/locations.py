"""The places of jobs, one row per job and place. How texts are read is in vocabulary."""

import polars as pl

from features.schemas.catalog import LOCATION

PLACE = tuple(LOCATION.to_schema())


def places_of_jobs(jobs: pl.LazyFrame) -> pl.LazyFrame:
    """Columns job_id, city, region, country, latitude, longitude and is_first of `jobs` (JOBS), in their order.

    The first place of a job is that of its own columns, which may be unknown; the others are those of `locations`.
    """
    own = jobs.select("job_id", *PLACE, is_first=pl.lit(value=True))
    others = (
        jobs.filter(pl.col("locations").list.len() > 0)
        .select("job_id", place="locations")
        .explode("place")
        .unnest("place")
        .with_columns(is_first=pl.lit(value=False))
        .join(own, on=["job_id", *PLACE], how="anti", nulls_equal=True, maintain_order="left")
        .unique(["job_id", *PLACE], keep="first", maintain_order=True)
    )
    return pl.concat([own, others])
