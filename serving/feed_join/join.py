"""Joins a feed with the cards and reasons that it names. A look-up spends most of its time here.

Compiled by Numba and kept on disk (cache.py). `decode_feed` in serving/contract/feed_codec.py decodes
the same bytes in plain Python. The files may be damaged: every offset is checked before it is read.
"""

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from serving.contract.feed_codec import ITEM_BYTES, NAMES_A_JOB_BIT, SCORE_STEPS, UNKNOWN
from serving.contract.text_tables import CARD_LENGTH, CARD_OFFSET, ID_LENGTH, OFFSET, TITLE_LENGTH
from serving.feed_join.cache import compiled_from_cache
from serving.feed_join.memory import (
    DAMAGED,
    N_OFFSETS,
    Int,
    Memory,
    is_text,
    is_title,
    job_at,
    prefetch_text,
    reason_at,
    reason_length,
    tails_length,
)
from serving.feed_join.native import compiled, i64, prefetch, put_u8, u8, u16, u32
from serving.feed_join.writing import (
    BRACE,
    CARD_START_BYTES,
    COMMA,
    FLAGS_AT,
    N_COMPONENTS,
    PACKED_FROM,
    SCORE_AT,
    SLOT_BYTES,
    put_components,
    put_item,
)

TOO_LONG = -2
# Upper bounds for the numbers, names and punctuation of an item and of each of its components.
_ITEM_MARGIN_BYTES = 512
_COMPONENT_MARGIN_BYTES = 48


@compiled
def prefetch_offsets(at: Int, end: Int, n_items: Int, jobs: Memory, reasons: Memory, column: Int) -> Int:
    """Prefetches the offsets of items and of what their reasons name; returns DAMAGED if the record ends before."""
    for _ in range(n_items):
        if at + ITEM_BYTES > end:
            return DAMAGED
        prefetch(job_at(u32(at), jobs))
        n_reasons = u8(at + FLAGS_AT) >> 2
        at += ITEM_BYTES
        for _ in range(n_reasons):
            if at + 8 > end:
                break
            word = u32(at)
            prefetch(reason_at(word, reasons, column))
            at += 4
            if word & NAMES_A_JOB_BIT:
                prefetch(job_at(u32(at), jobs))
                at += 4
    return 0


@compiled
def _choose(
    at: Int, end: Int, n_items: Int, jobs: Memory, page: Any, chosen: NDArray[np.int64],
) -> Int:  # fmt: skip
    """Writes position and address of the items to show into `chosen`; returns their number, or DAMAGED."""
    _, offset, limit, minimum, hidden_flags = page
    n_chosen, n_shown = 0, 0
    for item in range(n_items):
        if at + ITEM_BYTES > end:
            return DAMAGED
        here, flags = at, u8(at + FLAGS_AT)
        at += ITEM_BYTES
        for _ in range(flags >> 2):
            if at + 4 > end:
                return DAMAGED
            at += 8 if u32(at) & NAMES_A_JOB_BIT else 4
        text_id = u32(here)
        if at > end or (text_id >= jobs[N_OFFSETS] and text_id != UNKNOWN):
            return DAMAGED
        is_shown = text_id != UNKNOWN and i64(job_at(text_id, jobs) + 8 * CARD_LENGTH) > 0 and not flags & hidden_flags
        if is_shown and u32(here + SCORE_AT) / SCORE_STEPS >= minimum:
            if n_shown >= offset:
                chosen[n_chosen, 0] = item
                chosen[n_chosen, 1] = here
                n_chosen += 1
                if n_chosen == limit:
                    break
            n_shown += 1
    return n_chosen


