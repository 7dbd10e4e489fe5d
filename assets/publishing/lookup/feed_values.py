"""Feeds read block by block for look-ups and checks, so that memory is bounded by a block."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assets.publishing.lookup.components import packed
from assets.publishing.lookup.files import LookupFile
from assets.publishing.lookup.packing import packed_feeds
from assets.publishing.lookup.text_tables import TextIds
from serving.contract.keys import COMPONENTS_PREFIX, FALLBACK_PREFIX, FEED_PREFIX
from serving.contract.tables import GLOBAL_SEGMENT, TABLES

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_BLOCK_USERS = 16_384
_BATCH_USERS = 4_096


def blocks(files: Sequence[Path]) -> Iterator[pa.Table]:
    """The feeds in `files`, at most about 20,000 users at a time."""
    batches: list[pa.RecordBatch] = []
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_USERS, columns=list(TABLES["feeds"])):
                batches.append(batch)
                if sum(batch.num_rows for batch in batches) >= _BLOCK_USERS:
                    yield pa.Table.from_batches(batches)
                    batches = []
    if batches:
        yield pa.Table.from_batches(batches)


def write_values(file: LookupFile, block: pa.Table, numbers: TextIds) -> None:
    """Adds the look-up values of the feeds in `block`; reasons that it is the first to have get their numbers."""
    feeds = pl.DataFrame(block.drop_columns(["items"]))
    heads = feeds.select(pl.col("generated_at").dt.to_string(TIME_FORMAT), "recipe", "arm", "source")
    file.put_packed(FEED_PREFIX, packed_feeds(feeds["user_id"], heads, block.column("items"), numbers))
    file.put_packed(COMPONENTS_PREFIX, packed(block))


def write_fallback_values(file: LookupFile, rows: pa.Table, numbers: TextIds, *, as_of: dt.datetime) -> None:
    """Adds the look-up values of fallback feeds."""
    segments = pl.Series("segment", rows.column("segment"), dtype=pl.String)
    is_global = segments.to_frame().select(
        source=pl.when(pl.col("segment") == GLOBAL_SEGMENT).then(pl.lit("global")).otherwise(pl.lit("segment"))
    )
    heads = is_global.select(
        generated_at=pl.lit(as_of).dt.convert_time_zone("UTC").dt.to_string(TIME_FORMAT),
        recipe=pl.lit("fallback"),
        arm=pl.lit("default"),
        source="source",
    )
    file.put_packed(FALLBACK_PREFIX, packed_feeds(segments, heads, rows.column("items"), numbers))
