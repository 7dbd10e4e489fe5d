"""Stable 64-bit hashes of strings, and random numbers derived from them: equal on every machine, thread and shard.

Python's `hash` and Polars' `.hash` must not be used: they change between processes and versions.
"""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

UInt64s = NDArray[np.uint64]

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def stable_hash(values: pl.Series, salt: str) -> UInt64s:
    """FNV-1a (Fowler, Noll, Vo) over `salt`, a zero byte and each value's UTF-8 bytes, finished by SplitMix64.

    One number per value; a null hashes like the empty string.
    """
    start = _FNV_OFFSET
    for byte in salt.encode() + b"\0":
        start = ((start ^ byte) * _FNV_PRIME) & _MASK
    hashes = np.full(len(values), start, dtype=np.uint64)
    data, starts, lengths = _utf8(values)
    prime = np.uint64(_FNV_PRIME)
    for position in range(int(lengths.max(initial=0))):
        active = np.flatnonzero(lengths > position)
        hashes[active] = (hashes[active] ^ data[starts[active] + position].astype(np.uint64)) * prime
    return mix(hashes)


def mix(values: NDArray[Any]) -> UInt64s:
    """The SplitMix64 finaliser (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014)."""
    z = np.asarray(values, dtype=np.uint64) + GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)


def uniform(hashes: UInt64s) -> NDArray[np.float64]:
    """Hashes as numbers in [0, 1)."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def shard_of(hashes: UInt64s, n_shards: int) -> NDArray[np.int32]:
    """Which of `n_shards` each hash belongs to."""
    return (hashes % np.uint64(n_shards)).astype(np.int32)


def _utf8(values: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The bytes of all strings in one array, and each string's start and length."""
    array: Any = values.cast(pl.String).fill_null("").rechunk().to_arrow()
    array = array.cast("large_string")
    _, offset_buffer, data_buffer = array.buffers()
    if len(array) == 0 or data_buffer is None:
        nothing = np.zeros(len(array), dtype=np.int64)
        return np.zeros(1, dtype=np.uint8), nothing, nothing
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data_buffer, dtype=np.uint8), offsets[:-1], np.diff(offsets)
