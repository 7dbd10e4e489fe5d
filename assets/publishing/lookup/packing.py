"""Feeds as the look-up file holds them: packed, with jobs and reasons by number (serving/contract/tables.py)."""

from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assets.publishing.lookup.text_tables import REASON_KEY, TextIds, names_a_job
from models.kernels.compiling import compiled
from serving.contract.feed_codec import (
    CONFIDENCE_STEPS,
    FEED_HEADER,
    FLAG_EXPLORED,
    FLAG_SEEN,
    ITEM_BYTES,
    MOST_REASONS,
    NAMES_A_JOB_BIT,
    PACKED_FEED,
    SCORE_STEPS,
    UNKNOWN,
    UNKNOWN_CONFIDENCE,
)
from serving.contract.tables import JOB_REFERENCE_CODES

# As in serving/feed_join/compiled.py: another value where the constants of the contract change.
COMPILED_FROM = "616dad716363"
_HEADER_BYTES = FEED_HEADER.size
# The members of a feed's head, in their order.
HEAD = ("generated_at", "recipe", "arm", "source")


def packed_feeds(
    owners: pl.Series, heads: pl.DataFrame, items: pa.ChunkedArray, numbers: TextIds
) -> list[tuple[str, bytes]]:
    """Owner and packed feed of each row; `heads` has the columns HEAD, the first as text."""
    if not len(owners) == len(heads) == len(items):
        raise ValueError(f"{len(owners)} owners, {len(heads)} heads and {len(items)} lists of items")
    lists = _array(items)
    flat = pc.list_flatten(lists)
    reasons = pc.fill_null(pc.list_value_length(pc.struct_field(flat, "reasons")), 0).to_numpy(zero_copy_only=False)
    if reasons.max(initial=0) > MOST_REASONS:
        raise ValueError(f"an item of a feed has {reasons.max()} reasons; at most {MOST_REASONS} can be published")
    score = np.round(_floats(flat, "score"), 6)
    flags = FLAG_SEEN * _flags(flat, "seen") + FLAG_EXPLORED * _flags(flat, "explored")
    numbered, named = _reasons(pc.list_flatten(pc.struct_field(flat, "reasons")), numbers)
    head_texts, head_of = _heads(heads)
    body, ends = _pack(
        np.frombuffer(b"".join(head_texts), np.uint8),
        np.cumsum([0, *map(len, head_texts)], dtype=np.int64),
        head_of,
        pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64),
        numbers.of_jobs(pl.Series(pc.struct_field(flat, "job_id"))).to_numpy().astype(np.uint32),
        _steps(score, SCORE_STEPS, UNKNOWN).astype(np.uint32),
        _steps(np.round(_floats(flat, "propensity"), 6), SCORE_STEPS, UNKNOWN).astype(np.uint32),
        _steps(np.round(_floats(flat, "confidence"), 4), CONFIDENCE_STEPS, UNKNOWN_CONFIDENCE).astype(np.uint16),
        # Halves to even, as the SQL view rounds.
        np.clip(np.rint(100 * np.nan_to_num(score)), 0, 100).astype(np.uint8),
        (flags + 4 * reasons).astype(np.uint8),
        numbered,
        named,
    )
    whole = body.tobytes()
    starts = [0, *ends.tolist()]
    return [
        (owner, whole[start:end]) for owner, start, end in zip(owners.to_list(), starts[:-1], starts[1:], strict=True)
    ]


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _floats(flat: pa.StructArray, name: str) -> NDArray[np.float64]:
    """Unknown values are NaN."""
    values: NDArray[np.float64] = pc.struct_field(flat, name).to_numpy(zero_copy_only=False).astype(np.float64)
    return values


def _flags(flat: pa.StructArray, name: str) -> NDArray[np.int64]:
    values: NDArray[np.int64] = pc.fill_null(pc.struct_field(flat, name), False).to_numpy(zero_copy_only=False)
    return values.astype(np.int64)


def _steps(values: NDArray[np.float64], steps: int, unknown: int) -> NDArray[np.float64]:
    is_known = np.isfinite(values)
    # What is out of range is refused by the checks of the generation; here it must only fit.
    return np.where(is_known, np.clip(np.rint(np.where(is_known, values, 0) * steps), 0, unknown - 1), unknown)


