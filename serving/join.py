"""The join of a feed with the cards and reasons that it names, compiled: what a look-up spends its time on.

Everything that comes in was read from files that may be damaged: each place is checked before it is read.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from serving.contract import (
    CARD_START,
    COMPONENT_STEPS,
    COMPONENTS,
    CONFIDENCE_STEPS,
    FLAG_EXPLORED,
    FLAG_SEEN,
    ITEM_BYTES,
    NAMES_A_JOB_BIT,
    NUMBERED_WIDTHS,
    PACKED_COMPONENTS,
    SCORE_STEPS,
    UNKNOWN,
    UNKNOWN_COMPONENT,
    UNKNOWN_CONFIDENCE,
)

Texts = NDArray[np.uint8]
Places = NDArray[np.int64]
# What a machine integer is called in Python where the compiler does not look.
_Int = Any

DAMAGED, TOO_LONG = -1, -2
# More than the numbers, names and punctuation of an item and of its components can have.
_ITEM_MARGIN_BYTES = 256
_COMPONENT_MARGIN_BYTES = 48
_LINE_BYTES = 64
# Where the parts of an item lie in it, after the number of its job; and the columns of a job's place.
_SCORE_AT, _PROPENSITY_AT, _CONFIDENCE_AT, _PERCENT_AT, _FLAGS_AT = 4, 8, 12, 14, 15
_BEGIN, _ID, _TITLE, _CARD, _SHORT_TITLE, _CARD_BEGIN = range(NUMBERED_WIDTHS["jobs"])
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
# Literals, then names of components, one after another with their starts: compiled code can't index a tuple of bytes.
_WORD_BYTES = 48
_WORDS = np.frombuffer(b"".join([*_LITERALS, *_NAMES]) + bytes(_WORD_BYTES), np.uint8)
_WORD_STARTS = np.cumsum([0, *map(len, [*_LITERALS, *_NAMES])], dtype=np.int64)
_FIRST_NAME = len(_LITERALS)
_N_COMPONENTS = len(COMPONENTS)
_PACKED_FROM = len(PACKED_COMPONENTS)
_COMMA, _ZERO, _DOT, _BRACE = ord(","), ord("0"), ord("."), ord("}")


# Mapped files and strings of bytes can't be written to.
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_PLACES = types.Array(types.int64, 2, "C", readonly=True)


_intrinsic: Callable[[Callable[..., Any]], Any] = intrinsic


def _compiled(*signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    njit: Callable[..., Any] = partial(numba.njit, error_model="numpy")

    def compile_(function: Callable[..., Any]) -> Any:
        try:
            return njit(*signature, cache=True, **options)(function)
        except RuntimeError:  # no folder that a cache could be written to: compiled at every start
            return njit(*signature, **options)(function)

    return compile_


@_compiled(inline="always")
def _u32(data: Texts, at: _Int) -> _Int:
    return (
        np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24
    )


@_intrinsic
def _copy(typing_context: Any, to: Any, to_at: Any, source: Any, source_at: Any, length: Any) -> Any:
    """memcpy: a loop over bytes that may lie anywhere takes three times as long."""
    signature = types.void(to, types.int64, source, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        to, to_at, source, source_at, length = arguments
        target = context.make_array(signature.args[0])(context, builder, to).data
        origin = context.make_array(signature.args[2])(context, builder, source).data
        raw_memcpy: Any = cgutils.raw_memcpy
        raw_memcpy(builder, builder.gep(target, [to_at]), builder.gep(origin, [source_at]), length, 1)

    return signature, generate


@_intrinsic
def _call(typing_context: Any, array: Any, place: Any) -> Any:
    """Calls an element's cache line from memory without waiting for it. Any place may be named: nothing is read."""
    signature = types.void(array, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        integer = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, integer, integer, integer])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        # For reading, to be kept in all caches, of data.
        builder.call(prefetch, [address, integer(0), integer(3), integer(1)])

    return signature, generate


@_compiled(inline="always")
def _u16(data: Texts, at: _Int) -> _Int:
    return np.int64(data[at]) | np.int64(data[at + 1]) << 8


@_compiled(inline="always")
def _put(out: Texts, at: _Int, source: Texts, start: _Int, length: _Int) -> _Int:
    _copy(out, at, source, start, length)
    return at + length


