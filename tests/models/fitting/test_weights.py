import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.schemas.catalog import DAILY_INTERACTIONS, INTERACTIONS
from models.fitting.weights import decayed_weights, positive_part, weight_matrix, weights_since

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
JOBS = pl.LazyFrame({"job_id": ["a", "b", "c"], "duplicate_of": [None, None, "a"]})


def daily(*rows: dict[str, Any]) -> pl.LazyFrame:
    made = [{"date": AS_OF.date(), "last_at": AS_OF - dt.timedelta(hours=1), **row} for row in rows]
    return DAILY_INTERACTIONS.conform(pl.DataFrame(made, infer_schema_length=None)).lazy()


def weights(frame: pl.LazyFrame, *, as_of: dt.datetime = AS_OF) -> dict[tuple[str, str], float]:
    made = decayed_weights(frame, as_of=as_of, half_life_days=10, days=60, representatives=JOBS)
    places = made.values.tocoo()
    users, jobs = made.user_ids.to_list(), made.job_ids.to_list()
    return {(users[row], jobs[column]): w for row, column, w in zip(places.row, places.col, places.data, strict=True)}


def days_ago(days: int) -> dict[str, Any]:
    then = AS_OF - dt.timedelta(days=days)
    return {"date": then.date(), "last_at": then}


def test_weights_halve_with_the_half_life_and_add_up() -> None:
    rows = daily(
        {"user_id": "u", "job_id": "a", "weight": 10, **days_ago(10)}, {"user_id": "u", "job_id": "a", "weight": 1}
    )
    assert weights(rows) == {("u", "a"): pytest.approx(6.0)}


def test_a_duplicate_counts_for_its_representative() -> None:
    rows = daily({"user_id": "u", "job_id": "c", "weight": 2}, {"user_id": "u", "job_id": "a", "weight": 1})
    assert weights(rows) == {("u", "a"): 3.0}


def test_unknown_jobs_old_days_and_the_future_count_for_nothing() -> None:
    rows = daily(
        {"user_id": "u", "job_id": "unknown", "weight": 2},
        {"user_id": "u", "job_id": "a", "weight": 2, **days_ago(60)},
        {"user_id": "u", "job_id": "a", "weight": 2, **days_ago(-1)},
        {"user_id": "u", "job_id": "b", "weight": 2, "last_at": AS_OF + dt.timedelta(minutes=6)},
    )
    assert weights(rows) == {}


def test_weights_that_cancel_out_make_no_pair() -> None:
    assert weights(daily({"user_id": "u", "job_id": "a", "weight": 0})) == {}


def test_a_save_that_is_undone_later_is_no_dislike() -> None:
    rows = [
        {"user_id": "u", "job_id": "a", "n_saves": 1, "weight": 5, **days_ago(10)},
        {"user_id": "u", "job_id": "a", "n_unsaves": 1, "weight": -5},
        {"user_id": "u", "job_id": "b", "n_views": 1, "weight": 1},
        {"user_id": "v", "job_id": "a", "n_views": 1, "n_unsaves": 1, "weight": -4},
    ]
    assert weights(daily(*rows)) == {("u", "b"): 1.0, ("v", "a"): 1.0}


def test_a_job_that_is_saved_again_is_saved() -> None:
    rows = [
        {"user_id": "u", "job_id": "a", "n_saves": 1, "n_unsaves": 1, "weight": 0, **days_ago(10)},
        {"user_id": "u", "job_id": "a", "n_saves": 1, "weight": 5},
    ]
    assert weights(daily(*rows)) == {("u", "a"): 5.0}


ROWS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from("abcx"),
        st.integers(0, 70),
        st.integers(-12, 20),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=30,
    unique_by=lambda row: row[:3],
)


