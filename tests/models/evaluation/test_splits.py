import datetime as dt
from typing import Any

import polars as pl

from features.schemas.catalog import DAILY_INTERACTIONS
from models.evaluation.splits import Split, random_split, time_split
from tests.models.training_world import JOBS

AS_OF = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)
KNOWN_JOBS = pl.LazyFrame({"job_id": [*JOBS, "copy"], "duplicate_of": [*[None] * len(JOBS), "j0"]})


def event(user: str, job: str, days: int, **counters: int) -> dict[str, Any]:
    then = AS_OF - dt.timedelta(days=days, hours=1)
    return {"user_id": user, "job_id": job, "date": then.date(), "last_at": then, "weight": 10, **counters}


def split(*rows: dict[str, Any], max_users: int = 100) -> Split:
    none = {name: 0 for name in DAILY_INTERACTIONS.columns if name.startswith("n_")}
    frame = DAILY_INTERACTIONS.conform(pl.DataFrame([{**none, **row} for row in rows], infer_schema_length=None))
    return time_split(frame.lazy(), representatives=KNOWN_JOBS, as_of=AS_OF, held_out_days=7, max_users=max_users)


def test_what_came_last_is_held_out_with_its_strongest_event() -> None:
    made = split(
        event("u", "j1", 20, n_clicks=1),
        event("u", "j2", 3, n_clicks=1),
        event("u", "j2", 2, n_saves=1),
        event("u", "j3", 1, n_applies=1, n_clicks=2),
        event("v", "j1", 2, n_views=1),
    )
    assert made.truth.rows() == [("u", "j2", 2.0), ("u", "j3", 3.0)]
    assert made.known.rows() == [("u", "j1")]
    assert made.train(30.0).job_ids.to_list() == ["j1"]


def test_jobs_met_before_and_the_future_are_not_held_out() -> None:
    made = split(
        event("u", "j1", 20, n_impressions=1),
        event("u", "j1", 2, n_applies=1),
        event("u", "copy", 2, n_applies=1),
        event("u", "j4", -1, n_applies=1),
        event("u", "unknown", 1, n_applies=1),
    )
    assert made.truth.rows() == [("u", "j0", 3.0)]


def test_of_many_users_a_fixed_choice_is_judged_by() -> None:
    rows = [
        event(f"u{number:02}", job, days, n_clicks=1) for number in range(40) for job, days in (("j1", 20), ("j2", 1))
    ]
    few, again = (split(*part, max_users=9) for part in (rows, rows[::-1]))
    assert few.truth["user_id"].n_unique() == 9
    assert few.truth.equals(again.truth)
    assert len(few.train(30.0).user_ids) == 40


def test_a_random_split_holds_out_a_share_of_what_was_liked() -> None:
    pairs = pl.DataFrame({"user_id": [f"u{n}" for n in range(1000)], "job_id": "j", "weight": [1.0, -1.0] * 500})
    made = random_split(pairs, share=0.2, seed=1)
    assert 60 < len(made.truth) < 140
    assert made.truth.join(pairs.filter(pl.col("weight") < 0), on=["user_id", "job_id"]).is_empty()
    assert made.truth.join(made.known, on=["user_id", "job_id"]).is_empty()
    assert len(made.known) + len(made.truth) == 1000
    assert made.truth.equals(random_split(pairs.reverse(), share=0.2, seed=1).truth)
    assert not made.truth.equals(random_split(pairs, share=0.2, seed=2).truth)
