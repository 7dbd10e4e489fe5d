"""Jobs by H3 cell of the map, at one resolution, so that a reader computes the same cell for a point."""

import h3
import polars as pl

from features.engagement import is_recommendable, top_jobs
from features.jobs.locations import places_of_jobs
from features.schemas.features import NEARBY
from features.vocabulary.places import is_on_earth

# Hexagons of about 36 km2, 6 km across (https://h3geo.org/docs/core-library/restable).
CELL_RESOLUTION = 6
TOP_JOBS = 100


def cells(latitudes: pl.Series, longitudes: pl.Series) -> pl.Series:
    """The H3 cell (15 hexadecimal digits) of each point in degrees; null if a coordinate is unknown or out of range."""
    points = pl.DataFrame({"latitude": latitudes, "longitude": longitudes}).cast(pl.Float64)
    distinct = points.filter(is_on_earth()).unique(maintain_order=True)
    named = distinct.with_columns(
        cell=pl.Series(
            [h3.latlng_to_cell(lat, lon, CELL_RESOLUTION) for lat, lon in distinct.iter_rows()], dtype=pl.String
        )
    )
    return points.join(named, on=["latitude", "longitude"], how="left", maintain_order="left")["cell"]


def nearby(jobs: pl.LazyFrame, job_features: pl.LazyFrame) -> pl.DataFrame:
    """NEARBY: the 100 open jobs per cell with the highest recency + engagement; newer wins a tie."""
    score = pl.col("recency").fill_null(0) + pl.col("engagement").fill_null(0)
    open_jobs = jobs.filter(is_recommendable())
    placed = (
        places_of_jobs(open_jobs)
        .join(open_jobs.select("job_id", "published_at"), on="job_id")
        .join(job_features.select("job_id", score=score), on="job_id", how="left")
        .select("job_id", "latitude", "longitude", "published_at", "score")
        .collect()
    )
    return (
        placed.with_columns(cells(placed["latitude"], placed["longitude"]))
        .drop_nulls("cell")
        .unique(["cell", "job_id"])
        .pipe(top_jobs, within=["cell"], limit=TOP_JOBS)
        .select(list(NEARBY.columns))
        .pipe(NEARBY.conform)
    )
