"""Selection from lists of candidates, and the union of what the retrievers found. Arrays only.

A block is B users (rows) and J jobs (columns). Lists of candidates are (B, k) int32 arrays of columns, best first,
-1 where a row has no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import NO_ENTRY, CsrArrays, Floats, Ints
from models.kernels.compiling import compiled
from models.kernels.sparse_rows import mark_row
from models.sort_keys import KeyLayout

_PRIORITY_LEVELS = 1000
_FOUND_BY_BITS = 16
_UNION_KEY = KeyLayout(priority=10, job=32, found_by=_FOUND_BY_BITS)
_NO_KEY = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Candidates:
    """The union per row: `jobs` (B, C), and `found_by` (B, C), a bit per retriever that proposed the job."""

    jobs: Ints
    found_by: NDArray[np.uint16]

    def relevance(self, score: NDArray[np.floating]) -> Floats:
        """The scores (B, C) of the candidates, -inf for padding."""
        return np.where(self.jobs >= 0, score, -np.inf).astype(np.float32)

    def values_of(self, codes: Ints) -> Ints:
        """The code of each candidate, -1 for padding; `codes` has one per job."""
        return np.where(self.jobs >= 0, codes[np.maximum(self.jobs, 0)], -1).astype(np.int32)


def first_allowed(lists: Ints, which: NDArray[Any], forbidden: Any, *, k: int) -> Ints:
    """The first `k` jobs of row `which[i]` of `lists`, in order, without those in row i of `forbidden` (B x J)."""
    found = np.full((len(which), max(0, min(k, lists.shape[1]))), NO_ENTRY, dtype=np.int32)
    if found.size:
        _first_allowed(lists, which, CsrArrays.of(forbidden), forbidden.shape[1], found)
    return found


def merge(found: Sequence[Ints], limits: Sequence[int], *, n_jobs: int, cap: int) -> Candidates:
    """The union of several retrievers' lists (their index is their bit), at most `cap` jobs a row.

    If there are more, jobs with the best rank in any list, relative to the limit of the list, are kept. Not to its
    length: that depends on who else is in the block, and the candidates of a user must not.
    """
    if not found:
        return Candidates(np.zeros((0, 0), dtype=np.int32), np.zeros((0, 0), dtype=np.uint16))
    proposals = [
        _UNION_KEY.pack(
            priority=np.arange(jobs.shape[1]) * _PRIORITY_LEVELS // max(limit, 1), job=0, found_by=1 << retriever
        )
        for retriever, (jobs, limit) in enumerate(zip(found, limits, strict=True))
    ]
    keys = np.full((len(found[0]), sum(map(len, proposals))), _NO_KEY)
    _unite(np.concatenate(found, axis=1), np.concatenate(proposals), n_jobs, keys)
    keys.sort(axis=1)
    width = min(cap, int((keys != _NO_KEY).sum(axis=1).max(initial=0)))
    keys = keys[:, :width]
    is_found = keys != _NO_KEY
    return Candidates(
        jobs=np.where(is_found, _UNION_KEY.unpack(keys, "job"), NO_ENTRY).astype(np.int32),
        found_by=np.where(is_found, _UNION_KEY.unpack(keys, "found_by"), 0).astype(np.uint16),
    )


@compiled
def _unite(lists: Any, proposals: Any, n_jobs: int, keys: Any) -> None:
    """One key per row and job in `keys`: the best priority of its proposals, the job, and who proposed it.

    `proposals` has a key for each column of `lists`, without a job.
    """
    retrievers = (1 << _FOUND_BY_BITS) - 1
    place_of = np.full(n_jobs, NO_ENTRY, dtype=np.int32)
    for row in range(lists.shape[0]):
        n_found = 0
        for column in range(lists.shape[1]):
            job = lists[row, column]
            if job < 0:
                continue
            key = proposals[column] | (np.int64(job) << _FOUND_BY_BITS)
            place = place_of[job]
            if place < 0:
                place_of[job] = n_found
                keys[row, n_found] = key
                n_found += 1
            else:
                known = keys[row, place]
                keys[row, place] = min(known, key) | ((known | key) & retrievers)
        for column in range(lists.shape[1]):
            if lists[row, column] >= 0:
                place_of[lists[row, column]] = NO_ENTRY


@compiled
def _first_allowed(lists: Any, which: Any, forbidden: Any, n_jobs: int, found: Any) -> None:
    is_forbidden = np.zeros(n_jobs, dtype=np.bool_)
    for row in range(found.shape[0]):
        mark_row(is_forbidden, forbidden, row, True)
        n_found = 0
        for job in lists[which[row]]:
            if job < 0 or n_found == found.shape[1]:
                break
            if not is_forbidden[job]:
                found[row, n_found] = job
                n_found += 1
        mark_row(is_forbidden, forbidden, row, False)
