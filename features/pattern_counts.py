"""How often users acted on jobs of a company, role, skill, level or place once such jobs were shown to them, as counts.

A pair of a user and a job counts for each label of the job, a dozen in the mean. Sparse products add them up: joined as
rows they would be a dozen times as many. `success_patterns` in outcomes.py makes rates of the counts.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.hashing import shard_of, stable_hash
from features.metrics import USER_GROUPS

_BLOCK_USERS = 250_000
_SALT = "success patterns"
_SUCCESSES: Mapping[str, pl.Expr] = {
    "click": pl.col("n_clicks") > 0, "save": pl.col("is_saved"), "apply": pl.col("is_applied")
}  # fmt: skip
# Dimension -> column of jobs, of one value or of a list.
_DIMENSIONS = {
    "company": "company", "role": "professional_roles", "skill": "skills", "career_level": "career_level",
    "city": "city", "country": "country",
}  # fmt: skip
_Counts = NDArray[np.int64]


def pattern_counts(
    interactions: pl.LazyFrame, jobs: pl.DataFrame, industries: pl.DataFrame, *, min_users: int, top: int
) -> pl.DataFrame:
    """Counts by outcome (click, save, apply), dimension and value, sorted by them.

    `industries`: role, industry (the family of the role). Groups of fewer than `min_users` users are left out, so that
    nobody can be recognised, and all but the `top` largest of a dimension. `base_rate` is that of all shown pairs. Sums
    of squares and products are over groups of users by a hash, for intervals that know that a user's pairs are alike;
    `n_groups` of them were shown such jobs.
    """
    numbered = jobs.with_row_index("job_no")
    labels, labels_of_jobs = _labelled(numbered, industries)
    n_users = np.zeros(len(labels), dtype=np.int64)
    sums = {name: np.zeros((USER_GROUPS, len(labels)), dtype=np.int64) for name in ("shown", *_SUCCESSES)}
    n_pairs = dict.fromkeys(sums, 0)
    for pairs, group in _blocks(interactions, numbered.select("job_id", "job_no")):
        in_groups = _ones(group, np.arange(len(group)), (USER_GROUPS, len(group)))
        for name, of_groups in sums.items():
            counted = pairs if name == "shown" else pairs.filter(name)
            n_pairs[name] += len(counted)
            known = counted.drop_nulls("job_no")
            of_users = _ones(known["user_no"], known["job_no"], (len(group), len(jobs))) @ labels_of_jobs
            of_groups += (in_groups @ of_users).toarray()
            if name == "shown":
                n_users += np.bincount(of_users.indices, minlength=len(labels))
    largest = (
        labels.with_columns(n_users=n_users)
        .filter(pl.col("n_users") >= min_users)
        .sort("dimension", "n_users", "value", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("dimension") < top)
    )
    return pl.concat(
        _counted(largest, outcome, sums["shown"], sums[outcome], n_pairs[outcome] / max(n_pairs["shown"], 1))
        for outcome in sorted(_SUCCESSES)
    )


def _counted(labels: pl.DataFrame, outcome: str, shown: _Counts, successes: _Counts, base_rate: float) -> pl.DataFrame:
    columns = labels["label"].to_numpy()
    shown, successes = shown[:, columns], successes[:, columns]
    return labels.select(
        outcome=pl.lit(outcome),
        dimension="dimension",
        value="value",
        n_users="n_users",
        n_shown=shown.sum(axis=0),
        n_successes=successes.sum(axis=0),
        sum_square_n_shown=(shown**2).sum(axis=0).astype(np.float64),
        sum_square_n_successes=(successes**2).sum(axis=0).astype(np.float64),
        sum_products_n_successes=(shown * successes).sum(axis=0).astype(np.float64),
        n_groups=(shown > 0).sum(axis=0),
        base_rate=pl.lit(base_rate, pl.Float64),
    ).sort("outcome", "dimension", "value")


def _labelled(jobs: pl.DataFrame, industries: pl.DataFrame) -> tuple[pl.DataFrame, sparse.csr_matrix]:
    """Label, dimension and value of each label, and a matrix (jobs, labels) with 1 where a job has it."""
    industry = jobs.select("job_no", role="professional_roles").explode("role").join(industries, on="role")
    found = [
        industry.select("job_no", dimension=pl.lit("industry"), value="industry"),
        *(jobs.select("job_no", pl.lit(name).alias("dimension"), _values(jobs, column)).explode("value")
          for name, column in _DIMENSIONS.items()),
    ]  # fmt: skip
    rows = pl.concat(found).drop_nulls("value").unique()
    labels = rows.select("dimension", "value").unique().sort("dimension", "value").with_row_index("label")
    placed = rows.join(labels, on=["dimension", "value"])
    return labels, _ones(placed["job_no"], placed["label"], (len(jobs), len(labels)))


def _values(jobs: pl.DataFrame, column: str) -> pl.Expr:
    is_list = isinstance(jobs.schema[column], pl.List)
    return (pl.col(column) if is_list else pl.concat_list(column)).alias("value")


def _blocks(interactions: pl.LazyFrame, jobs: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, NDArray[np.int32]]]:
    """Shown pairs (user_no, job_no, an outcome each) of some users, and the group of each of these users."""
    shown = interactions.filter(pl.col("n_impressions") > 0)
    users = shown.select(pl.col("user_id").unique()).collect(engine="streaming")["user_id"].sort()
    for block in users.to_frame().iter_slices(_BLOCK_USERS):
        of_block = block.lazy().with_row_index("user_no")
        pairs = (
            shown.select("user_id", "job_id", **_SUCCESSES)
            .join(of_block, on="user_id")
            .join(jobs.lazy(), on="job_id", how="left")
            .select("user_no", "job_no", *_SUCCESSES)
            .collect()
        )
        yield pairs, shard_of(stable_hash(block["user_id"], _SALT), USER_GROUPS)


def _ones(
    rows: pl.Series | NDArray[np.int32], columns: pl.Series | NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_matrix:
    """A matrix with 1 at the given places."""
    return sparse.csr_matrix((np.ones(len(rows), dtype=np.int32), (np.asarray(rows), np.asarray(columns))), shape=shape)
