"""The join of a feed with the cards and reasons that it names, compiled: what a look-up spends its time on.

Everything that comes in was read from files that may be damaged: each place is checked before it is read. Compiled code
goes by addresses: arrays as arguments of many small functions take longer than what these do.
"""

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from serving.contract.feed_codec import (
    COMPONENT_STEPS,
    CONFIDENCE_STEPS,
    FLAG_EXPLORED,
    FLAG_SEEN,
    ITEM_BYTES,
    NAMES_A_JOB_BIT,
    PACKED_COMPONENTS,
    SCORE_STEPS,
    UNKNOWN,
    UNKNOWN_COMPONENT,
    UNKNOWN_CONFIDENCE,
)
from serving.contract.tables import COMPONENTS
from serving.contract.text_tables import CARD_START, TEXT_TABLE_WIDTHS
from serving.feed_join.native import compiled, copy, i64, prefetch, put_u8, put_u16, u8, u16, u32

# Numba keeps compiled code by the time of this file alone. Where anything else changes that is compiled in, a test asks
# for another value here, so that nobody who updates runs the old code.
COMPILED_FROM = "968d434b8e64"

Texts = NDArray[np.uint8]
Places = NDArray[np.int64]
# What a machine integer, and a few of them, are called in Python: the compiler finds their types itself.
_Int = Any
_Memory = Any

DAMAGED, TOO_LONG = -1, -2
# More than the numbers, names and punctuation of an item and of its components can have.
_ITEM_MARGIN_BYTES = 512
_COMPONENT_MARGIN_BYTES = 48
_LINE_BYTES = 64
# Where the parts of an item lie in it, after the number of its job; and the columns of a job's place.
_SCORE_AT, _PROPENSITY_AT, _CONFIDENCE_AT, _PERCENT_AT, _FLAGS_AT = 4, 8, 12, 14, 15
_BEGIN, _ID, _TITLE, _CARD, _SHORT_TITLE, _CARD_BEGIN = range(TEXT_TABLE_WIDTHS["jobs"])
_JOB_BYTES, _REASON_BYTES = 8 * TEXT_TABLE_WIDTHS["jobs"], 8 * TEXT_TABLE_WIDTHS["reasons"]
_CARD_START_BYTES = len(CARD_START)
_SCORE_DIGITS = len(str(SCORE_STEPS)) - 1
_CONFIDENCE_DIGITS = len(str(CONFIDENCE_STEPS)) - 1
_COMPONENT_DIGITS = 4
_END_LENGTH = len(b'"}')  # of the third part of a reason whose sentence ends with the title

_LITERALS = [
    b'{"rank":', b',"job_id":', b',"score":', b',"match_percent":', b',"confidence":',
    b',"seen":false,"explored":false,"propensity":', b',"seen":true,"explored":false,"propensity":',
    b',"seen":false,"explored":true,"propensity":', b',"seen":true,"explored":true,"propensity":',
    b',"reasons":[', b'],"job":', b',"components":{', b"null",
]  # fmt: skip
# The flags (seen 1, explored 2) choose among four words from _FLAGS on.
_RANK, _JOB_ID, _SCORE, _PERCENT, _CONFIDENCE, _FLAGS = range(6)
_REASONS, _JOB, _COMPONENTS, _NULL = range(_FLAGS + FLAG_SEEN + FLAG_EXPLORED + 1, len(_LITERALS))
_NAMES = [f'"{name}":'.encode() for name in COMPONENTS]
_FIRST_NAME = len(_LITERALS)
# Literals, then names of components: a slot each, for as many bytes for all are a few instructions.
_SLOT_BYTES = 64
_WORDS = np.frombuffer(b"".join(word.ljust(_SLOT_BYTES, b"\0") for word in [*_LITERALS, *_NAMES]), np.uint8)
_WORD_LENGTHS = np.array([len(word) for word in [*_LITERALS, *_NAMES]], np.int64)
_PAIRS = np.frombuffer(b"".join(b"%02d" % number for number in range(100)), np.uint8)
_N_COMPONENTS = len(COMPONENTS)
_PACKED_FROM = len(PACKED_COMPONENTS)
_COMMA, _ZERO, _DOT, _BRACE = ord(","), ord("0"), ord("."), ord("}")
_ZERO_DOT = _ZERO | _DOT << 8

# Texts of a kind as compiled code knows them: where the first begin and how many bytes they have, where the second
# begin and how many bytes both have, where the places begin and how many there are.
_FIRST, _N_FIRST, _MORE, _N_BYTES, _PLACES, _N_PLACES = range(6)


@compiled()
def _put_word(to: _Int, word: _Int) -> _Int:
    copy(to, _WORDS.ctypes.data + word * _SLOT_BYTES, _SLOT_BYTES)  # what is too much is written over
    return to + _WORD_LENGTHS[word]


