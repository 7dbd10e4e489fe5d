"""Tolerances divide accepted from rejected jobs, within bounds, and change no component."""

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.components import haversine_km
from features.schemas.catalog import INTERACTIONS, JOBS, USERS
from features.schemas.features import PREFERENCES
from features.users.tolerances import tolerances
from tests.factories import AS_OF

HOME = (43.25, 76.9)
DEGREES_PER_KM = 180 / (math.pi * 6371)  # of latitude
WISHES = {"user_id": "u", "salary_monthly_usd_min": 1000.0, "latitude": HOME[0], "longitude": HOME[1]}


def learned(*acts, user=WISHES):
    """Rows by dimension of a user's acts: (what the user did, columns of the job)."""
    done = {"apply": {"is_applied": True}, "save": {"is_saved": True}, "dismiss": {"n_dismissals": 1}, "view": {}}
    interactions, jobs = [], []
    for number, (act, job) in enumerate(acts):
        jobs.append({"job_id": f"t:{number}", **job})
        interactions.append({"user_id": "u", "job_id": f"t:{number}", "last_at": AS_OF, **done[act]})
    table = tolerances(
        *(
            each.conform(pl.DataFrame(rows, schema_overrides=dict(each.columns), infer_schema_length=None)).lazy()
            for each, rows in ((INTERACTIONS, interactions), (JOBS, jobs), (USERS, [user]))
        ),
        as_of=AS_OF,
    )
    PREFERENCES.validate(table)
    return {row["dimension"]: (row["value"], round(row["affinity"], 4), row["n"]) for row in table.rows(named=True)}


def pays(usd, **more):
    return {"salary_monthly_usd_min": float(usd), **more}


def away(km, **more):
    return {"latitude": HOME[0] + km * DEGREES_PER_KM, "longitude": HOME[1], **more}


def test_without_rejected_jobs_it_is_the_least_pay_and_the_greatest_distance_accepted():
    got = learned(("apply", pays(1200)), ("save", pays(850)), ("apply", pays(930)))
    assert got == {"salary_tolerance": ("0.85", 0.3, 3)}
    got = learned(("apply", away(3)), ("apply", away(35)), ("save", away(30)))
    assert got == {"distance_tolerance": ("35", 0.4, 3)}


def test_rejected_jobs_move_it_and_those_that_the_wish_allows_do_not():
    one_slip = [("apply", pays(600)), ("apply", pays(900)), ("apply", pays(950))]
    refused = [("dismiss", pays(usd)) for usd in (650, 700, 750, 800)]
    assert learned(*one_slip, *refused)["salary_tolerance"] == ("0.9", 0.2, 7)
    liked_pay = [("dismiss", pays(usd)) for usd in (1000, 1500, 2000, 2500)]
    assert learned(*one_slip, *liked_pay)["salary_tolerance"] == ("0.6", 0.8, 3)

    near = [("apply", away(5)), ("apply", away(30)), ("apply", away(45)), ("dismiss", away(1)), ("dismiss", away(2))]
    assert learned(*near)["distance_tolerance"] == ("45", 0.8, 3)
    far = [("dismiss", away(km)) for km in (35, 40)]
    assert learned(*near, *far)["distance_tolerance"] == ("30", 0.2, 5)


def test_it_is_bounded_whatever_the_user_accepts():
    got = learned(("apply", pays(1, **away(5000))))
    assert got == {"salary_tolerance": ("0.5", 1.0, 1), "distance_tolerance": ("50", 1.0, 1)}
    assert learned(("apply", away(0)))["distance_tolerance"] == ("0", -1.0, 1)


@pytest.mark.parametrize(
    ("act", "job", "user"),
    [
        ("dismiss", pays(600), WISHES),
        ("view", pays(600), WISHES),
        ("apply", {}, WISHES),
        ("apply", pays(600), {"user_id": "u"}),
        ("apply", away(30, work_format="remote"), WISHES),
        ("apply", pays(600, **away(30)), {**WISHES, "personalization_enabled": False}),
        ("apply", pays(600, **away(30)), {**WISHES, "user_id": "somebody else"}),
    ],
)
def test_nothing_is_learned_without_an_accepted_job_a_wish_and_consent(act, job, user):
    assert learned((act, job), user=user) == {}


def test_events_after_the_run_do_not_count():
    later = INTERACTIONS.conform(
        pl.DataFrame([{"user_id": "u", "job_id": "t:0", "is_applied": True, "last_at": AS_OF + dt.timedelta(days=1)}])
    )
    jobs = JOBS.conform(pl.DataFrame([{"job_id": "t:0", **pays(600)}]))
    assert tolerances(later.lazy(), jobs.lazy(), USERS.conform(pl.DataFrame([WISHES])).lazy(), as_of=AS_OF).is_empty()


acts = st.lists(st.tuples(st.sampled_from(["apply", "dismiss"]), st.integers(300, 1300)), min_size=1, max_size=12)


@given(acts)
def test_no_other_accepted_pay_divides_with_fewer_errors(done):
    got = learned(*((act, pays(usd)) for act, usd in done))
    share = {usd: round(min(max(usd / 10, 50), 100)) for _, usd in done}
    accepted = [share[usd] for act, usd in done if act == "apply"]
    rejected = [share[usd] for act, usd in done if act == "dismiss" and share[usd] < 100]
    errors = {t: sum(a < t for a in accepted) + sum(r >= t for r in rejected) for t in accepted}
    best = [t for t in errors if errors[t] == min(errors.values())]
    if not accepted:
        assert got == {}
    else:
        value, _, n = got["salary_tolerance"]
        assert (float(value), n) == (max(best) / 100, len(accepted) + len(rejected))


@given(st.floats(-80, 80), st.floats(-179, 179))
def test_the_distance_is_that_of_the_component(latitude, longitude):
    user = {**WISHES, "max_distance_km": 20_000.0}
    value, *_ = learned(("apply", {"latitude": latitude, "longitude": longitude}), user=user)["distance_tolerance"]
    expected = float(haversine_km(*HOME, latitude, longitude))
    assert abs(float(value) - expected) <= 0.005 * 20_000 + 1, "to a percent of the stated distance"
