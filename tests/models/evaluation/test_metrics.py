import math

import ir_measures
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, P, R, nDCG

from models.arrays import Ints
from models.evaluation.metrics import coverage, evaluate_lists, gini, intra_list_diversity, novelty

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


JOBS = "vwxyz"


def rows_of(lists: dict[str, list[str]], users: str = "abcd") -> Ints:
    """The lists as rows of JOBS, -1 padded."""
    rows = np.full((len(users), 5), -1, dtype=np.int32)
    for user, jobs in lists.items():
        rows[users.index(user), : len(jobs)] = [JOBS.find(job) for job in jobs]
    return rows


@given(lists=LISTS, truth=TRUTH)
def test_metrics_agree_with_ir_measures(lists: dict[str, list[str]], truth: dict[str, dict[str, int]]) -> None:
    qrels = [ir_measures.Qrel(user, job, gain) for user, gains in truth.items() for job, gain in gains.items()]
    # A user without a list is a user with a list of nothing known: ir-measures leaves out users who are absent.
    shown = {user: lists.get(user) or ["unknown"] for user in truth}
    run = [ir_measures.ScoredDoc(u, job, -float(place)) for u, jobs in shown.items() for place, job in enumerate(jobs)]
    measures = {"ndcg": nDCG @ K, "recall": R @ K, "mrr": RR @ K, "precision": P @ K}
    found = evaluate_lists(lists_frame(lists), truth_frame(truth), k=K)
    for name, measure in measures.items():
        expected = {metric.query_id: metric.value for metric in ir_measures.iter_calc([measure], qrels, run)}
        assert dict(found.select("user_id", name).iter_rows()) == pytest.approx(expected), name


@pytest.mark.parametrize(("k", "expected"), [(1, (0.25, 0.75)), (2, (0.5, 0.5))])
def test_coverage_and_gini_follow_the_exposure(k: int, expected: tuple[float, float]) -> None:
    exposure = np.array([[2.0]]) if k == 1 else np.array([[3.0, 3.0]])
    assert coverage(exposure, n_jobs=4).tolist() == [expected[0]]
    assert gini(exposure, n_jobs=4) == pytest.approx([expected[1]])
    assert coverage(np.zeros((1, 0)), n_jobs=0).tolist() == gini(np.zeros((1, 0)), n_jobs=0).tolist() == [0.0]


@given(exposure=st.lists(st.integers(0, 20), min_size=1, max_size=12), n_unseen=st.integers(0, 5))
def test_gini_agrees_with_the_mean_difference_of_all_pairs(exposure: list[int], n_unseen: int) -> None:
    everything = exposure + [0] * n_unseen
    total = sum(everything)
    pairs = sum(abs(left - right) for left in everything for right in everything)
    expected = pairs / (2 * len(everything) * total) if total else 0.0
    found = gini(np.array([exposure], dtype=np.float64), n_jobs=len(everything))
    assert found == pytest.approx([expected])


def test_novelty_is_the_surprise_in_bits() -> None:
    met = np.array([8, 2, 0, 5, 5])
    found = novelty(rows_of({"a": ["v", "w", "x"], "b": ["v"]}, "abc"), met, n_users=8)
    assert found[:2] == pytest.approx([(0 + 2 + 3) / 3, 0.0])
    assert np.isnan(found[2])


def test_intra_list_diversity_agrees_with_all_pairs() -> None:
    vectors = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[3] = 0  # y has no vector
    lists = {"a": ["v", "w", "x"], "b": ["z", "y", "v"], "c": ["v"]}
    found = intra_list_diversity(rows_of(lists, "abc"), vectors)
    for user, jobs in lists.items():
        rows = [vectors[JOBS.index(job)] for job in jobs if job != "y"]
        pairs = [1 - float(left @ right) for i, left in enumerate(rows) for right in rows[i + 1 :]]
        expected = np.mean(pairs) if pairs else np.nan
        assert found["abc".index(user)] == pytest.approx(expected, abs=1e-6, nan_ok=True)
