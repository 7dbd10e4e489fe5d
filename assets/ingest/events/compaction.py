"""Many small parts of an append-only table made one. Which rows to keep is the caller's."""

from collections.abc import Callable

import polars as pl

from assets.lake import Lake, write_part
from features.schemas.table import Table


def compact(
    lake: Lake,
    table: Table,
    *,
    more_than: int,
    partition: str | None = None,
    keep: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda rows: rows,
) -> int:
    """Merges the parts of `bronze/<table>` (of one partition of it) if there are more than `more_than`.

    Rows are sorted by the table's key and each key is kept once, so that a run that died between writing the merged
    part and removing the merged ones does no harm. Returns the number of parts after.
    """
    folder = lake.folder("bronze", table.name) / partition if partition else lake.folder("bronze", table.name)
    with lake.lock(f"bronze/{table.name}"):
        parts = sorted(folder.glob("part-*.parquet"))
        if len(parts) <= more_than:
            return len(parts)
        key = list(table.key)
        merged = keep(pl.scan_parquet(parts)).select(list(table.columns)).collect()
        merged = merged.sort(key, nulls_last=True, maintain_order=True).unique(key, keep="first", maintain_order=True)
        table.validate(merged)
        target = write_part(folder, merged)
        for part in parts:
            if part != target:
                part.unlink(missing_ok=True)
        return 1


def last_of_each_day(sightings: pl.LazyFrame) -> pl.LazyFrame:
    """Of each job's sightings the last of every UTC day, and every end."""
    day = pl.col("seen_at").dt.date()
    is_last = pl.col("seen_at") == pl.col("seen_at").max().over("job_id", day)
    return sightings.filter(is_last | pl.col("is_gone"))
