"""What users did with jobs as arrays: small enough to hold for everybody, cut out for one shard. Nothing is judged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.arrays import Bools, Ints, expand_slices, positions
from models.ranking.job_arrays import JobTable

SEEN, SAVED, APPLIED, DISMISSED, LIKED = (np.uint8(1 << bit) for bit in range(5))


@dataclass(frozen=True)
class Catalog:
    """Every job that anything may have been done with: sorted ids, and the row of the JobTable that stands for each.

    `representatives` are the ids that the models learned a job's acts under: of a duplicate, the job it duplicates.
    """

    job_ids: pl.Series
    representatives: pl.Series
    rows: Ints  # -1 where no job that may be shown stands for it


@dataclass(frozen=True)
class Behaviour:
    """Rows user by user (`indptr`, users + 1), each user's newest first: position in the catalog, acts as bits, when.

    `has_acted`: the user did more than being shown a job, be it one that nobody knows.
    """

    indptr: NDArray[np.int64]
    job: Ints
    acts: NDArray[np.uint8]
    has_acted: Bools

    @property
    def user(self) -> Ints:
        """Position of the user of each row."""
        return np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int32), np.diff(self.indptr))

    def take(self, users: NDArray[Any]) -> "Behaviour":
        """That of the users at the given positions."""
        lengths = np.diff(self.indptr)[users]
        _, position = expand_slices(self.indptr[:-1][users], lengths)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Behaviour(indptr, self.job[position], self.acts[position], self.has_acted[users])


def catalog(known: pl.DataFrame, jobs: JobTable) -> Catalog:
    """`known`: job_id (distinct) and duplicate_of of all jobs."""
    ordered = known.sort("job_id")
    representatives = ordered.select(pl.coalesce("duplicate_of", "job_id")).to_series()
    return Catalog(ordered["job_id"], representatives, jobs.rows_of(ordered["job_id"]))


def encode_behaviour(interactions: pl.DataFrame, user_ids: pl.Series, known: Catalog) -> Behaviour:
    """INTERACTIONS of `user_ids` (sorted); other users, and jobs that are not in the catalog, are passed over."""
    bits = {
        SEEN: pl.col("is_seen"),
        SAVED: pl.col("is_saved"),
        APPLIED: pl.col("is_applied"),
        DISMISSED: pl.col("is_dismissed"),
        LIKED: (pl.col("n_shares") > 0) | (pl.col("n_relevant") > 0),
    }
    acts = pl.sum_horizontal(fact.fill_null(value=False).cast(pl.UInt8) * int(bit) for bit, fact in bits.items())
    coded = interactions.select(
        "last_at",
        user=pl.Series(positions(user_ids, interactions["user_id"]), dtype=pl.Int32),
        job=pl.Series(positions(known.job_ids, interactions["job_id"]), dtype=pl.Int32),
        acts=acts.cast(pl.UInt8),
        is_acted=is_acted(),
    ).filter(pl.col("user") >= 0)
    has_acted = np.zeros(len(user_ids), dtype=np.bool_)
    has_acted[coded.filter("is_acted")["user"].to_numpy()] = True
    rows = coded.filter(pl.col("job") >= 0, pl.col("acts") > 0)
    rows = rows.sort(["user", "last_at", "job"], descending=[False, True, False])
    indptr = np.searchsorted(rows["user"].to_numpy(), np.arange(len(user_ids) + 1)).astype(np.int64)
    return Behaviour(indptr, rows["job"].to_numpy(), rows["acts"].to_numpy(), has_acted)


def joined(parts: list[Behaviour]) -> Behaviour:
    """Those of several groups of users, one after the other."""
    ends = np.cumsum([part.indptr[-1] for part in parts])
    indptr = [part.indptr[1:] + end - part.indptr[-1] for part, end in zip(parts, ends, strict=True)]
    return Behaviour(
        indptr=np.concatenate([np.zeros(1, dtype=np.int64), *indptr]),
        job=np.concatenate([np.zeros(0, dtype=np.int32), *(part.job for part in parts)]),
        acts=np.concatenate([np.zeros(0, dtype=np.uint8), *(part.acts for part in parts)]),
        has_acted=np.concatenate([np.zeros(0, dtype=np.bool_), *(part.has_acted for part in parts)]),
    )


def is_acted() -> pl.Expr:
    """True for an interaction that says something of the user, beyond having been shown a job."""
    counters = (
        "n_views",
        "n_clicks",
        "n_saves",
        "n_shares",
        "n_applies",
        "n_dismissals",
        "n_relevant",
        "n_not_relevant",
    )
    return pl.sum_horizontal(*(pl.col(name).fill_null(0) for name in counters)) > 0


def counts_for_ranking() -> pl.Expr:
    """False for interactions that tell ranking nothing: no more than impressions."""
    return is_acted() | pl.col("is_seen") | pl.col("is_applied") | pl.col("is_dismissed") | pl.col("is_saved")
