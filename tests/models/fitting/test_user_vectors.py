import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from features.schemas.catalog import DAILY_INTERACTIONS
from models.arrays import Floats, positions, rows_or_zeros
from models.fitting import user_vectors
from models.fitting.job_vectors import JobVectors
from models.fitting.texts import USER_TEXTS
from models.fitting.user_vectors import UserVectors, build_user_vectors, event_weights
from models.fitting.weights import WeightMatrix
from tests.models.training_world import embedded, encoded, job_rows, job_vectors_of, unit

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)


def user_rows(*rows: dict[str, Any]) -> pl.DataFrame:
    empty: dict[str, Any] = {"roles": [], "skills": [], "summary": None}
    return pl.DataFrame([{**empty, **row} for row in rows], schema=USER_TEXTS)


def vectors_of(users: UserVectors, user_ids: pl.Series) -> Floats:
    """(len(user_ids), d), zeros for an unknown user."""
    return rows_or_zeros(users.vectors, positions(users.user_ids, user_ids))


def summaries_of(users: UserVectors, user_ids: pl.Series) -> Floats:
    """(len(user_ids), d): the users' own words, zeros without any."""
    rows = positions(users.user_ids, user_ids)
    known = np.flatnonzero(rows >= 0)
    rows[known] = users.summary_rows[rows[known]]
    return rows_or_zeros(users.summary_vectors, rows)


def users_of(users: pl.DataFrame, jobs: JobVectors, *events: tuple[str, str, float]) -> UserVectors:
    return build_user_vectors(
        users, event_matrix(jobs, *events), embedded(users["roles"], users["skills"], users["summary"]), jobs
    )


def event(user: str, job: str, *, days: int = 0, **counters: Any) -> dict[str, Any]:
    then = AS_OF - dt.timedelta(days=days, hours=1)
    return {"date": then.date(), "last_at": then, "user_id": user, "job_id": job, **counters}


def weights(*rows: dict[str, Any]) -> dict[tuple[str, str], float]:
    counters = {name: 0 for name in DAILY_INTERACTIONS.columns if name.startswith("n_")}
    frame = DAILY_INTERACTIONS.conform(pl.DataFrame([{**counters, **row} for row in rows], infer_schema_length=None))
    made = event_weights(frame.lazy(), as_of=AS_OF, half_life_days=30, job_ids=frame["job_id"].unique().sort())
    places = made.values.tocoo()
    users, jobs = made.user_ids.to_list(), made.job_ids.to_list()
    return {(users[row], jobs[column]): w for row, column, w in zip(places.row, places.col, places.data, strict=True)}


def event_matrix(jobs: JobVectors, *rows: tuple[str, str, float]) -> WeightMatrix:
    """Users x the jobs of `jobs`; events on other jobs give a user without weights."""
    users, ids = sorted({user for user, _, _ in rows}), jobs.job_ids.to_list()
    values = np.zeros((len(users), len(ids)), dtype=np.float32)
    for user, job, weight in rows:
        if job in ids:
            values[users.index(user), ids.index(job)] = weight
    return WeightMatrix(pl.Series(users, dtype=pl.String), jobs.job_ids, sparse.csr_matrix(values))


def test_each_kind_of_event_has_its_weight() -> None:
    now = AS_OF - dt.timedelta(hours=1)
    found = weights(
        event("u", "applied", n_applies=2),
        event("u", "glanced", n_views=3, dwell_seconds=6.0),
        event("u", "read", n_views=1, dwell_seconds=60.0),
        event("u", "pondered", n_clicks=1, dwell_seconds=9000.0),
        event("u", "saved", n_saves=1, last_saved_at=now),
        event("u", "taken back", n_saves=1, n_unsaves=1, last_saved_at=now, last_unsaved_at=AS_OF),
        event("u", "refused", n_dismissals=1),
        event("u", "wrong", n_not_relevant=1),
        event("u", "shown", n_impressions=5),
    )
    assert {job: weight for (_, job), weight in found.items()} == pytest.approx(
        {
            "applied": 0.5,
            "glanced": 0.1,
            "read": 0.2,
            "pondered": 0.4,
            "saved": 0.4,
            "refused": -0.3,
            "wrong": -0.3,
        }
    )


