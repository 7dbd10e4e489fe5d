import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.fitting.neighbours import JobNeighbours, UserNeighbours, best_of_rows, fit_also_applied, fit_user_neighbours
from models.fitting.weights import weight_matrix
from tests.models.training_world import trade_matrix, trades

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), unique=True, min_size=1, max_size=40)


def applications(pairs: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {"user_id": [f"u{user}" for user, _ in pairs], "job_id": [f"j{job}" for _, job in pairs]}
    ).with_columns(last_at=pl.lit(NOW))


def as_dict(model: JobNeighbours) -> dict[tuple[str, str], float]:
    found = model.matrix().tocoo()
    ids = model.job_ids.to_list()
    return {(ids[row], ids[column]): value for row, column, value in zip(found.row, found.col, found.data, strict=True)}


def slow_also_applied(pairs: list[tuple[int, int]], shrinkage: float) -> dict[tuple[str, str], float]:
    who: dict[str, set[int]] = {}
    for user, job in pairs:
        who.setdefault(f"j{job}", set()).add(user)
    found = {}
    for left, left_users in who.items():
        for right, right_users in who.items():
            common = len(left_users & right_users)
            if left != right and common:
                cosine = common / (len(left_users) * len(right_users)) ** 0.5
                found[left, right] = cosine * common / (common + shrinkage)
    return found


@given(pairs=PAIRS)
def test_also_applied_is_the_cosine_of_who_applied(pairs: list[tuple[int, int]]) -> None:
    assert as_dict(fit_also_applied(applications(pairs))) == pytest.approx(slow_also_applied(pairs, 0.0), abs=1e-6)


@given(pairs=PAIRS)
def test_shrinkage_lowers_what_few_have_in_common(pairs: list[tuple[int, int]]) -> None:
    shrunk = as_dict(fit_also_applied(applications(pairs), shrinkage=2.0))
    assert shrunk == pytest.approx(slow_also_applied(pairs, 2.0), abs=1e-6)


@settings(max_examples=20)
@given(pairs=PAIRS, data=st.data())
def test_the_order_of_rows_and_threads_change_nothing(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(pairs))
    one, two = fit_also_applied(applications(pairs), n_threads=1), fit_also_applied(applications(shuffled))
    assert as_dict(one) == as_dict(two)


def test_only_the_newest_applications_of_a_user_count() -> None:
    frame = pl.DataFrame(
        {
            "user_id": ["u", "u", "u"],
            "job_id": ["old", "a", "b"],
            "last_at": [NOW - dt.timedelta(days=9), NOW, NOW],
        }
    )
    assert set(as_dict(fit_also_applied(frame, max_jobs_per_user=2))) == {("a", "b"), ("b", "a")}


def test_equal_neighbours_come_in_the_order_of_their_ids() -> None:
    model = fit_also_applied(applications([(0, job) for job in range(6)]), n_neighbours=3)
    assert [model.job_ids[int(column)] for column in model.matrix()[5].indices] == ["j0", "j1", "j2"]


def test_no_applications_give_no_neighbours() -> None:
    model = fit_also_applied(applications([]).cast({"user_id": pl.String, "job_id": pl.String}))
    assert model.matrix().shape == (0, 0)


def test_users_of_a_trade_are_neighbours_and_not_their_own() -> None:
    model = fit_user_neighbours(trade_matrix())
    near = model.matrix().toarray()
    assert (near.diagonal() == 0).all()
    assert (near[:4, 4:] == 0).all()
    np.testing.assert_allclose(near[:4, :4] + np.eye(4), 1, atol=1e-5)


@settings(max_examples=30)
@given(pairs=PAIRS)
def test_user_neighbours_agree_with_the_dense_cosine(pairs: list[tuple[int, int]]) -> None:
    frame = pl.DataFrame(
        {
            "user_id": [f"u{user}" for user, _ in pairs],
            "job_id": [f"j{job}" for _, job in pairs],
            "weight": [1.0 + user + 2 * job for user, job in pairs],
        }
    )
    weights = weight_matrix(frame)
    dense = np.log1p(weights.values.toarray().astype(np.float64))
    described = dense * np.log1p(len(dense) / (dense > 0).sum(axis=0))
    described /= np.linalg.norm(described, axis=1, keepdims=True)
    expected = described @ described.T
    np.fill_diagonal(expected, 0)
    model = fit_user_neighbours(weights, n_threads=1)
    np.testing.assert_allclose(model.matrix().toarray(), expected, atol=1e-5)
    np.testing.assert_allclose(model.history().toarray(), dense, atol=1e-5)


def test_a_user_is_described_by_the_strongest_jobs() -> None:
    frame = trades().with_columns(weight=pl.when(pl.col("job_id") == "j0").then(1.0).otherwise(10.0))
    model = fit_user_neighbours(weight_matrix(frame), max_jobs_per_user=2)
    kept = model.history()[0].indices
    assert [model.job_ids[int(column)] for column in kept] == ["j1", "j2"]


def test_nobody_gives_no_neighbours() -> None:
    model = fit_user_neighbours(weight_matrix(trades().clear()))
    assert model.matrix().shape == (0, 0)
    assert model.history().shape == (0, 0)


def test_fitted_neighbours_survive_the_disk(tmp_path: Path) -> None:
    users = fit_user_neighbours(trade_matrix())
    users.save(tmp_path / "users.npz")
    loaded = UserNeighbours.load(tmp_path / "users.npz")
    assert (loaded.matrix() != users.matrix()).nnz == 0
    assert (loaded.history() != users.history()).nnz == 0


@given(
    values=st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=5),
    k=st.integers(1, 7),
)
def test_the_best_of_rows_are_the_largest_by_column(values: list[list[int]], k: int) -> None:
    dense = np.array(values, dtype=np.float32)
    best = best_of_rows(sparse.csr_matrix(dense), k, largest=4.0).toarray()
    for row, chosen in zip(dense, best, strict=True):
        order = sorted(range(6), key=lambda column: (-row[column], column))[:k]
        expected = np.zeros(6, dtype=np.float32)
        expected[order] = row[order]
        np.testing.assert_allclose(chosen, expected, atol=1e-5)
