import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import mix, shard_of, stable_hash, uniform

_MASK = (1 << 64) - 1


def _slow_hash(value: str, salt: str) -> int:
    state = 0xCBF29CE484222325
    for byte in salt.encode() + b"\0" + value.encode():
        state = ((state ^ byte) * 0x100000001B3) & _MASK
    state = (state + 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


@given(st.lists(st.text(max_size=20), max_size=20), st.text(max_size=5))
def test_hashes_are_those_of_the_plain_algorithm(values: list[str], salt: str) -> None:
    expected = [_slow_hash(value, salt) for value in values]
    assert stable_hash(pl.Series(values, dtype=pl.String), salt).tolist() == expected


def test_a_slice_hashes_like_the_whole() -> None:
    whole = pl.Series(["a", "bc", "", "где", None, "f"])
    assert stable_hash(whole.slice(2, 3), "s").tolist() == stable_hash(whole, "s")[2:5].tolist()


def test_a_hash_never_changes() -> None:
    assert stable_hash(pl.Series(["user-1"]), "shard").tolist() == [_slow_hash("user-1", "shard")]
    assert mix(np.zeros(1, dtype=np.uint64)).tolist() == [16294208416658607535]  # the first number of splitmix64


def test_numbers_and_shards_are_evenly_spread() -> None:
    hashes = stable_hash(pl.Series([f"user-{k}" for k in range(20_000)]), "any")
    numbers = uniform(hashes)
    assert 0 <= numbers.min() < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.01
    counts = np.bincount(shard_of(hashes, 8), minlength=8)
    assert counts.min() > 2300 and counts.max() < 2700
