"""All places of jobs as arrays: a posting may name several, and each of them is found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from models.arrays import Doubles, Ints, Longs, codes


class PlacesOfPairs(NamedTuple):
    """Pairs of a user and a job (row, column) with places: how many, and where they begin in `place`, all places."""

    row: Longs
    column: Longs
    n_places: Longs
    first: Longs
    place: Longs


@dataclass(frozen=True)
class JobPlaces:
    """Places of jobs, in the order of the jobs; the places of job j are at `start[j]` to `start[j + 1]`."""

    start: Longs
    job: Ints
    city: Ints
    country: Ints
    latitude: Doubles
    longitude: Doubles

    @classmethod
    def encode(cls, places: pl.DataFrame, names: Mapping[str, pl.Series], *, n_jobs: int) -> "JobPlaces":
        """From columns job (row), city, country, latitude, longitude, sorted by job."""
        job = places["job"].to_numpy().astype(np.int32)
        return cls(
            start=np.searchsorted(job, np.arange(n_jobs + 1)).astype(np.int64),
            job=job,
            city=codes(places["city"], names["city"]),
            country=codes(places["country"], names["country"]),
            latitude=places["latitude"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            longitude=places["longitude"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        )

    def by(self, groups: Ints) -> tuple[Longs, Ints]:
        """Each pair of a group (a code of every place, -1 for none) and a job once, sorted."""
        n_jobs = len(self.start) - 1
        group, job = np.divmod(np.unique(groups.astype(np.int64) * n_jobs + self.job), max(n_jobs, 1))
        return group, job.astype(np.int32)

    def of_pairs(self, job: Ints) -> PlacesOfPairs:
        """The places of each of an array of jobs (B, C)."""
        n_places = (self.start[1:] - self.start[:-1])[job]
        row, column = np.nonzero(n_places)
        count = n_places[row, column]
        first = np.cumsum(count) - count
        place = np.repeat(self.start[job[row, column]] - first, count) + np.arange(count.sum())
        return PlacesOfPairs(row, column, count, first, place)
