import datetime as dt
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from features.schemas.catalog import DAILY_INTERACTIONS
from models.fitting.als import AlsSettings
from models.fitting.tuning import Split, TuningError, random_split, time_split, tune_als
from tests.models.training_world import JOBS, USERS, trade_matrix, trades

AS_OF = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)
KNOWN_JOBS = pl.LazyFrame({"job_id": [*JOBS, "copy"], "duplicate_of": [*[None] * len(JOBS), "j0"]})
START = AlsSettings(factors=2, iterations=10, n_threads=1, regularization=90.0, alpha=0.1)


def act(user: str, job: str, days: int, **counters: int) -> dict[str, Any]:
    then = AS_OF - dt.timedelta(days=days, hours=1)
    return {"user_id": user, "job_id": job, "date": then.date(), "last_at": then, "weight": 10, **counters}


def split(*rows: dict[str, Any], max_users: int = 100) -> Split:
    none = {name: 0 for name in DAILY_INTERACTIONS.columns if name.startswith("n_")}
    frame = DAILY_INTERACTIONS.conform(pl.DataFrame([{**none, **row} for row in rows], infer_schema_length=None))
    return time_split(frame.lazy(), representatives=KNOWN_JOBS, as_of=AS_OF, held_out_days=7, max_users=max_users)


def trade_split() -> Split:
    held_out = [("u0", "j2"), ("u3", "j1"), ("u4", "j5"), ("u7", "j3")]
    truth = pl.DataFrame(held_out, schema=["user_id", "job_id"], orient="row").with_columns(gain=pl.lit(1.0))
    matrix = trade_matrix(held_out)
    return Split(lambda _half_life: matrix, truth, trades(held_out).select("user_id", "job_id"), half_lives=())


def test_what_came_last_is_held_out_with_its_strongest_act() -> None:
    made = split(
        act("u", "j1", 20, n_clicks=1),
        act("u", "j2", 3, n_clicks=1),
        act("u", "j2", 2, n_saves=1),
        act("u", "j3", 1, n_applies=1, n_clicks=2),
        act("v", "j1", 2, n_views=1),
    )
    assert made.truth.rows() == [("u", "j2", 2.0), ("u", "j3", 3.0)]
    assert made.known.rows() == [("u", "j1")]
    assert made.train(30.0).job_ids.to_list() == ["j1"]


def test_jobs_met_before_and_the_future_are_not_held_out() -> None:
    made = split(
        act("u", "j1", 20, n_impressions=1),
        act("u", "j1", 2, n_applies=1),
        act("u", "copy", 2, n_applies=1),
        act("u", "j4", -1, n_applies=1),
        act("u", "unknown", 1, n_applies=1),
    )
    assert made.truth.rows() == [("u", "j0", 3.0)]


def test_of_many_users_a_fixed_choice_is_judged_by() -> None:
    rows = [
        act(f"u{number:02}", job, days, n_clicks=1) for number in range(40) for job, days in (("j1", 20), ("j2", 1))
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


def test_tuning_finds_better_settings_than_bad_ones_and_tries_those_in_use_first() -> None:
    tried: list[AlsSettings] = []
    tuned = tune_als(
        trade_split(),
        start=START,
        n_trials=12,
        seed=1,
        max_factors=32,
        on_trial=lambda _number, settings, _ndcg: tried.append(settings),
    )
    assert tried[0] == START
    assert len(tried) == len(tuned.trials) == 12
    assert tuned.best_ndcg > tuned.start_ndcg
    assert tuned.best_ndcg == pytest.approx(1.0)
    assert {settings.factors for settings in tried} <= {2, 16, 32}
    assert tuned.settings in tried
    assert replace(tuned.settings, factors=2, regularization=90.0, alpha=0.1, popularity_power=0.75) == START


def test_the_same_seed_gives_the_same_trials() -> None:
    one, two = (tune_als(trade_split(), start=START, n_trials=12, seed=5, max_factors=16) for _ in range(2))
    assert one.trials.equals(two.trials)
    assert one.settings == two.settings


def test_settings_that_nothing_beats_stay() -> None:
    good = AlsSettings(factors=2, iterations=15, regularization=0.01, alpha=10.0, n_threads=1)
    tuned = tune_als(trade_split(), start=good, n_trials=6, seed=1, max_factors=16)
    assert tuned.start_ndcg == pytest.approx(1.0)
    assert tuned.settings == good


def test_nothing_held_out_is_an_error() -> None:
    with pytest.raises(TuningError, match="no interaction is held out"):
        tune_als(split(act(USERS[0], "j1", 20, n_clicks=1)), start=START, n_trials=3, seed=1, max_factors=16)