@_compiled()
def _put_word(out: Texts, at: _Int, word: _Int) -> _Int:
    start = _WORD_STARTS[word]
    # As many bytes for all are a few instructions; what is too much is written over.
    _copy(out, at, _WORDS, start, _WORD_BYTES)
    return at + _WORD_STARTS[word + 1] - start


@_compiled()
def _put_integer(out: Texts, at: _Int, value: _Int) -> _Int:
    rest = np.uint32(value)
    n_digits = 1
    while rest >= np.uint32(10):
        n_digits += 1
        rest //= np.uint32(10)
    rest = np.uint32(value)
    for i in range(n_digits):
        out[at + n_digits - 1 - i] = np.uint32(_ZERO) + rest % np.uint32(10)
        rest //= np.uint32(10)
    return at + n_digits


@_compiled()
def _put_fraction(out: Texts, at: _Int, value: _Int, n_digits: _Int) -> _Int:
    """`value` / 10 ** `n_digits` as a decimal number. Divisors are constants, for these are multiplied by."""
    whole = np.uint32(value)
    for _ in range(n_digits):
        whole //= np.uint32(10)
    at = _put_integer(out, at, whole)
    out[at] = _DOT
    rest = np.uint32(value)
    for i in range(n_digits):
        out[at + n_digits - i] = np.uint32(_ZERO) + rest % np.uint32(10)
        rest //= np.uint32(10)
    at += n_digits
    while out[at] == _ZERO and out[at - 1] != _DOT:
        at -= 1
    return at + 1


@_compiled()
def _put_known(out: Texts, at: _Int, value: _Int, n_digits: _Int, unknown: _Int) -> _Int:
    return _put_word(out, at, _NULL) if value == unknown else _put_fraction(out, at, value, n_digits)


@_compiled()
def _put_text(out: Texts, at: _Int, texts: Texts, more: Texts, start: _Int, length: _Int) -> _Int:
    """A text that lies in `texts`, or behind their end in `more`."""
    # Two branches: a variable for one of two arrays would count references.
    if start < len(texts):
        return _put(out, at, texts, start, length)
    return _put(out, at, more, start - len(texts), length)


@_compiled()
def _is_text(start: _Int, length: _Int, n_first: _Int, n_bytes: _Int) -> Any:
    """Whether a text lies within the first texts or the second."""
    if not (0 <= start <= n_bytes and 0 <= length <= n_bytes):
        return False  # their sum could pass the largest integer
    end = start + length
    return end <= n_bytes and not start < n_first < end


@_compiled()
def _is_title(places: Places, job: _Int, n_first: _Int, n_bytes: _Int) -> Any:
    """Whether id and title of a job lie within the texts."""
    id_length, title_length, stripped = places[job, _ID], places[job, _TITLE], places[job, _SHORT_TITLE]
    is_sound = 0 <= id_length <= n_bytes and 0 <= stripped <= title_length <= n_bytes
    return is_sound and _is_text(places[job, _BEGIN], id_length + title_length, n_first, n_bytes)


@_compiled()
def _reason_length(places: Places, reason: _Int, column: _Int, n_first: _Int, n_bytes: _Int) -> _Int:
    """The length of the three parts of a reason, DAMAGED where they do not lie within the texts."""
    length = 0
    for part in range(column + 1, column + 4):
        if places[reason, part] < 0 or places[reason, part] > n_bytes:
            return DAMAGED
        length += places[reason, part]
    return length if _is_text(places[reason, column], length, n_first, n_bytes) else DAMAGED


@_compiled()
def _call_text(texts: Texts, more: Texts, start: _Int, length: _Int) -> _Int:
    """Calls a text from memory."""
    if start < len(texts):
        for at in range(start, start + length, _LINE_BYTES):
            _call(texts, at)
    else:
        for at in range(start - len(texts), start - len(texts) + length, _LINE_BYTES):
            _call(more, at)


@_compiled()
def _call_places(
    record: Texts, first: _Int, n_items: _Int, job_places: Places, reason_places: Places, column: _Int
) -> _Int:
    """Calls the places of `n_items` items and of what their reasons name; DAMAGED where the record ends before."""
    at = first
    for _ in range(n_items):
        if at + ITEM_BYTES > len(record):
            return DAMAGED
        _call(job_places, _u32(record, at) * job_places.shape[1])
        reasons = record[at + _FLAGS_AT] >> 2
        at += ITEM_BYTES
        for _ in range(reasons):
            if at + 8 > len(record):
                break
            reason = _u32(record, at)
            _call(reason_places, (reason & (NAMES_A_JOB_BIT - 1)) * reason_places.shape[1] + column)
            at += 4
            if reason & NAMES_A_JOB_BIT:
                _call(job_places, _u32(record, at) * job_places.shape[1])
                at += 4
    return at


