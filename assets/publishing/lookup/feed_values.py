"""Look-up values of feeds: rows of the tables as the arrays that serving/contract/feed_codec.py packs."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assets.publishing.lookup.text_tables import REASON_KEY, TextIds, names_a_job
from assets.publishing.lookup.writer import LookupFileWriter
from serving.contract.feed_codec import (
    FLAG_EXPLORED,
    FLAG_SEEN,
    NAMES_A_JOB_BIT,
    PACKED_COMPONENTS,
    UNKNOWN,
    FeedItems,
    encode_components,
    encode_feeds,
)
from serving.contract.keys import COMPONENTS_PREFIX, FALLBACK_PREFIX, FEED_PREFIX
from serving.contract.tables import COMPONENTS, GLOBAL_SEGMENT, JOB_REFERENCE_CODES

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# The members of a feed's head, in their order.
HEAD = ("generated_at", "recipe", "arm", "source")


def write_values(file: LookupFileWriter, block: pa.Table, text_ids: TextIds) -> None:
    """Adds the look-up values of the feeds in `block`; reasons that occur for the first time get text ids."""
    feeds = pl.DataFrame(block.drop_columns(["items"]))
    heads = feeds.select(pl.col("generated_at").dt.to_string(TIME_FORMAT), "recipe", "arm", "source")
    file.put_packed(FEED_PREFIX, packed_feeds(feeds["user_id"], heads, block.column("items"), text_ids))
    file.put_packed(COMPONENTS_PREFIX, packed_components(block))


def write_fallback_values(file: LookupFileWriter, rows: pa.Table, text_ids: TextIds, *, as_of: dt.datetime) -> None:
    """Adds the look-up values of fallback feeds."""
    segments = pl.Series("segment", rows.column("segment"), dtype=pl.String)
    is_global = pl.col("segment") == GLOBAL_SEGMENT
    heads = segments.to_frame().select(
        generated_at=pl.lit(as_of).dt.convert_time_zone("UTC").dt.to_string(TIME_FORMAT),
        recipe=pl.lit("fallback"),
        arm=pl.lit("default"),
        source=pl.when(is_global).then(pl.lit("global")).otherwise(pl.lit("segment")),
    )
    file.put_packed(FALLBACK_PREFIX, packed_feeds(segments, heads, rows.column("items"), text_ids))


def packed_feeds(
    keys: pl.Series, heads: pl.DataFrame, items: pa.ChunkedArray, text_ids: TextIds
) -> list[tuple[str, bytes]]:
    """Key and packed feed of each row; `heads` has the columns HEAD, the first as text."""
    if not len(keys) == len(heads) == len(items):
        raise ValueError(f"{len(keys)} keys, {len(heads)} heads and {len(items)} lists of items")
    lists = items.combine_chunks() if items.num_chunks != 1 else items.chunk(0)
    flat = pc.list_flatten(lists)
    reasons, named = _reasons(pc.list_flatten(pc.struct_field(flat, "reasons")), text_ids)
    columns = FeedItems(
        jobs=text_ids.of_jobs(pl.Series(pc.struct_field(flat, "job_id"))).to_numpy().astype(np.uint32),
        scores=_floats(flat, "score"),
        propensities=_floats(flat, "propensity"),
        confidences=_floats(flat, "confidence"),
        flags=FLAG_SEEN * _flags(flat, "seen") + FLAG_EXPLORED * _flags(flat, "explored"),
        n_reasons=_lengths(pc.struct_field(flat, "reasons")),
        reasons=reasons,
        named=named,
    )
    return list(zip(keys.to_list(), encode_feeds(_head_texts(heads), _lengths(lists), columns), strict=True))


def packed_components(block: pa.Table) -> list[tuple[str, bytes]]:
    """User and packed values of the items that have components, in rank order; `block` has feeds with components."""
    rows: list[tuple[str, bytes]] = []
    width = 2 * len(COMPONENTS)
    for batch in block.combine_chunks().to_batches():
        items = batch.column("items")
        components = items.flatten().field("components")
        offsets = np.asarray(items.offsets) - items.offsets[0].as_py()
        # The start and end of each user's values among the known ones.
        ends = np.concatenate([[0], np.cumsum(np.asarray(components.is_valid()))])[offsets]
        known = components.filter(components.is_valid())
        values = np.empty((len(known), len(COMPONENTS)), dtype=np.float32)
        for column, name in enumerate(COMPONENTS):
            values[:, column] = known.field(name).to_numpy(zero_copy_only=False)
        body = encode_components(values)
        users: Sequence[str] = batch.column("user_id").to_pylist()
        rows += [
            (user, PACKED_COMPONENTS + body[start * width : end * width])
            for user, start, end in zip(users, ends[:-1].tolist(), ends[1:].tolist(), strict=True)
            if end > start
        ]
    return rows


def _lengths(lists: pa.Array) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return lengths.astype(np.int64)


def _floats(flat: pa.StructArray, name: str) -> NDArray[np.float64]:
    """Unknown values are NaN."""
    values: NDArray[np.float64] = pc.struct_field(flat, name).to_numpy(zero_copy_only=False).astype(np.float64)
    return values


def _flags(flat: pa.StructArray, name: str) -> NDArray[np.int64]:
    values: NDArray[np.int64] = pc.fill_null(pc.struct_field(flat, name), False).to_numpy(zero_copy_only=False)
    return values.astype(np.int64)


def _reasons(flat: pa.StructArray, text_ids: TextIds) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The text id of every reason, with NAMES_A_JOB_BIT if it names a job, and that job's text id."""
    frame = pl.DataFrame(
        {
            "code": pl.Series(pc.struct_field(flat, "code"), dtype=pl.String),
            "ref": pl.Series(pc.struct_field(flat, "ref"), dtype=pl.String),
            "value": pl.Series(pc.struct_field(flat, "value"), dtype=pl.Float64),
        }
    ).with_columns(value=_rounded(pl.col("value")))
    naming = [code for code in JOB_REFERENCE_CODES if names_a_job(code, text_ids.templates)]
    named = text_ids.of_jobs(frame["ref"])
    names_job = frame["code"].is_in(naming).fill_null(value=False) & (named != UNKNOWN)
    frame = frame.with_columns(ref=pl.when(names_job).then(None).otherwise("ref"), names_job=names_job).select(
        list(REASON_KEY)
    )
    found = text_ids.of_reasons(frame).to_numpy().astype(np.uint32)
    return found | np.where(names_job.to_numpy(), np.uint32(NAMES_A_JOB_BIT), np.uint32(0)), named.to_numpy()


def _rounded(value: pl.Expr) -> pl.Expr:
    """The value as JSON shows it, with one zero and without NaN, so that values can be compared."""
    rounded = value.cast(pl.Float64).round(3)
    return pl.when(rounded == 0).then(0.0).when(value.is_finite()).then(rounded)


def _head_texts(heads: pl.DataFrame) -> list[bytes]:
    """Each head as members of a JSON object; equal heads are encoded once."""
    distinct = heads.select(HEAD).unique(maintain_order=True).with_row_index("at")
    texts = [orjson.dumps(row)[1:-1] for row in distinct.select(HEAD).iter_rows(named=True)]
    found = heads.join(distinct, on=list(HEAD), how="left", nulls_equal=True, maintain_order="left")["at"]
    return [texts[at] for at in found.to_list()]