@compiled()
def _put_integer(to: _Int, value: _Int) -> _Int:
    if value < 100:
        pair = u16(_PAIRS.ctypes.data + 2 * value)
        if value < 10:
            put_u8(to, pair >> 8)
            return to + 1
        put_u16(to, pair)
        return to + 2
    rest, n_digits = value, 1
    while rest >= 10:
        rest //= 10
        n_digits += 1
    for i in range(n_digits):
        put_u8(to + n_digits - 1 - i, _ZERO + value % 10)
        value //= 10
    return to + n_digits


@compiled()
def _put_fraction(to: _Int, value: _Int, steps: _Int, n_digits: _Int) -> _Int:
    """`value` / `steps` as a decimal number; `steps` = 10 ** `n_digits`, an even number of digits."""
    if value < steps:
        put_u16(to, _ZERO_DOT)
        to += 2
    else:
        to = _put_integer(to, value // steps)
        put_u8(to, _DOT)
        to += 1
        value %= steps
        if value == 0:
            put_u8(to, _ZERO)
            return to + 1
    for at in range(n_digits - 2, -1, -2):
        put_u16(to + at, u16(_PAIRS.ctypes.data + 2 * (value % 100)))
        value //= 100
    end = to + n_digits - 1
    while end > to and u8(end) == _ZERO:
        end -= 1
    return end + 1


@compiled()
def _put_text(to: _Int, memory: _Memory, start: _Int, length: _Int) -> _Int:
    """A text that lies in the first texts, or behind their end in the second."""
    n_first = memory[_N_FIRST]
    source = memory[_FIRST] + start if start < n_first else memory[_MORE] + start - n_first
    if length <= _LINE_BYTES and _is_text(start, _LINE_BYTES, memory):
        copy(to, source, _LINE_BYTES)  # what is too much is written over
    else:
        copy(to, source, length)
    return to + length


@compiled()
def _is_text(start: _Int, length: _Int, memory: _Memory) -> Any:
    """Whether a text lies within the first texts or the second."""
    n_first, n_bytes = memory[_N_FIRST], memory[_N_BYTES]
    # Each is compared first: their sum could pass the largest integer.
    is_within = 0 <= start <= n_bytes and 0 <= length <= n_bytes and start + length <= n_bytes
    return is_within and not start < n_first < start + length


@compiled()
def _is_title(place: _Int, memory: _Memory) -> Any:
    """Whether id and title of a job lie within the texts."""
    n_bytes = memory[_N_BYTES]
    id_length, title_length = i64(place + 8 * _ID), i64(place + 8 * _TITLE)
    is_sound = 0 <= id_length <= n_bytes and 0 <= i64(place + 8 * _SHORT_TITLE) <= title_length <= n_bytes
    return is_sound and _is_text(i64(place + 8 * _BEGIN), id_length + title_length, memory)


@compiled()
def _reason_length(place: _Int, memory: _Memory) -> _Int:
    """The length of the three parts of a reason, DAMAGED where they do not lie within the texts."""
    length = 0
    for part in range(1, 4):
        part_length = i64(place + 8 * part)
        if not 0 <= part_length <= memory[_N_BYTES]:
            return DAMAGED
        length += part_length
    return length if _is_text(i64(place), length, memory) else DAMAGED


@compiled()
def _call_text(memory: _Memory, start: _Int, length: _Int) -> _Int:
    """Calls a text from memory."""
    n_first = memory[_N_FIRST]
    source = memory[_FIRST] + start if start < n_first else memory[_MORE] + start - n_first
    for at in range(source, source + length, _LINE_BYTES):
        prefetch(at)


@compiled()
def _job(number: _Int, jobs: _Memory) -> _Int:
    """Where the place of a job lies."""
    return jobs[_PLACES] + number * _JOB_BYTES


@compiled()
def _reason(word: _Int, reasons: _Memory, column: _Int) -> _Int:
    """Where the place of a reason lies, in the language that begins at `column`."""
    return reasons[_PLACES] + (word & (NAMES_A_JOB_BIT - 1)) * _REASON_BYTES + 8 * column


@compiled()
def _call_places(at: _Int, end: _Int, n_items: _Int, jobs: _Memory, reasons: _Memory, column: _Int) -> _Int:
    """Calls the places of items and of what their reasons name; DAMAGED where the record ends before."""
    for _ in range(n_items):
        if at + ITEM_BYTES > end:
            return DAMAGED
        prefetch(_job(u32(at), jobs))
        n_reasons = u8(at + _FLAGS_AT) >> 2
        at += ITEM_BYTES
        for _ in range(n_reasons):
            if at + 8 > end:
                break
            word = u32(at)
            prefetch(_reason(word, reasons, column))
            at += 4
            if word & NAMES_A_JOB_BIT:
                prefetch(_job(u32(at), jobs))
                at += 4
    return 0


@compiled()
def _choose(
    at: _Int, end: _Int, n_items: _Int, jobs: _Memory, offset: _Int, limit: _Int, minimum: float, hidden_flags: _Int,
    chosen: Places,
) -> _Int:  # fmt: skip
    """Notes number and address of the items to show; how many there are, or DAMAGED."""
    n_chosen, n_shown = 0, 0
    for item in range(n_items):
        if at + ITEM_BYTES > end:
            return DAMAGED
        here, flags = at, u8(at + _FLAGS_AT)
        at += ITEM_BYTES
        for _ in range(flags >> 2):
            if at + 4 > end:
                return DAMAGED
            at += 8 if u32(at) & NAMES_A_JOB_BIT else 4
        number = u32(here)
        if at > end or (number >= jobs[_N_PLACES] and number != UNKNOWN):
            return DAMAGED
        is_shown = number != UNKNOWN and i64(_job(number, jobs) + 8 * _CARD) > 0 and not flags & hidden_flags
        if is_shown and u32(here + _SCORE_AT) / SCORE_STEPS >= minimum:
            if n_shown >= offset:
                chosen[n_chosen, 0] = item
                chosen[n_chosen, 1] = here
                n_chosen += 1
                if n_chosen == limit:
                    break
            n_shown += 1
    return n_chosen


@compiled()
def _check(here: _Int, jobs: _Memory, reasons: _Memory, column: _Int) -> _Int:
    """Calls the texts of an item from memory; the most bytes that it can have, DAMAGED where one is out of bounds."""
    place = _job(u32(here), jobs)
    start, length, id_length = i64(place + 8 * _CARD_BEGIN), i64(place + 8 * _CARD), i64(place + 8 * _ID)
    if not (_is_title(place, jobs) and _is_text(start, length, jobs) and _CARD_START_BYTES + id_length <= length):
        return DAMAGED
    _call_text(jobs, start, length)
    needed = length + id_length + _ITEM_MARGIN_BYTES
    at = here + ITEM_BYTES
    for _ in range(u8(here + _FLAGS_AT) >> 2):
        word = u32(at)
        at += 4
        if word & (NAMES_A_JOB_BIT - 1) >= reasons[_N_PLACES]:
            return DAMAGED
        place = _reason(word, reasons, column)
        length = _reason_length(place, reasons)
        if length == DAMAGED:
            return DAMAGED
        _call_text(reasons, i64(place), length)
        needed += length + 1
        if word & NAMES_A_JOB_BIT:
            number = u32(at)
            at += 4
            place = _job(number, jobs)
            if number >= jobs[_N_PLACES] or not _is_title(place, jobs):
                return DAMAGED
            length = i64(place + 8 * _ID) + i64(place + 8 * _TITLE)
            _call_text(jobs, i64(place + 8 * _BEGIN), length)
            needed += length
    return needed


@compiled()
def _put_reasons(to: _Int, here: _Int, jobs: _Memory, reasons: _Memory, column: _Int) -> _Int:
    at = here + ITEM_BYTES
    for which in range(u8(here + _FLAGS_AT) >> 2):
        if which:
            put_u8(to, _COMMA)
            to += 1
        word = u32(at)
        at += 4
        place = _reason(word, reasons, column)
        begin, length = i64(place), i64(place + 8)
        to = _put_text(to, reasons, begin, length)
        if word & NAMES_A_JOB_BIT:
            named = _job(u32(at), jobs)
            at += 4
            its, id_length = i64(named + 8 * _BEGIN), i64(named + 8 * _ID)
            to = _put_text(to, jobs, its, id_length)
            begin, length = begin + length, i64(place + 16)
            to = _put_text(to, reasons, begin, length)
            begin, length = begin + length, i64(place + 24)
            # Where the title ends the sentence, it goes without its last colons and spaces.
            shown = i64(named + 8 * (_SHORT_TITLE if length == _END_LENGTH else _TITLE))
            to = _put_text(to, jobs, its + id_length, shown)
            to = _put_text(to, reasons, begin, length)
    return to


@compiled()
def _put_components(to: _Int, components: Texts, item: _Int) -> _Int:
    to = _put_word(to, _COMPONENTS)
    at = components.ctypes.data + _PACKED_FROM + 2 * item * _N_COMPONENTS
    for name in range(_N_COMPONENTS):
        if name:
            put_u8(to, _COMMA)
            to += 1
        step = u16(at)
        at += 2
        to = _put_word(to, _FIRST_NAME + name)
        if step == UNKNOWN_COMPONENT:
            to = _put_word(to, _NULL)
        else:
            value = (10_000 * step + COMPONENT_STEPS // 2) // COMPONENT_STEPS
            to = _put_fraction(to, value, 10_000, _COMPONENT_DIGITS)
    put_u8(to, _BRACE)
    return to + 1


@compiled()
def _put_item(to: _Int, item: _Int, here: _Int, jobs: _Memory, reasons: _Memory, column: _Int) -> _Int:
    """An item up to its card."""
    place = _job(u32(here), jobs)
    card = i64(place + 8 * _CARD_BEGIN)
    to = _put_integer(_put_word(to, _RANK), item + 1)
    to = _put_text(_put_word(to, _JOB_ID), jobs, card + _CARD_START_BYTES, i64(place + 8 * _ID))
    to = _put_score(_put_word(to, _SCORE), u32(here + _SCORE_AT))
    to = _put_integer(_put_word(to, _PERCENT), u8(here + _PERCENT_AT))
    to = _put_word(to, _CONFIDENCE)
    confidence = u16(here + _CONFIDENCE_AT)
    if confidence == UNKNOWN_CONFIDENCE:
        to = _put_word(to, _NULL)
    else:
        to = _put_fraction(to, confidence, CONFIDENCE_STEPS, _CONFIDENCE_DIGITS)
    to = _put_word(to, _FLAGS + (u8(here + _FLAGS_AT) & (FLAG_SEEN + FLAG_EXPLORED)))
    to = _put_score(to, u32(here + _PROPENSITY_AT))
    to = _put_reasons(_put_word(to, _REASONS), here, jobs, reasons, column)
    return _put_text(_put_word(to, _JOB), jobs, card, i64(place + 8 * _CARD))


@compiled()
def _put_score(to: _Int, value: _Int) -> _Int:
    return _put_word(to, _NULL) if value == UNKNOWN else _put_fraction(to, value, SCORE_STEPS, _SCORE_DIGITS)


@compiled(
    types.int64(
        types.Array(types.uint8, 1, "C", readonly=True), types.int64, types.Array(types.uint8, 1, "C", readonly=True),
        types.int64[:, ::1], types.int64, types.int64, types.int64, types.float64, types.int64, types.int64[:, ::1],
        types.uint8[::1],
    ),
)  # fmt: skip
def join(
    record: Texts, first: _Int, components: Texts, memory: Places, reason_column: _Int, offset: _Int, limit: _Int,
    minimum: float, hidden_flags: _Int, chosen: Places, out: Texts,
) -> _Int:  # fmt: skip
    """Writes the items of a feed as JSON, separated by commas; returns the bytes written, DAMAGED or TOO_LONG.

    `record` from `first` on: the items (serving/contract). `components`: packed values, empty for none. `memory`: a
    row of `TextTable.memory` for jobs and one for reasons. `chosen`: scratch, at least `limit` rows of 2.
    """
    jobs = (memory[0, 0], memory[0, 1], memory[0, 2], memory[0, 3], memory[0, 4], memory[0, 5])
    reasons = (memory[1, 0], memory[1, 1], memory[1, 2], memory[1, 3], memory[1, 4], memory[1, 5])
    begin, end = record.ctypes.data + first, record.ctypes.data + len(record)
    n_items = u16(record.ctypes.data + 2) if len(record) >= 4 else 0
    if _call_places(begin, end, min(n_items, offset + limit), jobs, reasons, reason_column) == DAMAGED:
        return DAMAGED
    n_chosen = _choose(begin, end, n_items, jobs, offset, limit, minimum, hidden_flags, chosen)
    if n_chosen == DAMAGED:
        return DAMAGED
    # Everything is checked, and called from memory: it comes while the next is checked.
    needed = _SLOT_BYTES
    for row in range(n_chosen):
        item_bytes = _check(chosen[row, 1], jobs, reasons, reason_column)
        if item_bytes == DAMAGED:
            return DAMAGED
        needed += item_bytes
    n_components = (len(components) - _PACKED_FROM) // (2 * _N_COMPONENTS)
    if n_components > 0:
        needed += n_chosen * _N_COMPONENTS * _COMPONENT_MARGIN_BYTES
    if needed > len(out):
        return TOO_LONG
    to = out.ctypes.data
    for row in range(n_chosen):
        if row:
            put_u8(to, _COMMA)
            to += 1
        item = chosen[row, 0]
        to = _put_item(to, item, chosen[row, 1], jobs, reasons, reason_column)
        if item < n_components:
            to = _put_components(to, components, item)
        put_u8(to, _BRACE)
        to += 1
    return to - out.ctypes.data
