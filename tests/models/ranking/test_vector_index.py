from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.arrays import unit_rows
from models.fitting.clusters import nearest_direction
from models.ranking.vector_index import JobClusters, VectorIndex, build_index, nearest_jobs


def _crowd(seed: int, n: int, *, n_kinds: int = 12, dimensions: int = 16) -> Any:
    """Vectors in loose clusters, some of zeros."""
    rng = np.random.default_rng(seed)
    kinds = rng.normal(size=(n_kinds, dimensions))
    made = kinds[rng.integers(0, n_kinds, n)] + 0.5 * rng.normal(size=(n, dimensions))
    made[rng.random(n) < 0.05] = 0
    return made.astype(np.float32)


def _forbidden(seed: int, n_users: int, n_jobs: int) -> Any:
    return sparse.random(n_users, n_jobs, density=0.1, format="csr", dtype=np.float32, random_state=seed)


def _sorted_by_product(jobs: Any, user: Any, forbidden: Any, k: int) -> list[int]:
    products = jobs @ user
    allowed = [j for j in range(len(jobs)) if products[j] > 0 and j not in forbidden.indices]
    return sorted(allowed, key=lambda j: (-products[j], j))[:k]


@pytest.fixture(params=["exact", "clusters"], scope="module")
def search(request: pytest.FixtureRequest) -> Any:
    """Builds an index of each kind; the second reads every cluster, so that it too must find all."""
    exact_jobs = 10**6 if request.param == "exact" else 0
    return lambda jobs: build_index(jobs, exact_jobs=exact_jobs, probed_jobs=10**6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n_jobs=st.integers(1, 120), k=st.integers(0, 20))
def test_the_jobs_found_are_those_of_sorting_all_products(search: Any, seed: int, n_jobs: int, k: int) -> None:
    jobs, users = _crowd(seed, n_jobs), _crowd(seed + 1, 8)
    forbidden = _forbidden(seed, len(users), n_jobs)
    found, best = nearest_jobs(search(jobs), users, users.any(axis=1), forbidden, k)
    for row, user in enumerate(users):
        expected = _sorted_by_product(jobs, user, forbidden[row], k)
        listed = [job for job in found[row].tolist() if job >= 0]
        # The order of a sum may swap what is equal to the last bit.
        assert np.allclose(jobs[listed] @ user, jobs[expected] @ user, atol=1e-5)
        assert not set(listed) & set(forbidden[row].indices.tolist()) and len(set(listed)) == len(listed)
        assert best[row] == pytest.approx(max(0, (jobs @ user).max()), abs=1e-5)  # whatever `k`


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n_jobs=st.integers(1, 120), scale=st.sampled_from([1e-6, 1.0, 1e4]))
def test_a_user_finds_the_same_whoever_else_asks_whatever_the_scale(
    search: Any, seed: int, n_jobs: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    kinds = _crowd(seed, max(1, n_jobs // 3))
    jobs = unit_rows(kinds[rng.integers(0, len(kinds), n_jobs)])  # many are equal
    users = np.float32(scale) * unit_rows(_crowd(seed + 1, 40))
    index, forbidden = search(jobs), _forbidden(seed, len(users), n_jobs)
    found, best = nearest_jobs(index, users, users.any(axis=1), forbidden, 10)
    for group in np.array_split(rng.permutation(len(users)), 7):
        again, best_again = nearest_jobs(index, users[group], users[group].any(axis=1), forbidden[group], 10)
        assert (again == found[group]).all() and (best_again == best[group]).all()
    for row, user in enumerate(users):
        expected = _sorted_by_product(jobs, user, forbidden[row], 10)
        listed = found[row][found[row] >= 0]
        assert np.allclose(jobs[listed] @ user, jobs[expected] @ user, atol=1e-5 * scale)


def test_an_unknown_user_finds_nothing(search: Any) -> None:
    jobs, users = _crowd(1, 50), _crowd(2, 3)
    known = np.array([True, False, True])
    found, best = nearest_jobs(search(jobs), users, known, _forbidden(1, 3, 50), 10)
    assert (found[1] == -1).all() and best[1] == 0
    assert (found[0] >= 0).any()


def test_an_index_of_no_jobs_finds_nothing(search: Any) -> None:
    for jobs in (np.zeros((0, 4), np.float32), np.zeros((5, 4), np.float32)):
        found, best = nearest_jobs(
            search(jobs), np.ones((2, 4), np.float32), np.ones(2, bool), sparse.csr_matrix((2, len(jobs))), 3
        )
        assert (found == -1).all() and (best == 0).all()


def _recall(index: VectorIndex, jobs: Any, users: Any, k: int) -> float:
    nobody = sparse.csr_matrix((len(users), len(jobs)), dtype=np.float32)
    found, _ = nearest_jobs(index, users, users.any(axis=1), nobody, k)
    expected = [_sorted_by_product(jobs, user, nobody[0], k) for user in users]
    shares = [len(set(e) & set(f.tolist())) / len(e) for e, f in zip(expected, found, strict=True) if e]
    return float(np.mean(shares))


def test_a_few_clusters_hold_nearly_all_near_jobs() -> None:
    jobs, users = _crowd(3, 3000), _crowd(3, 40)
    assert _recall(build_index(jobs, exact_jobs=0, probed_jobs=900), jobs, users, 20) > 0.9


def test_the_same_vectors_make_the_same_index() -> None:
    first, second = (build_index(_crowd(7, 400), exact_jobs=0) for _ in range(2))
    for name in ("rows", "jobs", "starts", "centroids"):
        assert (getattr(first, name) == getattr(second, name)).all(), name


def _cluster_of(index: VectorIndex) -> dict[int, int]:
    labels = np.repeat(np.arange(len(index.centroids)), np.diff(index.starts))
    return dict(zip(index.jobs.tolist(), labels.tolist(), strict=True))


def test_jobs_stay_in_their_clusters_and_others_go_to_the_nearest(tmp_path: Path) -> None:
    jobs = _crowd(7, 600)
    ids = pl.Series([f"j{number:03d}" for number in range(len(jobs))])
    first = build_index(jobs, exact_jobs=0)
    JobClusters.of(first, jobs, ids, space="a fit").save(tmp_path / "clusters.npz")
    clusters = JobClusters.load(tmp_path / "clusters.npz")
    assert clusters.space == "a fit"
    changed = jobs.copy()
    changed[:20] = _crowd(8, 20)
    kept = np.arange(5, len(jobs))  # the first ones are closed
    index = build_index(changed[kept], exact_jobs=0, known=clusters.known(changed[kept], ids.gather(kept)))
    before, after = _cluster_of(first), {int(kept[job]): label for job, label in _cluster_of(index).items()}
    assert {job: label for job, label in after.items() if job >= 20} == {
        job: label for job, label in before.items() if job >= 20
    }
    moved = [job for job in range(5, 20) if changed[job].any()]
    assert [after[job] for job in moved] == nearest_direction(changed[moved], clusters.centroids).tolist()
    same = build_index(jobs, exact_jobs=0, known=clusters.known(jobs, ids))
    for name in ("rows", "jobs", "starts", "centroids"):
        assert (getattr(first, name) == getattr(same, name)).all(), name
