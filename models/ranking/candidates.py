"""Selection from lists of candidates, and the union of what the retrievers found. Arrays only.

A block is B users (rows) and J jobs (columns). Lists of candidates are (B, k) int32 arrays of columns, best first,
-1 where a row has no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import NO_ENTRY, CsrArrays, Floats, Ints, padded_rows
from models.kernels.compiling import compiled
from models.kernels.sparse_rows import mark_row
from models.sort_keys import KeyLayout

_PRIORITY_LEVELS = 1000
_PROPOSAL_KEY = KeyLayout(pair=35, priority=10, retriever=4)
_UNION_KEY = KeyLayout(row=11, priority=10, job=24, found_by=16)


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


def merge(found: Sequence[Ints], *, n_jobs: int, cap: int) -> Candidates:
    """The union of several retrievers' lists (their index is their bit), at most `cap` jobs a row.

    If there are more, jobs with the best rank in any list, relative to the length of the list, are kept.
    """
    n_rows = len(found[0]) if found else 0
    if not _UNION_KEY.has_room(row=n_rows, job=n_jobs):
        raise ValueError(f"merge: got lists of {n_rows} rows over {n_jobs} jobs; at most 2048 x 16777216")
    parts = []
    for retriever, jobs in enumerate(found):
        rows, places = np.nonzero(jobs >= 0)
        priority = places * _PRIORITY_LEVELS // max(jobs.shape[1], 1)
        pair = rows.astype(np.int64) * n_jobs + jobs[rows, places]
        parts.append(_PROPOSAL_KEY.pack(pair=pair, priority=priority, retriever=retriever))
    keys = np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)
    if len(keys) == 0:
        return Candidates(np.full((n_rows, 0), NO_ENTRY, dtype=np.int32), np.zeros((n_rows, 0), dtype=np.uint16))
    pairs = _PROPOSAL_KEY.unpack(keys, "pair")
    firsts = np.flatnonzero(np.diff(pairs, prepend=-1))
    found_by = np.bitwise_or.reduceat(np.int64(1) << _PROPOSAL_KEY.unpack(keys, "retriever"), firsts)
    rows, jobs_of_pair = np.divmod(pairs[firsts], n_jobs)
    priority = _PROPOSAL_KEY.unpack(keys[firsts], "priority")
    ordered = np.sort(_UNION_KEY.pack(row=rows, priority=priority, job=jobs_of_pair, found_by=found_by))
    rows = _UNION_KEY.unpack(ordered, "row")
    width = min(cap, int(np.bincount(rows).max()))
    chosen, bits = (
        padded_rows(rows, _UNION_KEY.unpack(ordered, field).astype(np.int32), n_rows=n_rows, width=width)
        for field in ("job", "found_by")
    )
    return Candidates(jobs=chosen, found_by=np.maximum(bits, 0).astype(np.uint16))


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