def _reasons(flat: pa.StructArray, numbers: TextIds) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The number of every reason, with NAMES_A_JOB_BIT where it names a job, and that job's number."""
    frame = pl.DataFrame(
        {
            "code": pl.Series(pc.struct_field(flat, "code"), dtype=pl.String),
            "ref": pl.Series(pc.struct_field(flat, "ref"), dtype=pl.String),
            "value": pl.Series(pc.struct_field(flat, "value"), dtype=pl.Float64),
        }
    ).with_columns(value=_rounded(pl.col("value")))
    naming = [code for code in JOB_REFERENCE_CODES if names_a_job(code, numbers.templates)]
    named = numbers.of_jobs(frame["ref"])
    names_job = frame["code"].is_in(naming).fill_null(value=False) & (named != UNKNOWN)
    frame = frame.with_columns(ref=pl.when(names_job).then(None).otherwise("ref"), names_job=names_job).select(
        list(REASON_KEY)
    )
    found = numbers.of_reasons(frame).to_numpy().astype(np.uint32)
    return found | np.where(names_job.to_numpy(), np.uint32(NAMES_A_JOB_BIT), np.uint32(0)), named.to_numpy()


def _rounded(value: pl.Expr) -> pl.Expr:
    """As the JSON has it. One zero, and no NaN: values are compared."""
    rounded = value.cast(pl.Float64).round(3)
    return pl.when(rounded == 0).then(0.0).when(value.is_finite()).then(rounded)


def _heads(heads: pl.DataFrame) -> tuple[list[bytes], NDArray[np.int64]]:
    """The different heads as members of a JSON object, and which each row has."""
    distinct = heads.select(HEAD).unique(maintain_order=True).with_row_index("place")
    texts = [orjson.dumps(row)[1:-1] for row in distinct.select(HEAD).iter_rows(named=True)]
    places = heads.join(distinct, on=list(HEAD), how="left", nulls_equal=True, maintain_order="left")["place"]
    return texts, places.to_numpy().astype(np.int64)


@compiled
def _pack(
    heads: NDArray[np.uint8], head_starts: NDArray[np.int64], head_of: NDArray[np.int64],
    n_items: NDArray[np.int64], jobs: NDArray[np.uint32], scores: NDArray[np.uint32],
    propensities: NDArray[np.uint32], confidences: NDArray[np.uint16], percents: NDArray[np.uint8],
    flags: NDArray[np.uint8], reasons: NDArray[np.uint32], named: NDArray[np.uint32],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:  # fmt: skip
    """All packed feeds one after another, and where each ends."""
    n_named = 0
    for reason in reasons:
        n_named += reason >> np.uint32(31)
    size = ITEM_BYTES * len(jobs) + 4 * (len(reasons) + n_named)
    for owner in range(len(n_items)):
        size += _HEADER_BYTES + head_starts[head_of[owner] + 1] - head_starts[head_of[owner]]
    out, ends = np.zeros(size, np.uint8), np.zeros(len(n_items), np.int64)
    at, item, place = 0, 0, 0
    for owner in range(len(n_items)):
        start, end = head_starts[head_of[owner]], head_starts[head_of[owner] + 1]
        out[at] = _MARK
        at = _put(out, _put(out, at + 2, n_items[owner], 2), end - start, 2)
        for i in range(start, end):
            out[at] = heads[i]
            at += 1
        for _ in range(n_items[owner]):
            at = _put(out, at, np.int64(jobs[item]), 4)
            at = _put(out, at, np.int64(scores[item]), 4)
            at = _put(out, at, np.int64(propensities[item]), 4)
            at = _put(out, at, np.int64(confidences[item]), 2)
            out[at], out[at + 1] = percents[item], flags[item]
            at += 2
            for _ in range(flags[item] >> 2):
                at = _put(out, at, np.int64(reasons[place]), 4)
                if reasons[place] >> np.uint32(31):
                    at = _put(out, at, np.int64(named[place]), 4)
                place += 1
            item += 1
        ends[owner] = at
    return out, ends


_MARK = PACKED_FEED[0]


@compiled
def _put(out: Any, at: Any, value: Any, n_bytes: int) -> Any:
    for i in range(n_bytes):
        out[at + i] = (value >> (8 * i)) & 0xFF
    return at + n_bytes
