import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fitting.item_knn import JobNeighbours, fit_also_applied

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
def test_also_applied_is_the_cosine_of_the_applicants(pairs: list[tuple[int, int]]) -> None:
    assert as_dict(fit_also_applied(applications(pairs))) == pytest.approx(slow_also_applied(pairs, 0.0), abs=1e-6)


@given(pairs=PAIRS)
def test_shrinkage_lowers_scores_with_few_common_applicants(pairs: list[tuple[int, int]]) -> None:
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
