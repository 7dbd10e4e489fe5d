"""Compiled code that writes items of a feed as JSON, from addresses that join.py checked."""

import numpy as np
from numpy.typing import NDArray

from serving.contract.feed_codec import (
    COMPONENT_STEPS,
    CONFIDENCE_STEPS,
    FLAG_EXPLORED,
    FLAG_SEEN,
    ITEM,
    ITEM_BYTES,
    NAMES_A_JOB_BIT,
    PACKED_COMPONENTS,
    SCORE_STEPS,
    UNKNOWN,
    UNKNOWN_COMPONENT,
    UNKNOWN_CONFIDENCE,
)
from serving.contract.tables import COMPONENTS
from serving.contract.text_tables import (
    CARD_LENGTH,
    CARD_OFFSET,
    CARD_START,
    ID_LENGTH,
    OFFSET,
    REASON_COLUMNS,
    SHORT_TITLE_LENGTH,
    TAIL_LENGTH,
    TITLE_LENGTH,
)
from serving.feed_join.memory import FIRST, LINE_BYTES, MORE, N_FIRST, Int, Memory, is_text, job_at, reason_at
from serving.feed_join.native import compiled, copy, i64, put_u8, put_u16, u8, u16, u32

_JOB_AT, SCORE_AT, _PROPENSITY_AT, _CONFIDENCE_AT, _PERCENT_AT, FLAGS_AT = np.cumsum(
    [0, *(ITEM[name].itemsize for name in ITEM.names or ())]
).tolist()[:-1]
CARD_START_BYTES = len(CARD_START)
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
# Literals, then names of components, each in a slot of the same size: a copy of constant size is a few instructions.
SLOT_BYTES = 64
_WORDS = np.frombuffer(b"".join(word.ljust(SLOT_BYTES, b"\0") for word in [*_LITERALS, *_NAMES]), np.uint8)
_WORD_LENGTHS = np.array([len(word) for word in [*_LITERALS, *_NAMES]], np.int64)
_PAIRS = np.frombuffer(b"".join(b"%02d" % number for number in range(100)), np.uint8)
N_COMPONENTS = len(COMPONENTS)
PACKED_FROM = len(PACKED_COMPONENTS)
COMMA, _ZERO, _DOT, BRACE = ord(","), ord("0"), ord("."), ord("}")
_ZERO_DOT = _ZERO | _DOT << 8


@compiled
def _put_word(to: Int, word: Int) -> Int:
    copy(to, _WORDS.ctypes.data + word * SLOT_BYTES, SLOT_BYTES)  # the next write replaces the surplus
    return to + _WORD_LENGTHS[word]


@compiled
def _put_integer(to: Int, value: Int) -> Int:
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


@compiled
def _put_fraction(to: Int, value: Int, steps: Int, n_digits: Int) -> Int:
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


@compiled
def _put_text(to: Int, memory: Memory, start: Int, length: Int) -> Int:
    """Writes a text, from the first texts or, past their end, from the others."""
    n_first = memory[N_FIRST]
    source = memory[FIRST] + start if start < n_first else memory[MORE] + start - n_first
    if length <= LINE_BYTES and is_text(start, LINE_BYTES, memory):
        copy(to, source, LINE_BYTES)  # the next write replaces the surplus
    else:
        copy(to, source, length)
    return to + length


@compiled
def _put_score(to: Int, value: Int) -> Int:
    return _put_word(to, _NULL) if value == UNKNOWN else _put_fraction(to, value, SCORE_STEPS, _SCORE_DIGITS)


@compiled
def _put_reasons(to: Int, here: Int, jobs: Memory, reasons: Memory, column: Int) -> Int:
    at = here + ITEM_BYTES
    for which in range(u8(here + FLAGS_AT) >> 2):
        if which:
            put_u8(to, COMMA)
            to += 1
        word = u32(at)
        at += 4
        offsets = reason_at(word, reasons, column)
        begin, length = i64(offsets), i64(offsets + 8)
        to = _put_text(to, reasons, begin, length)
        if word & NAMES_A_JOB_BIT:
            named = job_at(u32(at), jobs)
            at += 4
            title, id_length = i64(named + 8 * OFFSET), i64(named + 8 * ID_LENGTH)
            to = _put_text(to, jobs, title, id_length)
            begin, length = begin + length, i64(offsets + 16)
            to = _put_text(to, reasons, begin, length)
            begin, length = begin + length, i64(offsets + 24)
            # At the end of the sentence, the title is written without the colons and spaces at its end.
            shown = i64(named + 8 * (SHORT_TITLE_LENGTH if length == _END_LENGTH else TITLE_LENGTH))
            to = _put_text(to, jobs, title + id_length, shown)
            to = _put_text(to, reasons, begin, length)
    return to


@compiled
def put_components(to: Int, components: NDArray[np.uint8], item: Int) -> Int:
    """Writes the packed component values of the item at this position, as a member."""
    to = _put_word(to, _COMPONENTS)
    at = components.ctypes.data + PACKED_FROM + 2 * item * N_COMPONENTS
    for name in range(N_COMPONENTS):
        if name:
            put_u8(to, COMMA)
            to += 1
        step = u16(at)
        at += 2
        to = _put_word(to, _FIRST_NAME + name)
        if step == UNKNOWN_COMPONENT:
            to = _put_word(to, _NULL)
        else:
            value = (10_000 * step + COMPONENT_STEPS // 2) // COMPONENT_STEPS
            to = _put_fraction(to, value, 10_000, _COMPONENT_DIGITS)
    put_u8(to, BRACE)
    return to + 1


@compiled
def put_item(to: Int, item: Int, here: Int, jobs: Memory, reasons: Memory, column: Int) -> Int:
    """Writes an item up to and including its card."""
    offsets = job_at(u32(here), jobs)
    card = i64(offsets + 8 * CARD_OFFSET)
    to = _put_integer(_put_word(to, _RANK), item + 1)
    to = _put_text(_put_word(to, _JOB_ID), jobs, card + CARD_START_BYTES, i64(offsets + 8 * ID_LENGTH))
    to = _put_score(_put_word(to, _SCORE), u32(here + SCORE_AT))
    to = _put_integer(_put_word(to, _PERCENT), u8(here + _PERCENT_AT))
    to = _put_word(to, _CONFIDENCE)
    confidence = u16(here + _CONFIDENCE_AT)
    if confidence == UNKNOWN_CONFIDENCE:
        to = _put_word(to, _NULL)
    else:
        to = _put_fraction(to, confidence, CONFIDENCE_STEPS, _CONFIDENCE_DIGITS)
    to = _put_word(to, _FLAGS + (u8(here + FLAGS_AT) & (FLAG_SEEN + FLAG_EXPLORED)))
    to = _put_score(to, u32(here + _PROPENSITY_AT))
    to = _put_reasons(_put_word(to, _REASONS), here, jobs, reasons, column)
    length = i64(offsets + 8 * CARD_LENGTH)
    to = _put_text(_put_word(to, _JOB), jobs, card, length)
    tail = card + length
    for language in range(column // REASON_COLUMNS):
        tail += i64(offsets + 8 * (TAIL_LENGTH + language))
    return _put_text(to, jobs, tail, i64(offsets + 8 * (TAIL_LENGTH + column // REASON_COLUMNS)))
