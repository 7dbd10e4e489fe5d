"""The changes of each shard of the feeds by partial ranking runs, so that publishing need not compare whole shards.

A shard file is replaced as a whole. One file per replacement holds the rows that were added, changed or removed, and
the identities of the shard before and after. A chain of such files from a known state to the present one holds every
change. If a link is missing (a killed run, a shard from elsewhere) there is no chain, and publishing compares shards.
"""

import shutil
from pathlib import Path

import polars as pl

from assets.lake import Lake, file_identity
from features.schemas.ranking import FEED_CHANGES, FEEDS

_STAGE = "ranking"
# A shard replaced more often than this since it was last published is compared.
MAX_LINKS = 32


def record(lake: Lake, shard: str, before: pl.DataFrame, after: pl.DataFrame, *, identity_before: str) -> None:
    """Records the last replacement of shard file `shard` (without suffix); both frames have the columns FEEDS."""
    differing = ["generated_at", "n_items"]
    marks = [frame.select("user_id", "generated_at", n_items=pl.col("items").list.len()) for frame in (before, after)]
    both = marks[1].join(marks[0], on="user_id", how="full", suffix="_before", coalesce=True)
    changed = both.filter(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in differing)
    ).select(
        "user_id",
        is_removed=pl.col("n_items").is_null() & pl.col("generated_at").is_null(),
        existed=pl.col("n_items_before").is_not_null() | pl.col("generated_at_before").is_not_null(),
    )
    identity_after = file_identity([lake.folder(_STAGE, FEEDS.name) / f"{shard}.parquet"])
    rows = changed.join(after, on="user_id", how="left", maintain_order="left").with_columns(
        identity_before=pl.lit(identity_before), identity_after=pl.lit(identity_after)
    )
    links = _links(lake, shard)
    number = int(links[-1].stem) + 1 if links else 0
    lake.replace_partition(_STAGE, FEED_CHANGES, f"{shard}/{number:06d}", FEED_CHANGES.conform(rows))
    for path in links[: max(0, len(links) + 1 - MAX_LINKS)]:
        path.unlink(missing_ok=True)


def forget(lake: Lake) -> None:
    """Deletes every chain, as all shards are written anew."""
    shutil.rmtree(lake.folder(_STAGE, FEED_CHANGES.name), ignore_errors=True)


def chain(folder: Path, shard: str, known: str, now: str) -> list[pl.DataFrame] | None:
    """The rows of every replacement from the shard's identity `known` to `now`, the oldest first.

    `folder` holds the chains. None if no chain leads there.
    """
    found: list[pl.DataFrame] = []
    for path in sorted((folder / shard).glob("[0-9]*.parquet"), reverse=True):
        try:
            rows = pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError):
            return None  # damaged, or just dropped by another run
        if rows.is_empty() or rows["identity_after"][0] != now:
            return None
        found.append(rows)
        now = rows["identity_before"][0]
        if now == known:
            return found[::-1]
    return None


def _links(lake: Lake, shard: str) -> list[Path]:
    return sorted((lake.folder(_STAGE, FEED_CHANGES.name) / shard).glob("[0-9]*.parquet"))
