"""Sort keys: a value and positions packed into one int64, so that sorting the integers sorts the rows.

NumPy sorts 300 packed integers in 2 microseconds; an index sort of them takes 12. Fields are given from the most to
the least significant, and their widths are checked here. The compiled forms for one key are at the end of the module.
"""

from typing import Any

import numpy as np

from models.arrays import Doubles, Floats, Ints, Longs
from models.kernels.compiling import compiled

_KEY_BITS = 63  # of an int64 that is not negative
_POSITION_BITS = 20  # of a position in a row that `best_first` sorts
_HEAP_POSITION_BITS = 32
_HALF_RANGE = 1 << 31
_UNIT_BITS = 41  # a value in [0, 2] takes one more


class KeyLayout:
    """Named fields of an int64 key with their widths in bits, the most significant first."""

    def __init__(self, **widths: int) -> None:
        if sum(widths.values()) > _KEY_BITS:
            raise ValueError(f"the fields {widths} take {sum(widths.values())} bits; a key has {_KEY_BITS}")
        shift, self._fields = sum(widths.values()), {}
        for name, width in widths.items():
            shift -= width
            self._fields[name] = (shift, (1 << width) - 1)

    def has_room(self, **counts: int) -> bool:
        """True if every named field can hold the numbers below its count."""
        return all(count <= self._fields[name][1] + 1 for name, count in counts.items())

    def pack(self, **values: Any) -> Longs:
        """One key for each entry of the fields' arrays; the values must fit their widths."""
        key: Longs = np.zeros((), dtype=np.int64)
        for name, (shift, _) in self._fields.items():
            key = key | (np.asarray(values[name], dtype=np.int64) << shift)
        return key

    def unpack(self, keys: Longs, field: str) -> Longs:
        """The values of one field."""
        shift, mask = self._fields[field]
        return np.asarray((keys >> shift) & mask, dtype=np.int64)


_HEAP_KEY = KeyLayout(score=31, position=_HEAP_POSITION_BITS)
_ROW_KEY = KeyLayout(value=_UNIT_BITS + 2, position=_POSITION_BITS)


def descending(values: Floats) -> Longs:
    """32-bit integers that ascend as the float32 `values` descend; -0.0 equals 0.0. No NaN."""
    bits = (np.asarray(values, dtype=np.float32) + np.float32(0)).view(np.int32).astype(np.int64)  # + 0: -0.0 is 0.0
    return np.where(bits < 0, bits + (1 << 32), 0x7FFFFFFF - bits)


def best_first(values: Floats) -> Ints:
    """The positions of each row (B, C) by descending value; equal ones keep their order. No NaN."""
    return _sorted_positions(descending(values))


def least_first(values: Doubles) -> Ints:
    """The positions of each row (B, C) by ascending value in [0, 2], compared to 41 bits."""
    return _sorted_positions((values * 2.0**_UNIT_BITS).astype(np.int64))


def rank_in_group(codes: Ints) -> Longs:
    """For each entry of each row of `codes` the number of equal entries before it, (B, C)."""
    by_code = _sorted_positions(codes.astype(np.int64) + (1 << 31))
    grouped = np.take_along_axis(codes, by_code, axis=1)
    is_first = np.ones_like(grouped, dtype=bool)
    is_first[:, 1:] = grouped[:, 1:] != grouped[:, :-1]
    position = np.broadcast_to(np.arange(codes.shape[1]), codes.shape)
    within = position - np.maximum.accumulate(np.where(is_first, position, 0), axis=1)
    rank = np.empty_like(within)
    np.put_along_axis(rank, by_code, within, axis=1)
    return rank


def _sorted_positions(values: Longs) -> Ints:
    n_columns = values.shape[1]
    if not _ROW_KEY.has_room(position=n_columns + 1):
        raise ValueError(f"rows of {n_columns} entries can't be sorted; at most {(1 << _POSITION_BITS) - 1}")
    keys = _ROW_KEY.pack(value=values, position=np.arange(n_columns, dtype=np.int64))
    keys.sort(axis=1)
    return _ROW_KEY.unpack(keys, "position").astype(np.int32)


@compiled
def descending_key(score: Any, position: Any) -> Any:
    """A key that sorts by float32 score downwards, then by position upwards; score >= 0."""
    bits = np.int64(np.float32(score).view(np.uint32))
    return ((np.int64(0x7FFFFFFF) - bits) << _HEAP_POSITION_BITS) | np.int64(position)


@compiled
def score_of_key(key: Any) -> Any:
    """The score that `descending_key` packed."""
    return np.uint32(np.int64(0x7FFFFFFF) - (key >> _HEAP_POSITION_BITS)).view(np.float32)


@compiled
def signed_key(score: Any, position: Any) -> Any:
    """Like `descending_key` for scores of either sign, no NaN; -0.0 equals 0.0. The key may be negative."""
    bits = np.int64(np.float32(score).view(np.uint32))
    falling = bits if bits > _HALF_RANGE else np.int64(0x7FFFFFFF) - (bits & np.int64(0x7FFFFFFF))
    return ((falling - _HALF_RANGE) << _HEAP_POSITION_BITS) | np.int64(position)


@compiled
def score_of_signed_key(key: Any) -> Any:
    """The score that `signed_key` packed."""
    falling = (key >> _HEAP_POSITION_BITS) + _HALF_RANGE
    return np.uint32(falling if falling > 0x7FFFFFFF else np.int64(0x7FFFFFFF) - falling).view(np.float32)


@compiled
def position_of_key(key: Any) -> Any:
    """The position that `descending_key` or `signed_key` packed."""
    return np.int32(key & np.int64(0xFFFFFFFF))
