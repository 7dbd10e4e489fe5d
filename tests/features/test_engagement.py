import datetime as dt
import math

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features import engagement
from features.schemas.catalog import DAILY_INTERACTIONS

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)


def daily(*rows):
    filled = [{"date": row["last_at"].date(), "user_id": "u", **row} for row in rows]
    return DAILY_INTERACTIONS.conform(pl.DataFrame(filled, infer_schema_length=None)).lazy()


def scores(weights):
    frame = pl.DataFrame({"weight": weights}, schema={"weight": pl.Int64})
    return frame.select(score=engagement.engagement_score(pl.col("weight")))["score"].to_list()


def test_the_score_is_ten_times_the_logarithm_of_one_more_than_the_weights():
    assert scores([0, 10, -5, None]) == [0.0, round(10 * math.log(11), 6), 0.0, 0.0]


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6))
def test_more_weight_never_lowers_engagement(weight, more):
    low, high = scores([weight, weight + more])
    assert 0 <= low <= high


def test_shares_of_the_maximum_are_zero_where_nothing_engages():
    frame = pl.DataFrame({"some": [2.0, 4.0], "none": [0.0, 0.0]})
    shares = frame.select(engagement.share_of_maximum(pl.col(name)) for name in frame.columns)
    assert shares.rows() == [(0.5, 0.0), (1.0, 0.0)]


def test_feedback_weighs_by_its_verdict_and_else_by_its_rating():
    events = pl.DataFrame(
        {
            "event_type": ["apply", "reject", "impression", "feedback", "feedback", "feedback", "feedback", "feedback"],
            "is_relevant": [None, None, None, True, False, None, None, None],
            "rating": [None, None, None, 1, None, 4, 2, 3],
        }
    )
    assert events.select(weight=engagement.event_weight())["weight"].to_list() == [10, -5, 0, 3, -5, 3, -5, 0]


def test_only_the_last_ninety_days_before_the_instant_count():
    rows = [
        {"job_id": "old", "last_at": AS_OF - dt.timedelta(days=91), "weight": 1},
        {"job_id": "kept", "last_at": AS_OF - dt.timedelta(days=89), "weight": 2},
        {"job_id": "kept", "last_at": AS_OF + dt.timedelta(minutes=4), "weight": 3},
        {"job_id": "kept", "last_at": AS_OF + dt.timedelta(minutes=6), "weight": 40},
    ]
    counted = engagement.counters_by_job(daily(*rows), as_of=AS_OF).collect()
    assert counted.select("job_id", "weight").rows() == [("kept", 5)]
