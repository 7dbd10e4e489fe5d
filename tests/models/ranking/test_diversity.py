from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ranking.diversity import (
    COMPANY_SHARE,
    ROLE_SHARE,
    TOPIC_SHARE,
    Pool,
    diversified_order,
    pool_order,
    topic_sketch,
)
from models.ranking.settings import CompanyCap


@st.composite
def _pools(draw: Any) -> tuple[Pool, float, CompanyCap]:
    n_rows, width = draw(st.integers(1, 4)), draw(st.integers(1, 14))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    relevance = np.round(rng.random((n_rows, width)), 1).astype(np.float32)
    relevance[rng.random((n_rows, width)) < 0.1] = -np.inf
    sketch = rng.normal(size=(n_rows, width, 3)).astype(np.float32)
    sketch /= np.linalg.norm(sketch, axis=2, keepdims=True)
    pool = Pool(
        relevance=relevance,
        company=rng.integers(-1, draw(st.integers(1, 6)), (n_rows, width)).astype(np.int32),
        role=rng.integers(-1, 3, (n_rows, width)).astype(np.int32),
        sketch=sketch,
    )
    return pool, draw(st.sampled_from([0.0, 0.15, 0.6])), CompanyCap(draw(st.integers(1, 3)), draw(st.integers(1, 8)))


def _slow_order(pool: Pool, row: int, strength: float, n_items: int, cap: CompanyCap) -> list[int]:
    """The same, one job at a time."""
    lam = np.float32(strength)
    chosen: list[int] = []
    left = [j for j in range(pool.relevance.shape[1]) if pool.relevance[row, j] > -np.inf]
    alike = np.zeros(pool.relevance.shape[1], dtype=np.float32)
    while left and len(chosen) < n_items:
        company = pool.company[row]
        open_to = [
            j
            for j in left
            if len(chosen) >= cap.top or company[j] < 0 or sum(company[c] == company[j] for c in chosen) < cap.most
        ]
        if not open_to:
            break
        best = max(open_to, key=lambda j: ((1 - lam) * pool.relevance[row, j] - lam * alike[j], -j))
        chosen.append(best)
        left.remove(best)
        for j in range(len(alike)):
            same_company = company[j] == company[best] and company[j] >= 0
            same_role = pool.role[row, j] == pool.role[row, best] and pool.role[row, j] >= 0
            topic = np.matmul(pool.sketch[row], pool.sketch[row, best][:, None])[j, 0]
            likeness = np.float32(TOPIC_SHARE * np.clip(topic, 0, 1))
            likeness = np.float32(likeness + COMPANY_SHARE * bool(same_company))
            likeness = np.float32(likeness + ROLE_SHARE * bool(same_role))
            alike[j] = max(alike[j], likeness)
    return chosen


@settings(max_examples=60, deadline=None)
@given(_pools(), st.integers(1, 16))
def test_the_order_is_that_of_the_obvious_greedy_loop(made: tuple[Pool, float, CompanyCap], n_items: int) -> None:
    pool, strength, cap = made
    n_rows = len(pool.relevance)
    order = diversified_order(pool, strength=np.full(n_rows, strength, np.float32), n_items=n_items, cap=cap)
    for row in range(n_rows):
        found = [j for j in order[row].tolist() if j >= 0]
        assert found == _slow_order(pool, row, strength, n_items, cap)


@given(_pools())
def test_no_company_has_more_than_its_cap_in_the_top(made: tuple[Pool, float, CompanyCap]) -> None:
    pool, strength, cap = made
    n_rows, width = pool.relevance.shape
    order = diversified_order(pool, strength=np.full(n_rows, strength, np.float32), n_items=width, cap=cap)
    for row in range(n_rows):
        top = [j for j in order[row, : cap.top].tolist() if j >= 0]
        companies = pool.company[row, top]
        assert np.bincount(companies[companies >= 0], minlength=1).max() <= cap.most


def test_no_strength_means_the_order_of_relevance() -> None:
    relevance = np.array([[0.2, 0.9, 0.5]], dtype=np.float32)
    codes = np.zeros((1, 3), dtype=np.int32)
    pool = Pool(relevance, codes - 1, codes, np.zeros((1, 3, 1), dtype=np.float32))
    order = diversified_order(pool, strength=np.zeros(1, np.float32), n_items=3, cap=CompanyCap(3, 20))
    assert order.tolist() == [[1, 2, 0]]


def test_a_similar_job_gives_way_to_a_different_one() -> None:
    relevance = np.array([[0.9, 0.89, 0.8]], dtype=np.float32)
    role = np.array([[1, 1, 2]], dtype=np.int32)
    pool = Pool(relevance, np.full((1, 3), -1, np.int32), role, np.zeros((1, 3, 1), dtype=np.float32))
    order = diversified_order(pool, strength=np.full(1, 0.5, np.float32), n_items=3, cap=CompanyCap(3, 20))
    assert order.tolist() == [[0, 2, 1]]


@given(st.integers(0, 1000), st.integers(10, 40))
def test_a_pool_can_fill_the_top_whenever_the_candidates_can(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    cap = CompanyCap(most=2, top=5)
    company = np.sort(rng.integers(0, 8, (1, 200)).astype(np.int32))
    relevance = np.sort(rng.random((1, 200)).astype(np.float32))[:, ::-1]
    chosen = pool_order(relevance, company, width=width, cap=cap)[0]
    assert len(set(chosen.tolist())) == width
    n_fitting = np.minimum(np.bincount(company[0, chosen]), cap.most).sum()
    assert n_fitting >= min(cap.top, np.minimum(np.bincount(company[0]), cap.most).sum())


def test_unknown_vectors_have_no_topic() -> None:
    vectors = np.array([[1, 0], [0, 0], [0, 1]], dtype=np.float32)
    sketch = topic_sketch(vectors)
    assert np.allclose(np.linalg.norm(sketch, axis=1), [1, 0, 1])
    assert topic_sketch(np.zeros((4, 0), dtype=np.float32)).shape == (4, 1)
    assert topic_sketch(np.zeros((0, 5), dtype=np.float32)).shape == (0, 1)
    assert not topic_sketch(np.ones((1, 5), dtype=np.float32)).any()
