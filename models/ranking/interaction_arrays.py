"""Interactions of users with jobs as arrays, small enough to hold for all users of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import Bools, Csr, Ints, Longs, csr_of_ones, expand_slices, positions
from models.ranking.job_arrays import JobTable

SEEN, SAVED, APPLIED, DISMISSED, LIKED = (np.uint8(1 << bit) for bit in range(5))


@dataclass(frozen=True)
class JobIndex:
    """All jobs of the catalog, sorted by id, and the open job that represents each.

    `representatives` are the ids under which the models learned a job's events: for a duplicate, the job it duplicates.
    """

    jobs: JobTable
    job_ids: pl.Series
    representatives: pl.Series
    rows: Ints  # of the JobTable, -1 where no open job represents the job


@dataclass(frozen=True)
class InteractionArrays:
    """One row per user and job, user by user (`indptr`, users + 1), each user's newest first.

    `job` is a position in the JobIndex, `events` are bit flags. `has_acted`, per user: the user did more than see
    impressions, even if only of unknown jobs.
    """

    indptr: Longs
    job: Ints
    events: NDArray[np.uint8]
    has_acted: Bools

    @property
    def user(self) -> Ints:
        """Position of the user of each row."""
        return np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int32), np.diff(self.indptr))

    def take(self, users: NDArray[Any]) -> "InteractionArrays":
        """The rows of the users at the given positions."""
        lengths = np.diff(self.indptr)[users]
        _, position = expand_slices(self.indptr[:-1][users], lengths)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return InteractionArrays(indptr, self.job[position], self.events[position], self.has_acted[users])

    def jobs_with(self, events: np.uint8, index: JobIndex) -> Csr:
        """The open jobs on which (or on a duplicate of which) a user has any of the `events`: users x jobs of ones."""
        kept = (self.events & events) > 0
        shape = (len(self.indptr) - 1, index.jobs.n)
        return csr_of_ones(self.user[kept], index.rows[self.job[kept]], shape=shape)


def build_job_index(catalog: pl.DataFrame, jobs: JobTable) -> JobIndex:
    """`catalog`: job_id (distinct) and duplicate_of of all jobs."""
    ordered = catalog.sort("job_id")
    representatives = ordered.select(pl.coalesce("duplicate_of", "job_id")).to_series()
    return JobIndex(jobs, ordered["job_id"], representatives, jobs.rows_of(ordered["job_id"]))


def encode_interactions(interactions: pl.DataFrame, user_ids: pl.Series, index: JobIndex) -> InteractionArrays:
    """INTERACTIONS of `user_ids` (sorted). Other users and jobs outside the catalog are skipped."""
    bits = {
        SEEN: pl.col("is_seen"),
        SAVED: pl.col("is_saved"),
        APPLIED: pl.col("is_applied"),
        DISMISSED: pl.col("is_dismissed"),
        LIKED: (pl.col("n_shares") > 0) | (pl.col("n_relevant") > 0),
    }
    events = pl.sum_horizontal(fact.fill_null(value=False).cast(pl.UInt8) * int(bit) for bit, fact in bits.items())
    coded = interactions.select(
        "last_at",
        user=pl.Series(positions(user_ids, interactions["user_id"]), dtype=pl.Int32),
        job=pl.Series(positions(index.job_ids, interactions["job_id"]), dtype=pl.Int32),
        events=events.cast(pl.UInt8),
        is_acted=is_acted(),
    ).filter(pl.col("user") >= 0)
    has_acted = np.zeros(len(user_ids), dtype=np.bool_)
    has_acted[coded.filter("is_acted")["user"].to_numpy()] = True
    rows = coded.filter(pl.col("job") >= 0, pl.col("events") > 0)
    rows = rows.sort(["user", "last_at", "job"], descending=[False, True, False])
    indptr = np.searchsorted(rows["user"].to_numpy(), np.arange(len(user_ids) + 1)).astype(np.int64)
    return InteractionArrays(indptr, rows["job"].to_numpy(), rows["events"].to_numpy(), has_acted)


def join_interactions(parts: Sequence[InteractionArrays]) -> InteractionArrays:
    """The interactions of several groups of users, one group after the other."""
    ends = np.cumsum([part.indptr[-1] for part in parts])
    indptr = [part.indptr[1:] + end - part.indptr[-1] for part, end in zip(parts, ends, strict=True)]
    return InteractionArrays(
        indptr=np.concatenate([np.zeros(1, dtype=np.int64), *indptr]),
        job=np.concatenate([np.zeros(0, dtype=np.int32), *(part.job for part in parts)]),
        events=np.concatenate([np.zeros(0, dtype=np.uint8), *(part.events for part in parts)]),
        has_acted=np.concatenate([np.zeros(0, dtype=np.bool_), *(part.has_acted for part in parts)]),
    )


def is_acted() -> pl.Expr:
    """True for an interaction that is more than an impression."""
    counters = ("views", "clicks", "saves", "shares", "applies", "dismissals", "relevant", "not_relevant")
    return pl.sum_horizontal(*(pl.col(f"n_{name}").fill_null(0) for name in counters)) > 0


def counts_for_ranking() -> pl.Expr:
    """False for interactions that ranking does not use: impressions only."""
    return is_acted() | pl.col("is_seen") | pl.col("is_applied") | pl.col("is_dismissed") | pl.col("is_saved")
