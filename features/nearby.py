"""Jobs by cell of the map: H3 cells of one resolution, so that whoever looks a point up computes the same cell."""

import h3
import polars as pl

from features.schemas.features import NEARBY

# Hexagons of about 36 km2, 6 km across (https://h3geo.org/docs/core-library/restable).
CELL_RESOLUTION = 6
TOP_JOBS = 100


def cells(latitudes: pl.Series, longitudes: pl.Series) -> pl.Series:
    """The H3 cell (15 hexadecimal digits) of each point in degrees; null where a coordinate is unknown or no such."""
    points = pl.DataFrame({"latitude": latitudes, "longitude": longitudes}).cast(pl.Float64)
    is_place = pl.col("latitude").is_between(-90, 90) & pl.col("longitude").is_between(-180, 180)
    distinct = points.filter(is_place).unique(maintain_order=True)
    named = distinct.with_columns(
        cell=pl.Series(
            [h3.latlng_to_cell(lat, lon, CELL_RESOLUTION) for lat, lon in distinct.iter_rows()], dtype=pl.String
        )
    )
    return points.join(named, on=["latitude", "longitude"], how="left", maintain_order="left")["cell"]


def nearby(jobs: pl.LazyFrame, job_features: pl.LazyFrame) -> pl.DataFrame:
    """NEARBY: the 100 open jobs per cell with the highest recency + engagement; newer wins a tie."""
    is_shown = (pl.col("status") == "open") & pl.col("duplicate_of").is_null()
    score = pl.col("recency").fill_null(0) + pl.col("engagement").fill_null(0)
    placed = (
        jobs.filter(is_shown)
        .select("job_id", "latitude", "longitude", "published_at")
        .join(job_features.select("job_id", score=score), on="job_id", how="left")
        .collect()
    )
    return (
        placed.with_columns(cells(placed["latitude"], placed["longitude"]))
        .drop_nulls("cell")
        .sort(
            "cell",
            "score",
            "published_at",
            "job_id",
            descending=[False, True, True, False],
            nulls_last=True,
        )
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("cell"))
        .filter(pl.col("rank") <= TOP_JOBS)
        .select(list(NEARBY.columns))
        .pipe(NEARBY.conform)
    )
