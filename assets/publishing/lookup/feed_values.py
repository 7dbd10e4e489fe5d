"""Look-up values of feeds: rows of the tables as the arrays that serving/contract/feed_codec.py packs."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assets.publishing.lookup.text_tables import TextIds, names_a_job
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
        jobs=_jobs(_Encoded.of(pc.struct_field(flat, "job_id")), text_ids),
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
    """User and packed values of the first items up to one without components; `block` has feeds with components.

    Values are found by the item's position: explored items further down have components in the tables alone.
    """
    rows: list[tuple[str, bytes]] = []
    width = 2 * len(COMPONENTS)
    for batch in block.combine_chunks().to_batches():
        items = batch.column("items")
        components = items.flatten().field("components")
        offsets = np.asarray(items.offsets) - items.offsets[0].as_py()
        is_known = np.asarray(components.is_valid())
        n_unknown = np.concatenate([[0], np.cumsum(~is_known)])  # before each item
        is_first = is_known & (n_unknown[:-1] == np.repeat(n_unknown[offsets[:-1]], np.diff(offsets)))
        # The start and end of each user's values among the packed ones.
        ends = np.concatenate([[0], np.cumsum(is_first)])[offsets]
        known = components.filter(pa.array(is_first))
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


@dataclass(frozen=True)
class _Encoded:
    """A column as its distinct values, the last of which is null, and the place of each row's value among them."""

    values: pl.Series
    places: NDArray[np.int64]

    @classmethod
    def of(cls, column: pa.Array) -> "_Encoded":
        found = column.dictionary_encode()
        values = pl.Series(found.dictionary)
        places = pc.fill_null(found.indices, len(values)).to_numpy(zero_copy_only=False)
        return cls(values.extend(values.clear(1)), places.astype(np.int64))


def _jobs(job_ids: _Encoded, text_ids: TextIds) -> NDArray[np.uint32]:
    """The text id of each job, UNKNOWN for null and for jobs that are not published."""
    return text_ids.of_jobs(job_ids.values).to_numpy().astype(np.uint32)[job_ids.places]


def _reasons(flat: pa.StructArray, text_ids: TextIds) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The text id of every reason, with NAMES_A_JOB_BIT if it names a job, and that job's text id."""
    codes, refs, values = (_Encoded.of(pc.struct_field(flat, name)) for name in ("code", "ref", "value"))
    naming = [code for code in JOB_REFERENCE_CODES if names_a_job(code, text_ids.templates)]
    is_naming = codes.values.is_in(naming).fill_null(value=False).to_numpy()
    named = _jobs(refs, text_ids)
    names_job = is_naming[codes.places] & (named != UNKNOWN)
    # One number tells reasons apart, so that the texts of only the distinct ones are looked up.
    shape = (len(codes.values), len(refs.values), len(values.values), 2)
    of_refs = np.where(names_job, len(refs.values) - 1, refs.places)
    numbers = np.ravel_multi_index((codes.places, of_refs, values.places, names_job.astype(np.int64)), shape)
    distinct = pa.array(numbers).dictionary_encode()
    code, ref, value, is_named = np.unravel_index(distinct.dictionary.to_numpy(), shape)
    reasons = pl.DataFrame(
        {
            "code": codes.values.gather(code),
            "ref": refs.values.gather(ref),
            "value": values.values.gather(value),
            "names_job": is_named.astype(bool),
        }
    )
    found = text_ids.of_reasons(reasons.with_columns(value=_rounded(pl.col("value")))).to_numpy().astype(np.uint32)
    bits = np.where(names_job, np.uint32(NAMES_A_JOB_BIT), np.uint32(0))
    return found[distinct.indices.to_numpy()] | bits, named


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
