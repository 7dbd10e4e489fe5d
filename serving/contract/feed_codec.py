"""Packed feeds and component values: the byte format, its encoder and a plain decoder.

Decoding a hundred items from JSON takes long, so feeds and fallback feeds are packed. All integers are little-endian:
  FEED_HEADER  "F", 0, u16 number of items, u16 length of the head
  head         members of a JSON object: `"generated_at":…,"recipe":…,"arm":…,"source":…`
  then for each item in rank order
  ITEM         u32 text id of the job, u32 score and u32 propensity in steps of 1/SCORE_STEPS, u16 confidence in steps
               of 1/CONFIDENCE_STEPS, u8 match percent, u8 flags: FLAG_SEEN + FLAG_EXPLORED + 4 * number of reasons
  reasons      u32 text id of the reason each; if it has NAMES_A_JOB_BIT, then u32 text id of the job that it names
The component values of a feed's first items are packed beside it: PACKED_COMPONENTS, then for each item in rank order a
u16 for each of COMPONENTS, in steps of 1/COMPONENT_STEPS, or UNKNOWN_COMPONENT.

The service reads feeds with compiled code (serving/feed_join); the decoder here is the plain reading.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PACKED_FEED = b"F"
FEED_HEADER = struct.Struct("<cxHH")
HEADER_BYTES = FEED_HEADER.size
ITEM = np.dtype(
    [
        ("job", "<u4"), ("score", "<u4"), ("propensity", "<u4"), ("confidence", "<u2"), ("percent", "u1"),
        ("flags", "u1"),
    ]
)  # fmt: skip
SCORE_STEPS = 1_000_000
UNKNOWN = 0xFFFF_FFFF
CONFIDENCE_STEPS = 10_000
UNKNOWN_CONFIDENCE = 0xFFFF
FLAG_SEEN = 1
FLAG_EXPLORED = 2
MOST_REASONS = 63  # of an item
NAMES_A_JOB_BIT = 0x8000_0000
PACKED_COMPONENTS = b"c"
COMPONENT_STEPS = 65_000
UNKNOWN_COMPONENT = 65_535
ITEM_BYTES = ITEM.itemsize
_ITEM_WORDS = ITEM_BYTES // 4
_unpack_header = FEED_HEADER.unpack_from


@dataclass(frozen=True)
class FeedItems:
    """The items of many feeds, one after another, with their reasons; unknown values are NaN.

    `jobs`: text ids. `reasons`: text ids with NAMES_A_JOB_BIT where `named` holds the text id of a job.
    """

    jobs: NDArray[np.uint32]
    scores: NDArray[np.float64]
    propensities: NDArray[np.float64]
    confidences: NDArray[np.float64]
    flags: NDArray[np.int64]
    n_reasons: NDArray[np.int64]
    reasons: NDArray[np.uint32]
    named: NDArray[np.uint32]


@dataclass(frozen=True)
class DecodedItem:
    """One item of a feed; unknown values are None. `reasons`: text id, and the text id of the job that it names."""

    job: int
    score: float | None
    propensity: float | None
    confidence: float | None
    percent: int
    flags: int
    reasons: Sequence[tuple[int, int | None]]


def encode_feeds(heads: Sequence[bytes], n_items: NDArray[np.int64], items: FeedItems) -> list[bytes]:
    """The packed feeds; feed i has the head `heads[i]` and the next `n_items[i]` of `items`.

    Raises ValueError if an item has more reasons than fit.
    """
    if items.n_reasons.max(initial=0) > MOST_REASONS:
        raise ValueError(
            f"an item of a feed has {items.n_reasons.max()} reasons; at most {MOST_REASONS} can be published"
        )
    scores = np.round(items.scores, 6)
    fixed = np.empty(len(items.jobs), ITEM)
    fixed["job"] = items.jobs
    fixed["score"] = _steps(scores, SCORE_STEPS, UNKNOWN)
    fixed["propensity"] = _steps(np.round(items.propensities, 6), SCORE_STEPS, UNKNOWN)
    fixed["confidence"] = _steps(np.round(items.confidences, 4), CONFIDENCE_STEPS, UNKNOWN_CONFIDENCE)
    # Halves to even, as the SQL view rounds.
    fixed["percent"] = np.clip(np.rint(100 * np.nan_to_num(scores)), 0, 100)
    fixed["flags"] = items.flags + 4 * items.n_reasons
    names_job = items.reasons >= NAMES_A_JOB_BIT
    reason_ends = np.cumsum(1 + names_job)
    reasons = np.repeat(items.reasons, 1 + names_job)
    reasons[reason_ends[names_job] - 1] = items.named[names_job]
    n_words = np.diff(np.concatenate([[0], reason_ends])[np.concatenate([[0], np.cumsum(items.n_reasons)])])
    # Each item's fixed words, then those of its reasons.
    lengths = np.column_stack([np.full(len(fixed), _ITEM_WORDS), n_words]).ravel()
    is_fixed = np.repeat(np.tile([True, False], len(fixed)), lengths)
    words = np.empty(len(is_fixed), "<u4")
    words[is_fixed] = fixed.view("<u4")
    words[~is_fixed] = reasons
    body = words.tobytes()
    item_ends = 4 * np.concatenate([[0], np.cumsum(_ITEM_WORDS + n_words)])
    bounds = item_ends[np.concatenate([[0], np.cumsum(n_items)])].tolist()
    return [
        FEED_HEADER.pack(PACKED_FEED, n, len(head)) + head + body[start:end]
        for head, n, start, end in zip(heads, n_items.tolist(), bounds[:-1], bounds[1:], strict=True)
    ]


def encode_components(values: NDArray[np.float32]) -> bytes:
    """Component values (items × COMPONENTS, NaN where unknown) in steps, without PACKED_COMPONENTS."""
    is_known = ~np.isnan(values)
    steps = np.rint(np.clip(np.where(is_known, values, 0), 0, 1) * COMPONENT_STEPS)
    return np.where(is_known, steps, UNKNOWN_COMPONENT).astype("<u2").tobytes()


def items_offset(stored: bytes | memoryview) -> int:
    """The offset of the items in a packed feed; the head lies between the header and it. Raises ValueError."""
    mark, _, n_head_bytes = _unpack_header(stored) if len(stored) >= HEADER_BYTES else (b"", 0, 0)
    offset: int = HEADER_BYTES + n_head_bytes
    if mark != PACKED_FEED or offset > len(stored):
        raise ValueError("a feed can't be read")
    return offset


def decode_feed(stored: bytes | memoryview) -> tuple[bytes, list[DecodedItem]]:
    """The head and the items of a packed feed. Raises ValueError, struct.error."""
    at = items_offset(stored)
    head, items = bytes(stored[HEADER_BYTES:at]), []
    for _ in range(FEED_HEADER.unpack_from(stored)[1]):
        job, score, propensity, confidence, percent, flags = struct.unpack_from("<IIIHBB", stored, at)
        at += ITEM_BYTES
        reasons: list[tuple[int, int | None]] = []
        for _ in range(flags >> 2):
            (reason,) = struct.unpack_from("<I", stored, at)
            named = struct.unpack_from("<I", stored, at + 4)[0] if reason & NAMES_A_JOB_BIT else None
            reasons.append((reason & ~NAMES_A_JOB_BIT, named))
            at += 4 if named is None else 8
        items.append(
            DecodedItem(
                job,
                None if score == UNKNOWN else score / SCORE_STEPS,
                None if propensity == UNKNOWN else propensity / SCORE_STEPS,
                None if confidence == UNKNOWN_CONFIDENCE else confidence / CONFIDENCE_STEPS,
                percent,
                flags & 3,
                reasons,
            )
        )
    if at != len(stored):
        raise ValueError(f"a feed has {len(stored)} bytes; its items end at {at}")
    return head, items


def _steps(values: NDArray[np.float64], steps: int, unknown: int) -> NDArray[np.float64]:
    is_known = np.isfinite(values)
    # Validation refuses values out of range; here they only have to fit.
    return np.where(is_known, np.clip(np.rint(np.where(is_known, values, 0) * steps), 0, unknown - 1), unknown)
