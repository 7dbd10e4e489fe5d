import datetime as dt
from typing import Any

import polars as pl

from features.schemas.catalog import DAILY_INTERACTIONS
from models.evaluation.splits import Split, choose_split, random_split, time_split
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


def chosen(*rows: dict[str, Any]) -> Split:
    none = {name: 0 for name in DAILY_INTERACTIONS.columns if name.startswith("n_")}
    frame = DAILY_INTERACTIONS.conform(pl.DataFrame([{**none, **row} for row in rows], infer_schema_length=None))
    return choose_split(frame.lazy(), representatives=KNOWN_JOBS, as_of=AS_OF, held_out_days=7, max_users=100, seed=1)


def test_times_decide_what_is_held_out_where_they_say_something() -> None:
    rows = [event(f"u{n}", f"j{n % 5}", days, n_clicks=1) for n in range(40) for days in (20, 30)]
    made = chosen(*rows, *(event(f"u{n}", f"j{n % 5 + 1}", 2, n_clicks=1) for n in range(10)))
    assert (made.kind, made.reason) == ("time", "10 users have pairs in the last 7 days")
    assert made.half_lives


def test_pairs_are_held_out_at_random_where_all_interactions_are_of_one_day() -> None:
    made = chosen(*(event(f"u{n}", f"j{job}", 2, n_clicks=1) for n in range(40) for job in range(1, 6)))
    assert (made.kind, made.reason) == ("random", "100% of the interactions are on one day")
    assert 10 < len(made.truth) < 80
    assert made.half_lives == ()
    assert len(made.train(30.0).user_ids) == 40


def test_pairs_are_held_out_at_random_where_few_users_acted_lately() -> None:
    rows = [event(f"u{n}", f"j{job}", 20 + job, n_clicks=1) for n in range(40) for job in range(1, 6)]
    made = chosen(*rows, event("u1", "j0", 2, n_clicks=1))
    assert (made.kind, made.reason) == ("random", "only 1 users have pairs in the last 7 days")


def test_old_interactions_count_in_full_where_pairs_are_held_out_at_random() -> None:
    made = chosen(*(event(f"u{n}", f"j{job}", 3000, n_clicks=1) for n in range(40) for job in range(1, 6)))
    assert made.kind == "random"
    assert made.train(30.0).values.data.min() > 9


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


def test_a_random_split_judges_by_so_many_users() -> None:
    pairs = pl.DataFrame({"user_id": [f"u{n % 50}" for n in range(1000)], "job_id": [f"j{n}" for n in range(1000)]})
    made = random_split(pairs.with_columns(weight=1.0), share=0.2, seed=1, max_users=9)
    assert made.truth["user_id"].n_unique() == made.known["user_id"].n_unique() == 9
    assert len(made.train(30.0).user_ids) == 50
