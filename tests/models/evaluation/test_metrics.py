import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.metrics import (
    bootstrap_interval,
    catalogue_metrics,
    evaluate_lists,
    gini,
    intra_list_diversity,
    novelty,
    summarise,
)

K = 3
LISTS = st.dictionaries(st.sampled_from("abc"), st.permutations("vwxyz").map(lambda jobs: jobs[:4]), max_size=3)
TRUTH = st.dictionaries(
    st.sampled_from("abcd"), st.dictionaries(st.sampled_from("vwxyz"), st.integers(1, 4), min_size=1), min_size=1
)


def lists_frame(lists: dict[str, list[str]]) -> pl.DataFrame:
    rows = [(user, rank, job) for user, jobs in lists.items() for rank, job in enumerate(jobs, start=1)]
    return pl.DataFrame(rows, schema={"user_id": pl.String, "rank": pl.Int32, "job_id": pl.String}, orient="row")


def truth_frame(truth: dict[str, dict[str, int]]) -> pl.DataFrame:
    rows = [(user, job, float(gain)) for user, gains in truth.items() for job, gain in gains.items()]
    return pl.DataFrame(rows, schema={"user_id": pl.String, "job_id": pl.String, "gain": pl.Float64}, orient="row")


def slow(jobs: list[str], gains: dict[str, int]) -> tuple[float, float, float, float]:
    dcg = sum(gains.get(job, 0) / math.log2(place + 2) for place, job in enumerate(jobs[:K]))
    best = sum(gain / math.log2(place + 2) for place, gain in enumerate(sorted(gains.values(), reverse=True)[:K]))
    hits = [place for place, job in enumerate(jobs[:K]) if job in gains]
    return dcg / best, len(hits) / len(gains), len(hits) / K, 1 / (hits[0] + 1) if hits else 0.0


@given(lists=LISTS, truth=TRUTH)
def test_metrics_agree_with_counting_by_hand(lists: dict[str, list[str]], truth: dict[str, dict[str, int]]) -> None:
    found = evaluate_lists(lists_frame(lists), truth_frame(truth), k=K)
    assert found["user_id"].to_list() == sorted(truth)
    for row in found.to_dicts():
        expected = slow(lists.get(row["user_id"], []), truth[row["user_id"]])
        assert (row["ndcg"], row["recall"], row["precision"], row["mrr"]) == pytest.approx(expected)
        assert row["is_hit"] == (expected[3] > 0)


@given(truth=TRUTH)
def test_the_best_list_has_an_ndcg_of_one(truth: dict[str, dict[str, int]]) -> None:
    best = {user: sorted(gains, key=lambda job: -gains[job]) for user, gains in truth.items()}
    assert evaluate_lists(lists_frame(best), truth_frame(truth), k=K)["ndcg"].to_list() == pytest.approx(
        [1] * len(truth)
    )


def test_a_repeated_job_or_a_gain_of_nothing_is_refused() -> None:
    truth = truth_frame({"a": {"v": 1}})
    with pytest.raises(ValueError, match="recommended names a job twice"):
        evaluate_lists(lists_frame({"a": ["v", "v"]}), truth, k=K)
    with pytest.raises(ValueError, match="truth names a job twice"):
        evaluate_lists(lists_frame({}), pl.concat([truth, truth]), k=K)
    with pytest.raises(ValueError, match="not positive"):
        evaluate_lists(lists_frame({}), truth_frame({"a": {"v": 0}}), k=K)


def test_a_summary_is_the_mean_over_users_and_zero_over_none() -> None:
    per_user = evaluate_lists(lists_frame({"a": ["v"]}), truth_frame({"a": {"v": 1}, "b": {"v": 1}}), k=K)
    assert summarise(per_user) == pytest.approx(
        {"ndcg": 0.5, "recall": 0.5, "precision": 1 / 6, "mrr": 0.5, "hit_rate": 0.5}
    )
    assert set(summarise(per_user.clear()).values()) == {0.0}


def test_coverage_and_gini_tell_who_is_shown() -> None:
    jobs = pl.Series(["v", "w", "x", "y"])
    alike = lists_frame({"a": ["v"], "b": ["v"]})
    spread = lists_frame({"a": ["v", "w"], "b": ["x", "y"]})
    assert catalogue_metrics(alike, jobs, k=1) == pytest.approx({"coverage": 0.25, "gini": 0.75})
    assert catalogue_metrics(spread, jobs, k=2) == pytest.approx({"coverage": 1.0, "gini": 0.0})
    assert catalogue_metrics(alike.clear(), jobs.clear(), k=1) == {"coverage": 0.0, "gini": 0.0}


@given(exposure=st.lists(st.integers(0, 20), min_size=1, max_size=12))
def test_gini_agrees_with_the_mean_difference_of_all_pairs(exposure: list[int]) -> None:
    total = sum(exposure)
    pairs = sum(abs(left - right) for left in exposure for right in exposure)
    expected = pairs / (2 * len(exposure) * total) if total else 0.0
    assert gini(np.array(exposure, dtype=np.float64)) == pytest.approx(expected)


def test_novelty_is_the_surprise_in_bits() -> None:
    popularity = pl.DataFrame({"job_id": ["v", "w"], "n_users": [8, 2]})
    found = novelty(lists_frame({"a": ["v", "w", "x"]}), popularity, n_users=8, k=3)
    assert found == pytest.approx((0 + 2 + 3) / 3)


def test_intra_list_diversity_agrees_with_all_pairs() -> None:
    ids = pl.Series(list("vwxyz"))
    vectors = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lists = {"a": ["v", "w", "x"], "b": ["z", "unknown", "y"], "c": ["v"]}
    distances = []
    for jobs in lists.values():
        rows = [vectors["vwxyz".index(job)] for job in jobs if job in "vwxyz"]
        pairs = [1 - float(left @ right) for i, left in enumerate(rows) for right in rows[i + 1 :]]
        if pairs:
            distances.append(np.mean(pairs))
    assert intra_list_diversity(lists_frame(lists), ids, vectors, k=3) == pytest.approx(np.mean(distances), abs=1e-6)
    assert intra_list_diversity(lists_frame({}), ids, vectors, k=3) == 0.0


def test_an_interval_holds_the_mean_and_narrows_with_users() -> None:
    values = np.random.default_rng(2).random(400)
    lower, upper = bootstrap_interval(values, seed=1)
    assert lower < values.mean() < upper
    few_lower, few_upper = bootstrap_interval(values[:20], seed=1)
    assert few_upper - few_lower > upper - lower
    assert bootstrap_interval(values, seed=1) == (lower, upper)
    assert bootstrap_interval(np.array([0.5]), seed=1) == (0.5, 0.5)
    assert bootstrap_interval(np.array([]), seed=1) == (0.0, 0.0)