@given(rows=ROWS)
def test_sums_agree_with_a_loop_over_the_rows(rows: list[tuple[int, str, int, int, int, int]]) -> None:
    """Each row: user, job, days ago, weight of other events, saves, unsaves."""
    made = [
        {
            "user_id": f"u{user}",
            "job_id": job,
            "weight": rest + 5 * saves - 5 * unsaves,
            "n_saves": saves,
            "n_unsaves": unsaves,
            **days_ago(days),
        }
        for user, job, days, rest, saves, unsaves in rows
    ]
    parts: dict[tuple[str, str], list[float]] = {}
    for user, job, days, rest, saves, unsaves in rows:
        if days < 60 and job != "x":
            pair = parts.setdefault((f"u{user}", "a" if job == "c" else job), [0.0, 0.0])
            pair[0] += rest * 0.5 ** (days / 10)
            pair[1] += 5 * (saves - unsaves) * 0.5 ** (days / 10)
    sums = {pair: rest + max(saves, 0) for pair, (rest, saves) in parts.items()}
    users = {user for (user, _), weight in sums.items() if weight > 1e-4}
    jobs = {job for (_, job), weight in sums.items() if weight > 1e-4}
    expected = {pair: w for pair, w in sums.items() if abs(w) > 1e-4 and pair[0] in users and pair[1] in jobs}
    found = weights(daily(*made)) if made else {}
    assert {pair: w for pair, w in found.items() if abs(w) > 1e-4} == pytest.approx(expected, abs=1e-3)


def test_the_matrix_holds_users_and_jobs_with_something_positive() -> None:
    frame = pl.DataFrame(
        {
            "user_id": ["u", "u", "v", "w"],
            "job_id": ["a", "b", "b", "a"],
            "weight": [1.0, -5.0, -5.0, 2.0],
        }
    )
    made = weight_matrix(frame)
    assert made.user_ids.to_list() == ["u", "w"]
    assert made.job_ids.to_list() == ["a"]
    np.testing.assert_array_equal(made.values.toarray(), [[1.0], [2.0]])


def test_negative_weights_stay_where_others_like_the_job() -> None:
    frame = pl.DataFrame({"user_id": ["u", "u", "w"], "job_id": ["a", "b", "b"], "weight": [1.0, -5.0, 2.0]})
    made = weight_matrix(frame)
    np.testing.assert_array_equal(made.values.toarray(), [[1.0, -5.0], [0.0, 2.0]])
    np.testing.assert_array_equal(positive_part(made.values).toarray(), [[1.0, 0.0], [0.0, 2.0]])
    assert made.values.nnz == 3


def folded(*rows: dict[str, Any], fitted_users: tuple[str, ...] = ("old",)) -> dict[tuple[str, str], float]:
    """Weights to fold in of a model that was fitted an hour before AS_OF and knows `fitted_users`."""
    frame = INTERACTIONS.conform(pl.DataFrame(rows, infer_schema_length=None))
    (made,) = weights_since(
        frame,
        fitted_at=AS_OF - dt.timedelta(hours=1),
        fitted_users=pl.Series(fitted_users, dtype=pl.String),
        as_of=AS_OF,
        half_lives=[10],
        representatives=JOBS.collect(),
    )
    return {(user, job): weight for user, job, weight in made.iter_rows()}


def pair(user: str, job: str, weight: int, *, age: dt.timedelta) -> dict[str, Any]:
    return {"user_id": user, "job_id": job, "weight": weight, "last_at": AS_OF - age}


def test_new_users_and_those_active_since_the_fit_are_folded_in_with_all_weights() -> None:
    minute, days = dt.timedelta(minutes=1), dt.timedelta(days=20)
    found = folded(
        pair("old", "a", 4, age=days),
        pair("old", "b", 2, age=minute),
        pair("new", "c", 8, age=days),
    )
    assert found == {("old", "a"): 1.0, ("old", "b"): 2.0, ("new", "a"): 2.0}


def test_a_model_that_was_fitted_before_there_were_users_folds_all_in() -> None:
    assert folded(pair("new", "a", 8, age=dt.timedelta(days=20)), fitted_users=()) == {("new", "a"): 2.0}
    assert folded(fitted_users=()) == {}


def test_users_inactive_since_the_fit_are_not_folded_in() -> None:
    assert folded(pair("old", "a", 4, age=dt.timedelta(hours=2))) == {}


def test_a_folded_user_counts_the_same_days_and_jobs_as_the_fit() -> None:
    found = folded(
        pair("new", "a", 4, age=dt.timedelta(days=61)),
        pair("new", "unknown", 4, age=dt.timedelta(days=1)),
        pair("new", "b", 4, age=dt.timedelta(minutes=-6)),
    )
    assert found == {}


def test_no_interactions_make_an_empty_matrix() -> None:
    made = decayed_weights(
        DAILY_INTERACTIONS.empty().lazy(), as_of=AS_OF, half_life_days=10, days=60, representatives=JOBS
    )
    assert made.values.shape == (0, 0)
    assert weight_matrix(
        pl.DataFrame(schema={"user_id": pl.String, "job_id": pl.String, "weight": pl.Float64})
    ).values.shape == (0, 0)
