"""Whether a score means what it says: predicted against observed shares by bins of the score."""

import numpy as np
import polars as pl

from models.arrays import Bools, Doubles

N_BINS = 10
RELIABILITY = {
    "lower": pl.Float64, "upper": pl.Float64, "n_items": pl.Int64, "mean_score": pl.Float64, "share": pl.Float64,
}  # fmt: skip


def reliability(scores: Doubles, is_positive: Bools, *, n_bins: int = N_BINS) -> pl.DataFrame:
    """RELIABILITY: one row per non-empty bin of equal width in [0, 1], of items scored `scores`.

    `mean_score` is what the bin's scores promise, `share` the share of items that were positive. A score of 1 belongs
    to the last bin.
    """
    number = np.minimum((scores * n_bins).astype(np.int64), n_bins - 1)
    items = pl.DataFrame({"bin": number, "score": scores, "is_positive": is_positive})
    return (
        items.group_by("bin")
        .agg(n_items=pl.len().cast(pl.Int64), mean_score=pl.col("score").mean(), share=pl.col("is_positive").mean())
        .sort("bin")
        .select(
            lower=pl.col("bin") / n_bins,
            upper=(pl.col("bin") + 1) / n_bins,
            n_items="n_items",
            mean_score=pl.col("mean_score").cast(pl.Float64),
            share=pl.col("share").cast(pl.Float64),
        )
    )


def expected_calibration_error(table: pl.DataFrame) -> float:
    """Mean distance of score and share over the items of RELIABILITY (Naeini et al., 2015); 0 without items."""
    n_items = int(table["n_items"].sum())
    if n_items == 0:
        return 0.0
    return float(((table["mean_score"] - table["share"]).abs() * table["n_items"]).sum() / n_items)