@compiled
def _check(here: Int, jobs: Memory, reasons: Memory, column: Int) -> Int:
    """Prefetches the texts of an item; returns an upper bound of its length, or DAMAGED if a text is out of bounds."""
    row = job_at(u32(here), jobs)
    start, length, id_length = i64(row + 8 * CARD_OFFSET), i64(row + 8 * CARD_LENGTH), i64(row + 8 * ID_LENGTH)
    tails = tails_length(row, jobs)
    if tails == DAMAGED or not (is_title(row, jobs) and is_text(start, length, jobs)):
        return DAMAGED
    if not (is_text(start, length + tails, jobs) and CARD_START_BYTES + id_length <= length):
        return DAMAGED
    prefetch_text(jobs, start, length + tails)
    needed = length + tails + id_length + _ITEM_MARGIN_BYTES
    at = here + ITEM_BYTES
    for _ in range(u8(here + FLAGS_AT) >> 2):
        word = u32(at)
        at += 4
        if word & (NAMES_A_JOB_BIT - 1) >= reasons[N_OFFSETS]:
            return DAMAGED
        row = reason_at(word, reasons, column)
        length = reason_length(row, reasons)
        if length == DAMAGED:
            return DAMAGED
        prefetch_text(reasons, i64(row), length)
        needed += length + 1
        if word & NAMES_A_JOB_BIT:
            text_id = u32(at)
            at += 4
            row = job_at(text_id, jobs)
            if text_id >= jobs[N_OFFSETS] or not is_title(row, jobs):
                return DAMAGED
            length = i64(row + 8 * ID_LENGTH) + i64(row + 8 * TITLE_LENGTH)
            prefetch_text(jobs, i64(row + 8 * OFFSET), length)
            needed += length
    return needed


_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_PAGE: Any = types.Tuple([types.int64, types.int64, types.int64, types.float64, types.int64])  # type: ignore[no-untyped-call]


@compiled_from_cache(
    types.int64(_BYTES, types.int64, _BYTES, types.int64[:, ::1], _PAGE, types.int64[:, ::1], types.uint8[::1])
)
def join(
    record: NDArray[np.uint8], first: Int, components: NDArray[np.uint8], memory: NDArray[np.int64],
    page: tuple[int, int, int, float, int], chosen: NDArray[np.int64], out: NDArray[np.uint8],
) -> Int:  # fmt: skip
    """Writes the items of a feed as JSON, separated by commas; returns the bytes written, DAMAGED or TOO_LONG.

    `record` from `first` on: the items (serving/contract/feed_codec.py). `components`: packed values, empty for none.
    `memory`: a row of `TextTable.memory` for jobs and one for reasons. `page`: the first column of the language in the
    offsets of reasons, offset, limit, least score, and the flags of items to hide. `chosen`: scratch, at least `limit`
    rows of 2.
    """
    reason_column, offset, limit, _, _ = page
    jobs = (memory[0, 0], memory[0, 1], memory[0, 2], memory[0, 3], memory[0, 4], memory[0, 5])
    reasons = (memory[1, 0], memory[1, 1], memory[1, 2], memory[1, 3], memory[1, 4], memory[1, 5])
    begin, end = record.ctypes.data + first, record.ctypes.data + len(record)
    n_items = u16(record.ctypes.data + 2) if len(record) >= 4 else 0
    if prefetch_offsets(begin, end, min(n_items, offset + limit), jobs, reasons, reason_column) == DAMAGED:
        return DAMAGED
    n_chosen = _choose(begin, end, n_items, jobs, page, chosen)
    if n_chosen == DAMAGED:
        return DAMAGED
    # Everything is checked and prefetched first: one text arrives while the next is checked.
    needed = SLOT_BYTES
    for row in range(n_chosen):
        item_bytes = _check(chosen[row, 1], jobs, reasons, reason_column)
        if item_bytes == DAMAGED:
            return DAMAGED
        needed += item_bytes
    n_components = (len(components) - PACKED_FROM) // (2 * N_COMPONENTS)
    if n_components > 0:
        needed += n_chosen * N_COMPONENTS * _COMPONENT_MARGIN_BYTES
    if needed > len(out):
        return TOO_LONG
    to = out.ctypes.data
    for row in range(n_chosen):
        if row:
            put_u8(to, COMMA)
            to += 1
        item = chosen[row, 0]
        to = put_item(to, item, chosen[row, 1], jobs, reasons, reason_column)
        if item < n_components:
            to = put_components(to, components, item)
        put_u8(to, BRACE)
        to += 1
    return to - out.ctypes.data
