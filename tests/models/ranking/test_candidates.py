from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import NO_ENTRY, expand_slices, rank_within
from models.ranking.candidates import first_allowed, merge


@st.composite
def _found(draw: Any) -> tuple[list[NDArray[np.int32]], int]:
    n_rows, n_jobs = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        width = draw(st.integers(0, n_jobs))
        rows = [draw(st.permutations(range(n_jobs)))[:width] for _ in range(n_rows)]
        jobs = np.array(rows, dtype=np.int32).reshape(n_rows, width)
        gaps = draw(hnp.arrays(bool, jobs.shape))
        found.append(np.where(gaps, NO_ENTRY, jobs).astype(np.int32))
    return found, n_jobs


@given(_found(), st.integers(1, 12))
def test_the_union_is_what_a_dictionary_gives(made: tuple[list[NDArray[np.int32]], int], cap: int) -> None:
    found, n_jobs = made
    limits = [jobs.shape[1] + 2 for jobs in found]
    union = merge(found, limits, n_jobs=n_jobs, cap=cap)
    for row in range(len(found[0])):
        best: dict[int, int] = {}
        finders: dict[int, int] = {}
        for retriever, jobs in enumerate(found):
            for place, job in enumerate(jobs[row]):
                if job != NO_ENTRY:
                    priority = place * 1000 // limits[retriever]
                    best[job] = min(best.get(job, 10_000), priority)
                    finders[job] = finders.get(job, 0) | 1 << retriever
        expected = sorted(best, key=lambda job: (best[job], job))[:cap]
        kept = union.jobs[row] != NO_ENTRY
        assert union.jobs[row][kept].tolist() == expected
        assert union.found_by[row][kept].tolist() == [finders[job] for job in expected]


@given(_found(), st.integers(1, 12))
def test_the_union_of_a_row_is_the_same_whoever_is_beside_it(
    made: tuple[list[NDArray[np.int32]], int], cap: int
) -> None:
    found, n_jobs = made
    limits = [n_jobs] * len(found)
    union = merge(found, limits, n_jobs=n_jobs, cap=cap)
    for row in range(len(found[0])):
        own = [jobs[row : row + 1] for jobs in found]
        trimmed = [jobs[:, : 1 + int(np.max(np.flatnonzero(jobs[0] >= 0), initial=-1))] for jobs in own]
        alone = merge(trimmed, limits, n_jobs=n_jobs, cap=cap)
        width = alone.jobs.shape[1]
        assert union.jobs[row, :width].tolist() == alone.jobs[0].tolist()
        assert union.found_by[row, :width].tolist() == alone.found_by[0].tolist()
        assert (union.jobs[row, width:] == NO_ENTRY).all()


def test_the_union_keeps_millions_of_jobs_apart() -> None:
    far = 30_000_000
    found = [np.array([[far, 7]], np.int32), np.array([[NO_ENTRY, far]], np.int32)]
    union = merge(found, [2, 2], n_jobs=far + 1, cap=5)
    assert union.jobs.tolist() == [[far, 7]]
    assert union.found_by.tolist() == [[0b11, 0b01]]


@given(_found(), st.integers(0, 9))
def test_forbidden_jobs_are_skipped_and_the_order_kept(made: tuple[list[NDArray[np.int32]], int], k: int) -> None:
    (shared, *_), n_jobs = made
    # A list ends at its first padding; row i of the block reads list i, the last row the first one.
    lists = np.take_along_axis(shared, np.argsort(shared == NO_ENTRY, axis=1, kind="stable"), axis=1)
    which = np.append(np.arange(len(lists)), 0)
    forbidden = np.arange(n_jobs)[None, :] % 3 == np.arange(len(which))[:, None] % 3
    taken = first_allowed(lists, which, sparse.csr_matrix(forbidden), k=k)
    for row, jobs in enumerate(lists[which]):
        expected = [job for job in jobs if job != NO_ENTRY and not forbidden[row, job]][:k]
        assert [job for job in taken[row] if job != NO_ENTRY] == expected


def test_ranks_within_runs_and_slices_expand() -> None:
    assert rank_within(np.array([2, 2, 5, 7, 7, 7])).tolist() == [0, 1, 0, 0, 1, 2]
    slice_index, position = expand_slices(np.array([4, 0, 9]), np.array([2, 0, 3]))
    assert slice_index.tolist() == [0, 0, 2, 2, 2]
    assert position.tolist() == [4, 5, 9, 10, 11]
