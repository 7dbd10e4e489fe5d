"""Top-k selection over blocks of scores and lists, and the union of what the retrievers found. Arrays only.

A block is B users (rows) and J jobs (columns). Lists of candidates are (B, k) int32 arrays of columns, best first,
-1 where a row has no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels.compiling import compiled

Jobs = NDArray[np.int32]
Floats = NDArray[np.float32]

NO_JOB = -1
MAX_JOBS = 1 << 20  # columns are packed into 20 bits beside row and score, to be sorted as one integer
MAX_ROWS = 1 << 11
_PRIORITY_LEVELS = 1000
_JOB_BITS = 24  # of a union's jobs, beside row, priority and who found them


@dataclass(frozen=True)
class Candidates:
    """The union per row: `jobs` (B, C), and `found_by` (B, C), a bit per retriever that proposed the job."""

    jobs: Jobs
    found_by: NDArray[np.uint16]


def top_k(scores: Floats, k: int) -> Jobs:
    """The `k` best columns of each row; -inf is never chosen; equal scores in the order of columns.

    A partition finds each row's threshold and only what passes it is sorted: NumPy partitions values a dozen times
    faster than it partitions indices.
    """
    n_rows, n_columns = scores.shape
    if n_columns >= MAX_JOBS or n_rows >= MAX_ROWS:
        raise ValueError(f"top_k: got a block of {n_rows} x {n_columns}; at most {MAX_ROWS - 1} x {MAX_JOBS - 1}")
    k = min(k, n_columns)
    if k <= 0 or n_rows == 0:
        return np.full((n_rows, max(k, 0)), NO_JOB, dtype=np.int32)
    threshold = np.partition(scores, n_columns - k, axis=1)[:, n_columns - k]
    rows, columns = np.nonzero((scores >= threshold[:, None]) & (scores > -np.inf))
    keys = (
        (rows.astype(np.int64) << 52) | (_descending(scores[rows, columns]) << 20) | columns.astype(np.int64)
    )  # fmt: skip
    keys.sort()
    return fill(keys >> 52, (keys & (MAX_JOBS - 1)).astype(np.int32), n_rows=n_rows, width=k)


def first_allowed(lists: Jobs, which: NDArray[Any], forbidden: Any, *, k: int) -> Jobs:
    """The first `k` jobs of list `which[i]` (a row of `lists`), in order, that row i of `forbidden` (B x J) lacks."""
    taken = np.full((len(which), max(0, min(k, lists.shape[1]))), NO_JOB, dtype=np.int32)
    if taken.size:
        _first_allowed(lists, which, forbidden.indptr, forbidden.indices, forbidden.shape[1], taken)
    return taken


def merge(found: Sequence[Jobs], *, n_jobs: int, cap: int) -> Candidates:
    """The union of several retrievers' lists (their index is their bit), at most `cap` jobs a row.

    Over the cap the jobs stay that stand highest, relative to its length, in any retriever's list.
    """
    n_rows = len(found[0]) if found else 0
    if n_jobs > 1 << _JOB_BITS or n_rows > MAX_ROWS:
        raise ValueError(f"merge: got lists of {n_rows} rows over {n_jobs} jobs; at most {MAX_ROWS} x {1 << _JOB_BITS}")
    parts = []
    for retriever, jobs in enumerate(found):
        rows, places = np.nonzero(jobs >= 0)
        priority = places * _PRIORITY_LEVELS // max(jobs.shape[1], 1)
        pair = rows.astype(np.int64) * n_jobs + jobs[rows, places]
        parts.append((pair << 14) | (priority << 4) | retriever)
    keys = np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)
    if len(keys) == 0:
        return Candidates(np.full((n_rows, 0), NO_JOB, dtype=np.int32), np.zeros((n_rows, 0), dtype=np.uint16))
    pairs = keys >> 14
    firsts = np.flatnonzero(np.diff(pairs, prepend=-1))
    found_by = np.bitwise_or.reduceat(np.int64(1) << (keys & 15), firsts)
    rows, jobs_of_pair = np.divmod(pairs[firsts], n_jobs)
    priority = (keys[firsts] >> 4) & 1023
    ordered = np.sort((((rows << 10 | priority) << _JOB_BITS | jobs_of_pair) << 16) | found_by)
    rows = ordered >> (10 + _JOB_BITS + 16)
    width = min(cap, int(np.bincount(rows).max()))
    return Candidates(
        jobs=fill(rows, ((ordered >> 16) & ((1 << _JOB_BITS) - 1)).astype(np.int32), n_rows=n_rows, width=width),
        found_by=np.maximum(fill(rows, (ordered & 0xFFFF).astype(np.int32), n_rows=n_rows, width=width), 0).astype(
            np.uint16
        ),
    )


def rank_within(rows: NDArray[Any]) -> NDArray[np.int64]:
    """0, 1, 2 … within each run of equal values of the sorted array `rows`."""
    if len(rows) == 0:
        return np.empty(0, dtype=np.int64)
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 1))
    return np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))


def expand(starts: NDArray[Any], counts: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For slices [start, start + count) of a flat array: which slice each element belongs to, and its position."""
    counts = counts.astype(np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    position = (
        np.arange(int(ends[-1]) if len(ends) else 0)
        - np.repeat(ends - counts, counts)
        + np.repeat(starts.astype(np.int64), counts)
    )
    return owner, position


def fill(rows: NDArray[Any], values: Jobs, *, n_rows: int, width: int) -> Jobs:
    """Sorted (row, value) pairs as a padded (n_rows, width) array; what exceeds the width is dropped."""
    places = rank_within(rows)
    kept = places < width
    table = np.full((n_rows, width), NO_JOB, dtype=np.int32)
    table[rows[kept], places[kept]] = values[kept]
    return table


def _descending(scores: Floats) -> NDArray[np.int64]:
    """float32 as 32-bit integers whose ascending order is the scores' descending order."""
    bits = (scores + np.float32(0)).view(np.uint32).astype(np.int64)  # + 0 makes -0.0 equal to 0.0
    ascending = np.where(bits >> 31 == 1, 0xFFFFFFFF - bits, bits | 0x80000000)
    return np.asarray(0xFFFFFFFF - ascending)


@compiled
def _first_allowed(lists: Any, which: Any, forbidden_indptr: Any, forbidden: Any, n_jobs: int, taken: Any) -> None:
    is_forbidden = np.zeros(n_jobs, dtype=np.bool_)
    for row in range(taken.shape[0]):
        for position in range(forbidden_indptr[row], forbidden_indptr[row + 1]):
            is_forbidden[forbidden[position]] = True
        n_taken = 0
        for job in lists[which[row]]:
            if job < 0 or n_taken == taken.shape[1]:
                break
            if not is_forbidden[job]:
                taken[row, n_taken] = job
                n_taken += 1
        for position in range(forbidden_indptr[row], forbidden_indptr[row + 1]):
            is_forbidden[forbidden[position]] = False
