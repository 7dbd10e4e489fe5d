"""Lists of jobs that many users share, made once per run: the best jobs of each group, and map cells as groups."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import Doubles, Floats, Ints, padded_rows

OVERFETCH = 3  # shared lists are three times as long as needed: a user's forbidden jobs leave gaps


def grouped_lists(groups: NDArray[Any], jobs: NDArray[Any], values: Floats, *, n_groups: int, length: int) -> Ints:
    """The `length` best jobs of each group by value, -1 padded; group -1 and value -inf are left out.

    Row g + 1 is the list of group g; row 0 is empty, for users without a group.
    """
    kept = (groups >= 0) & (values > -np.inf)
    groups, jobs, values = groups[kept], jobs[kept], values[kept]
    order = np.lexsort((jobs, -values, groups))
    rows = groups[order].astype(np.int64) + 1
    return padded_rows(rows, jobs[order].astype(np.int32), n_rows=n_groups + 1, width=length)


def cells_of(latitude: Doubles, longitude: Doubles) -> pl.Series:
    """Coordinates rounded to a tenth of a degree (about 11 km), as text; null where one is unknown."""
    frame = pl.DataFrame({"latitude": latitude, "longitude": longitude}).fill_nan(None)
    tenths = [(pl.col(name) * 10).round().cast(pl.Int64) for name in frame.columns]
    return frame.select(pl.format("{}/{}", *tenths).alias("cell")).to_series()
