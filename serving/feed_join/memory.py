"""Compiled code reads text tables by address. Every address is checked before it is read: files may be damaged.

Addresses are passed, not arrays: passing arrays to many small functions takes longer than what these do.
"""

from typing import Any

from serving.contract.feed_codec import NAMES_A_JOB_BIT
from serving.contract.tables import LANGUAGES
from serving.contract.text_tables import (
    ID_LENGTH,
    OFFSET,
    SHORT_TITLE_LENGTH,
    TAIL_LENGTH,
    TEXT_TABLE_WIDTHS,
    TITLE_LENGTH,
)
from serving.feed_join.native import compiled, i64, prefetch

# A machine integer, and a tuple of them; the compiler infers their types.
Int = Any
Memory = Any

DAMAGED = -1
LINE_BYTES = 64
N_LANGUAGES = len(LANGUAGES)
_JOB_BYTES, _REASON_BYTES = 8 * TEXT_TABLE_WIDTHS["jobs"], 8 * TEXT_TABLE_WIDTHS["reasons"]

# A row of `TextTable.memory`: address and length of the first texts, address of the others, length of both, address and
# number of the rows of offsets.
FIRST, N_FIRST, MORE, N_BYTES, OFFSETS, N_OFFSETS = range(6)


@compiled
def job_at(text_id: Int, jobs: Memory) -> Int:
    """The address of a job's offsets."""
    return jobs[OFFSETS] + text_id * _JOB_BYTES


@compiled
def reason_at(word: Int, reasons: Memory, column: Int) -> Int:
    """The address of a reason's offsets, in the language that begins at `column`."""
    return reasons[OFFSETS] + (word & (NAMES_A_JOB_BIT - 1)) * _REASON_BYTES + 8 * column


@compiled
def is_text(start: Int, length: Int, memory: Memory) -> Any:
    """Whether a text lies within the first texts or the others."""
    n_first, n_bytes = memory[N_FIRST], memory[N_BYTES]
    # Each is compared alone first: their sum could overflow.
    is_within = 0 <= start <= n_bytes and 0 <= length <= n_bytes and start + length <= n_bytes
    return is_within and not start < n_first < start + length


@compiled
def is_title(at: Int, memory: Memory) -> Any:
    """Whether id and title of a job lie within the texts."""
    n_bytes = memory[N_BYTES]
    id_length, title_length = i64(at + 8 * ID_LENGTH), i64(at + 8 * TITLE_LENGTH)
    is_sound = 0 <= id_length <= n_bytes and 0 <= i64(at + 8 * SHORT_TITLE_LENGTH) <= title_length <= n_bytes
    return is_sound and is_text(i64(at + 8 * OFFSET), id_length + title_length, memory)


@compiled
def reason_length(at: Int, memory: Memory) -> Int:
    """The length of the three parts of a reason, DAMAGED if they do not lie within the texts."""
    length = 0
    for part in range(1, 4):
        part_length = i64(at + 8 * part)
        if not 0 <= part_length <= memory[N_BYTES]:
            return DAMAGED
        length += part_length
    return length if is_text(i64(at), length, memory) else DAMAGED


@compiled
def tails_length(at: Int, memory: Memory) -> Int:
    """The length of all ends of a job's card, DAMAGED if one can't be."""
    length = 0
    for language in range(N_LANGUAGES):
        tail = i64(at + 8 * (TAIL_LENGTH + language))
        if not 0 <= tail <= memory[N_BYTES]:
            return DAMAGED
        length += tail
    return length


@compiled
def prefetch_text(memory: Memory, start: Int, length: Int) -> Int:
    """Prefetches a text."""
    n_first = memory[N_FIRST]
    source = memory[FIRST] + start if start < n_first else memory[MORE] + start - n_first
    for at in range(source, source + length, LINE_BYTES):
        prefetch(at)
