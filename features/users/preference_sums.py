"""Sums of users' signals over the values of jobs (skills, tags, words), and the strongest values per user.

The sums are a sparse product (users x jobs) (jobs x values) in blocks of users: memory is bounded by the block, and
sums of integers do not depend on the order. The callers define signals and values.
"""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

# One product gives both sums: a signal is stored as amount * 2^20 + 1, and the low bits of a sum count the jobs.
_COUNT_BITS = 20
# One sort orders a block: user, group, weakness and column are packed into the 63 bits of an integer.
_USER_BITS, _GROUP_BITS, _STRENGTH_BITS, _COLUMN_BITS = 13, 3, 20, 27
USERS_AT_ONCE = 1 << _USER_BITS
_WEAKEST = (1 << _STRENGTH_BITS) - 1

Integers = NDArray[np.int64]
Groups = NDArray[np.uint8]
Weights = NDArray[np.float64]
Strength = Callable[[Integers, Integers, Weights, Groups], NDArray[np.float64]]

SUMS = {
    "user_id": pl.String,
    "group": pl.UInt8,
    "value": pl.String,
    "total": pl.Int64,
    "n": pl.Int64,
    "weight": pl.Float64,
}


def strongest_values(
    signals: pl.DataFrame, values: pl.DataFrame, *, strength: Strength, per_group: int
) -> pl.DataFrame:
    """The `per_group` strongest values per user and group: user_id, group, value, total of the amounts, n, weight.

    `signals` has user_id, job_id, amount (a small integer; one row per pair), `values` has job_id, group (UInt8, below
    8), value, and the weight of the value. `strength(total, n, weight, group)` ranks in [0, 1], where n is the number
    of jobs; values of strength 0 are dropped, ties are in order of value. Sorted by user_id, group, strength.
    """
    vocabulary = (
        values.group_by("group", "value").agg(pl.col("weight").first()).sort("group", "value").with_row_index("column")
    )
    # Only jobs with both signals and values matter.
    jobs = signals.select("job_id").unique().join(values.select("job_id").unique(), on="job_id").sort("job_id")
    jobs = jobs.with_row_index("job")
    kept = signals.join(jobs, on="job_id")
    users = kept.select("user_id").unique().sort("user_id").with_row_index("user")
    if users.is_empty():
        return pl.DataFrame(schema=SUMS)
    cells = values.join(jobs, on="job_id").join(vocabulary, on=["group", "value"]).select("job", "column").unique()
    by_value = sparse.csr_array(
        (np.ones(cells.height, dtype=np.int64), (cells["job"].to_numpy(), cells["column"].to_numpy())),
        shape=(jobs.height, vocabulary.height),
    )
    pairs = kept.join(users, on="user_id").select("user", "job", "amount").sort("user", "job")
    by_job = sparse.csr_array(
        (
            (pairs["amount"].to_numpy().astype(np.int64) << _COUNT_BITS) + 1,
            (pairs["user"].to_numpy(), pairs["job"].to_numpy()),
        ),
        shape=(users.height, jobs.height),
    )
    groups, weights = vocabulary["group"].to_numpy(), vocabulary["weight"].to_numpy()
    parts = list(_blocks(by_job, by_value, groups=groups, weights=weights, strength=strength, per_group=per_group))
    found = pl.DataFrame(
        {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(("user", "column", "total", "n"))},
        schema={"user": pl.UInt32, "column": pl.UInt32, "total": pl.Int64, "n": pl.Int64},
    )
    return (
        found.join(users, on="user", how="left", maintain_order="left")
        .join(vocabulary, on="column", how="left", maintain_order="left")
        .select(list(SUMS))
    )


def _blocks(
    by_job: sparse.csr_array,
    by_value: sparse.csr_array,
    *,
    groups: Groups,
    weights: Weights,
    strength: Strength,
    per_group: int,
) -> Iterator[tuple[Integers, ...]]:
    """Per block of users the kept (user, column, total, n), by user, group and strength."""
    for start in range(0, by_job.shape[0], USERS_AT_ONCE):
        product = (by_job[start : start + USERS_AT_ONCE] @ by_value).tocoo()
        user, column = product.row.astype(np.int64), product.col.astype(np.int64)
        packed = product.data
        n, total = packed & ((1 << _COUNT_BITS) - 1), packed >> _COUNT_BITS
        weakness = np.round((1 - np.clip(strength(total, n, weights[column], groups[column]), 0, 1)) * _WEAKEST).astype(
            np.int64
        )
        key = (user << _GROUP_BITS) | groups[column].astype(np.int64)
        packed_order = (((key << _STRENGTH_BITS) | weakness) << _COLUMN_BITS) | column
        is_kept = np.flatnonzero(weakness < _WEAKEST)
        order = is_kept[np.argsort(packed_order[is_kept])]
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
        chosen = order[place < per_group]
        yield start + user[chosen], column[chosen], total[chosen], n[chosen]
