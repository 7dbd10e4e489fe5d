from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from models.arrays import Ints, csr_of_ones
from models.evaluation.bootstrap import resampled_counts
from models.evaluation.comparing import paired_differences
from models.evaluation.judging import (
    LIST_LENGTH,
    SUMMARY,
    USER_METRICS,
    HeldOut,
    pairs_digest,
    per_user,
    summarise,
)

USERS, N_JOBS = ["anna", "boris", "clara"], 30
# anna took to jobs 0 and 5, boris to 5, clara to 7 and 29.
TRUTH = [(0, 0), (0, 5), (1, 5), (2, 7), (2, 29)]


def world(truth: list[tuple[int, int]] = TRUTH) -> HeldOut:
    rows, columns = np.array(truth).T
    vectors = np.random.default_rng(1).normal(size=(N_JOBS, 4)).astype(np.float32)
    return HeldOut(
        user_ids=pl.Series(USERS),
        job_ids=pl.Series([f"j{job:02}" for job in range(N_JOBS)]),
        truth=csr_of_ones(rows, columns, shape=(3, N_JOBS)),
        user_slices={"history": pl.Series(["warm", "warm", "cold"])},
        job_slices={"job age": pl.Series(["new" if job < 6 else "old" for job in range(N_JOBS)])},
        n_users_of_job=np.arange(N_JOBS),
        n_users_before=N_JOBS,
        job_vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


def listed() -> Ints:
    """anna gets 0, 1, 2 …, boris 19 others and then 5, clara nothing."""
    rows = np.full((3, LIST_LENGTH), -1, dtype=np.int32)
    rows[0] = np.arange(LIST_LENGTH)
    rows[1] = [*range(6, 25), 5]
    return rows


def total(summary: pl.DataFrame, metric: str, slice_name: str = "all", value: str = "all") -> float:
    found = summary.filter(pl.col("metric") == metric, pl.col("slice") == slice_name, pl.col("value") == value)
    return float(found["estimate"].item())


def test_every_user_has_a_row_with_all_metrics() -> None:
    rows = per_user("mine", listed(), world())
    assert rows["user_id"].to_list() == USERS
    assert set(USER_METRICS) <= set(rows.columns)
    assert rows["recall@10"].to_list() == [1.0, 0.0, 0.0]
    assert rows["recall@20"].to_list() == [1.0, 1.0, 0.0]
    assert rows["mrr@20"].to_list() == pytest.approx([1.0, 1 / 20, 0.0])
    assert rows["n_held_out"].to_list() == [2, 1, 2]
    assert rows["novelty@20"].to_list()[2] is None, "an empty list has no novelty"


def test_totals_and_slices_are_means_over_their_users() -> None:
    rows = per_user("mine", listed(), world())
    summary = summarise("mine", listed(), rows, world(), resampled_counts(3, seed=1))
    assert dict(summary.schema) == SUMMARY
    of_lists = {"coverage@10", "coverage@20", "gini@10", "gini@20"}
    assert set(summary.filter(pl.col("slice") == "all")["metric"]) == {*USER_METRICS, *of_lists}
    assert total(summary, "recall@20") == pytest.approx(2 / 3)
    assert total(summary, "recall@20", "history", "warm") == 1.0
    assert total(summary, "recall@20", "history", "cold") == 0.0
    assert total(summary, "coverage@20") == pytest.approx(25 / 30)
    assert (summary["lower"] <= summary["estimate"]).all()
    assert (summary["estimate"] <= summary["upper"]).all()


def test_a_slice_of_jobs_counts_its_own_held_out_jobs_only() -> None:
    rows = per_user("mine", listed(), world())
    summary = summarise("mine", listed(), rows, world(), resampled_counts(3, seed=1))
    new = summary.filter(pl.col("slice") == "job age", pl.col("value") == "new", pl.col("metric") == "recall@20")
    assert new.select("estimate", "n_users").row(0) == (1.0, 2)  # anna found 0 and 5, boris 5
    assert total(summary, "recall@20", "job age", "old") == 0.0  # clara's


def test_paired_differences_are_those_of_the_same_users() -> None:
    before = per_user("mine", listed(), world())
    better = listed()
    better[2, 0] = 7
    found = paired_differences(before, per_user("mine", better, world()), seed=1)
    row = found.row(by_predicate=pl.col("metric") == "hit_rate@20", named=True)
    assert (row["before"], row["after"], row["difference"]) == pytest.approx((2 / 3, 1, 1 / 3))
    assert row["lower"] <= row["difference"] <= row["upper"]
    same = paired_differences(before, before, seed=1)
    assert set(same["difference"].fill_nan(0.0)) == {0.0}
    assert paired_differences(before, before.with_columns(list=pl.lit("other")), seed=1).is_empty()


def test_the_digest_is_of_the_judged_pairs_whatever_their_order() -> None:
    same = world([(2 - user, N_JOBS - 1 - job) for user, job in TRUTH])
    same = replace(same, user_ids=same.user_ids.reverse(), job_ids=same.job_ids.reverse())
    other_job = world([*TRUTH[:-1], (2, 28)])
    assert pairs_digest(same) == pairs_digest(world())
    assert pairs_digest(other_job) != pairs_digest(world()), "as many jobs of the same users"