@_compiled()
def _put_components(out: Texts, to: _Int, components: Texts, item: _Int) -> _Int:
    to = _put_word(out, to, _COMPONENTS)
    at = _PACKED_FROM + 2 * item * _N_COMPONENTS
    for name in range(_N_COMPONENTS):
        if name:
            out[to] = _COMMA
            to += 1
        step = _u16(components, at)
        at += 2
        value = step if step == UNKNOWN_COMPONENT else (10_000 * step + COMPONENT_STEPS // 2) // COMPONENT_STEPS
        to = _put_word(out, to, _FIRST_NAME + name)
        to = _put_known(out, to, value, _COMPONENT_DIGITS, UNKNOWN_COMPONENT)
    out[to] = _BRACE
    return to + 1


@_compiled(
    types.int64(
        _BYTES, types.int64, _BYTES, _BYTES, _BYTES, _PLACES, _BYTES, _BYTES, _PLACES, types.int64,
        types.int64, types.int64, types.float64, types.int64, types.int64[:, ::1], types.uint8[::1],
    ),
)  # fmt: skip
def join(
    record: Texts, first: _Int, components: Texts,
    job_texts: Texts, more_job_texts: Texts, job_places: Places,
    reason_texts: Texts, more_reason_texts: Texts, reason_places: Places, reason_column: _Int,
    offset: _Int, limit: _Int, minimum: float, hidden_flags: _Int, chosen: Places, out: Texts,
) -> _Int:  # fmt: skip
    """Writes the items of a feed as JSON, separated by commas; returns the bytes written, DAMAGED or TOO_LONG.

    `record` from `first` on: the items (serving/contract.py). `components`: packed values, empty for none. A place that
    begins behind the end of the first texts lies in the second. `chosen`: scratch, at least `limit` rows of 2.
    """
    # Choosing, checking and writing in one function: as three that hand ten arrays on it takes a fifth longer.
    n_items = len(record) and np.int64(record[2]) | np.int64(record[3]) << 8
    n_bytes, n_jobs, n_reasons = len(record), len(job_places), len(reason_places)
    n_first_jobs, n_first_reasons = len(job_texts), len(reason_texts)
    n_job_bytes, n_reason_bytes = n_first_jobs + len(more_job_texts), n_first_reasons + len(more_reason_texts)
    if _call_places(record, first, min(n_items, offset + limit), job_places, reason_places, reason_column) == DAMAGED:
        return DAMAGED
    n_chosen, n_shown, at = 0, 0, first
    for item in range(n_items):
        if at + ITEM_BYTES > n_bytes:
            return DAMAGED
        here, at = at, at + ITEM_BYTES
        for _ in range(record[here + _FLAGS_AT] >> 2):
            if at + 4 > n_bytes:
                return DAMAGED
            at += 8 if record[at + 3] & 0x80 else 4
        number = _u32(record, here)
        if at > n_bytes or (number >= n_jobs and number != UNKNOWN):
            return DAMAGED
        is_shown = number != UNKNOWN and job_places[number, _CARD] > 0 and not record[here + _FLAGS_AT] & hidden_flags
        if is_shown and _u32(record, here + _SCORE_AT) / SCORE_STEPS >= minimum:
            if n_shown >= offset:
                chosen[n_chosen, 0] = item
                chosen[n_chosen, 1] = here
                n_chosen += 1
                if n_chosen == limit:
                    break
            n_shown += 1
    # Everything is checked, and called from memory: it comes while the next is checked.
    needed = 0
    for row in range(n_chosen):
        here = chosen[row, 1]
        number = _u32(record, here)
        start, length = job_places[number, _CARD_BEGIN], job_places[number, _CARD]
        if not (
            _is_title(job_places, number, n_first_jobs, n_job_bytes)
            and _is_text(start, length, n_first_jobs, n_job_bytes)
            and _CARD_START_BYTES + job_places[number, _ID] <= length
        ):
            return DAMAGED
        needed += length + job_places[number, _ID] + _ITEM_MARGIN_BYTES
        _call_text(job_texts, more_job_texts, start, length)
        at = here + ITEM_BYTES
        for _ in range(record[here + _FLAGS_AT] >> 2):
            reason = _u32(record, at)
            at += 4
            names_job = reason & NAMES_A_JOB_BIT != 0
            reason &= NAMES_A_JOB_BIT - 1
            if reason >= n_reasons:
                return DAMAGED
            length = _reason_length(reason_places, reason, reason_column, n_first_reasons, n_reason_bytes)
            if length == DAMAGED:
                return DAMAGED
            needed += length + 1
            _call_text(reason_texts, more_reason_texts, reason_places[reason, reason_column], length)
            if names_job:
                number = _u32(record, at)
                at += 4
                if number >= n_jobs or not _is_title(job_places, number, n_first_jobs, n_job_bytes):
                    return DAMAGED
                length = job_places[number, _ID] + job_places[number, _TITLE]
                needed += length
                _call_text(job_texts, more_job_texts, job_places[number, _BEGIN], length)
    n_components = (len(components) - _PACKED_FROM) // (2 * _N_COMPONENTS)
    if n_components > 0:
        needed += n_chosen * _N_COMPONENTS * _COMPONENT_MARGIN_BYTES
    if needed + _WORD_BYTES > len(out):
        return TOO_LONG
    to = 0
    for row in range(n_chosen):
        item, here = chosen[row, 0], chosen[row, 1]
        flags, number = record[here + _FLAGS_AT], _u32(record, here)
        card, id_length = job_places[number, _CARD_BEGIN], job_places[number, _ID]
        if row:
            out[to] = _COMMA
            to += 1
        to = _put_integer(out, _put_word(out, to, _RANK), item + 1)
        to = _put_word(out, to, _JOB_ID)
        to = _put_text(out, to, job_texts, more_job_texts, card + _CARD_START_BYTES, id_length)
        to = _put_known(out, _put_word(out, to, _SCORE), _u32(record, here + _SCORE_AT), _SCORE_DIGITS, UNKNOWN)
        to = _put_integer(out, _put_word(out, to, _PERCENT), np.int64(record[here + _PERCENT_AT]))
        confidence = _u16(record, here + _CONFIDENCE_AT)
        to = _put_known(out, _put_word(out, to, _CONFIDENCE), confidence, _CONFIDENCE_DIGITS, UNKNOWN_CONFIDENCE)
        to = _put_known(
            out,
            _put_word(out, to, _FLAGS + (flags & (FLAG_SEEN + FLAG_EXPLORED))),
            _u32(record, here + _PROPENSITY_AT),
            _SCORE_DIGITS,
            UNKNOWN,
        )
        to = _put_word(out, to, _REASONS)
        at = here + ITEM_BYTES
        for which in range(flags >> 2):
            if which:
                out[to] = _COMMA
                to += 1
            reason = _u32(record, at)
            at += 4
            names_job = reason & NAMES_A_JOB_BIT != 0
            reason &= NAMES_A_JOB_BIT - 1
            begin = reason_places[reason, reason_column]
            length = reason_places[reason, reason_column + 1]
            to = _put_text(out, to, reason_texts, more_reason_texts, begin, length)
            if names_job:
                named = _u32(record, at)
                at += 4
                its, its_id = job_places[named, _BEGIN], job_places[named, _ID]
                to = _put_text(out, to, job_texts, more_job_texts, its, its_id)
                begin, length = begin + length, reason_places[reason, reason_column + 2]
                to = _put_text(out, to, reason_texts, more_reason_texts, begin, length)
                begin, length = begin + length, reason_places[reason, reason_column + 3]
                # Where the title ends the sentence, it goes without its last colons and spaces.
                shown = job_places[named, _SHORT_TITLE] if length == _END_LENGTH else job_places[named, _TITLE]
                to = _put_text(out, to, job_texts, more_job_texts, its + its_id, shown)
                to = _put_text(out, to, reason_texts, more_reason_texts, begin, length)
        to = _put_text(out, _put_word(out, to, _JOB), job_texts, more_job_texts, card, job_places[number, _CARD])
        if item < n_components:
            to = _put_components(out, to, components, item)
        out[to] = _BRACE
        to += 1
    return to