def test_events_decay_and_those_of_ninety_days_ago_are_forgotten() -> None:
    found = weights(event("u", "month", days=30, n_applies=1), event("u", "old", days=91, n_applies=1))
    assert found == {("u", "month"): pytest.approx(0.25, abs=1e-6)}


def test_a_save_undone_on_a_later_day_does_not_count() -> None:
    then, later = AS_OF - dt.timedelta(days=5), AS_OF - dt.timedelta(days=1)
    found = weights(
        event("u", "j", days=5, n_saves=1, last_saved_at=then),
        event("u", "j", days=1, n_unsaves=1, last_unsaved_at=later),
    )
    assert found == {}


def test_a_user_vector_is_the_profile_and_the_jobs_of_the_history() -> None:
    jobs = job_vectors_of(job_rows({"job_id": "a", "title": "welder"}, {"job_id": "b", "title": "cook"}))
    users = user_rows({"user_id": "u", "roles": ["nurse"], "skills": ["latin", "care"]})
    made = users_of(users, jobs, ("u", "a", 0.5), ("u", "b", -0.3))
    profile = unit(encoded("nurse") + unit(encoded("latin") + encoded("care")))
    expected = unit(profile + 0.5 * encoded("welder") - 0.3 * encoded("cook"))
    np.testing.assert_allclose(vectors_of(made, pl.Series(["u"]))[0], expected, atol=1e-3)
    assert (made.has_profile[0], made.has_history[0]) == (True, True)


def test_a_user_without_a_profile_has_the_vector_of_the_history() -> None:
    jobs = job_vectors_of(job_rows({"job_id": "a", "title": "welder"}))
    made = users_of(user_rows(), jobs, ("u", "a", 0.1), ("v", "gone", 0.5))
    assert made.user_ids.to_list() == ["u", "v"]
    np.testing.assert_allclose(vectors_of(made, pl.Series(["u"]))[0], encoded("welder"), atol=1e-3)
    assert made.has_profile.tolist() == [False, False]
    assert made.has_history.tolist() == [True, False]


def test_unknown_users_and_those_without_a_summary_have_zeros() -> None:
    jobs = job_vectors_of(job_rows({"job_id": "a", "title": "welder"}))
    made = users_of(user_rows({"user_id": "u", "summary": "calm"}, {"user_id": "v"}), jobs)
    found = summaries_of(made, pl.Series(["v", "nobody", "u"]))
    np.testing.assert_allclose(found, [np.zeros(512), np.zeros(512), encoded("calm")], atol=1e-3)
    assert not vectors_of(made, pl.Series(["nobody"])).any()


def test_empty_inputs_make_empty_models(tmp_path: Path) -> None:
    jobs = job_vectors_of(job_rows())
    users = users_of(user_rows(), jobs)
    assert jobs.vectors.shape == (0, 0), "only an encoder knows its dimensions, and nothing was encoded"
    assert vectors_of(users, pl.Series(["a"])).shape == (1, 0)
    assert summaries_of(users, pl.Series(["a"])).shape == (1, 0)
    users.save(tmp_path / "users.npz")
    assert UserVectors.load(tmp_path / "users.npz").vectors.dtype == np.float16


def test_blocks_of_users_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = job_vectors_of(job_rows({"job_id": "a", "title": "welder"}, {"job_id": "b", "title": "cook"}))
    users = user_rows(*({"user_id": f"u{n}", "roles": ["nurse"], "skills": ["latin"]} for n in range(20)))
    done = [(f"u{n}", "ab"[n % 2], 0.1 * n) for n in range(0, 20, 3)]
    whole = users_of(users, jobs, *done)
    monkeypatch.setattr(user_vectors, "_BLOCK_USERS", 3)
    np.testing.assert_array_equal(users_of(users, jobs, *done).vectors, whole.vectors)
