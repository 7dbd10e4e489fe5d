import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.schemas import DAILY_INTERACTIONS
from models.weights import decayed_weights, positive_part, weight_matrix

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
JOBS = pl.LazyFrame({"job_id": ["a", "b", "c"], "duplicate_of": [None, None, "a"]})


def daily(*rows: dict[str, Any]) -> pl.LazyFrame:
    made = [{"date": AS_OF.date(), "last_at": AS_OF - dt.timedelta(hours=1), **row} for row in rows]
    return DAILY_INTERACTIONS.conform(pl.DataFrame(made, infer_schema_length=None)).lazy()


def weights(frame: pl.LazyFrame, *, as_of: dt.datetime = AS_OF) -> dict[tuple[str, str], float]:
    made = decayed_weights(frame, as_of=as_of, half_life_days=10, days=60, representatives=JOBS)
    return {(user, job): weight for user, job, weight in made.iter_rows()}


def days_ago(days: int) -> dict[str, Any]:
    then = AS_OF - dt.timedelta(days=days)
    return {"date": then.date(), "last_at": then}


def test_weights_halve_with_the_half_life_and_add_up() -> None:
    rows = daily(
        {"user_id": "u", "job_id": "a", "weight": 10, **days_ago(10)}, {"user_id": "u", "job_id": "a", "weight": 1}
    )
    assert weights(rows) == {("u", "a"): pytest.approx(6.0)}


def test_a_duplicate_counts_for_the_job_that_stands_for_it() -> None:
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


def test_what_cancels_out_is_no_pair() -> None:
    assert weights(daily({"user_id": "u", "job_id": "a", "weight": 0})) == {}


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


def test_no_interactions_make_an_empty_matrix() -> None:
    made = weight_matrix(
        decayed_weights(
            DAILY_INTERACTIONS.empty().lazy(), as_of=AS_OF, half_life_days=10, days=60, representatives=JOBS
        )
    )
    assert made.values.shape == (0, 0)
