"""Whether employers answer, against a plain computation."""

import datetime as dt
import statistics
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.applications.answers import IS_ANSWER, company_answers
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS

AS_OF = dt.datetime(2026, 3, 4, 2, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
# Type, state before, state, what was done -> whether it is an answer of the employer.
EVENTS = {
    ("status", "applied", "screening", None): True, ("status", "screening", "screening", None): False,
    ("status", "applied", "withdrawn", None): False, ("status", "screening", "rejected", None): True,
    ("status", "saved", "applied", None): False, ("status", "offer", "negotiation", None): True,
    ("reply", "applied", "applied", "in"): True, ("reply", "applied", "applied", "out"): False,
    ("note", "applied", "applied", None): False, ("interview", "interview", "interview", "rescheduled"): True,
    ("interview", "interview", "interview", "completed"): False, ("offer", "offer", "offer", "countered"): True,
    ("offer", "offer", "offer", "expired"): False,
}  # fmt: skip
ACCEPTED = ("status", "applied", "accepted", None)  # of an offer that nobody told of
_EVENT = st.tuples(
    st.integers(-2, 40),
    st.sampled_from([*EVENTS, ACCEPTED]),
)  # fmt: skip
_APPLICATION = st.tuples(
    st.sampled_from(["a", "b", None]), st.none() | st.integers(0, 400), st.lists(_EVENT, max_size=3)
)


def frames(made: list[Any]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    applications = [
        {"user_id": f"u{i % 14}", "application_id": f"p{i}", "company_id": company,
         "applied_at": None if age is None else AS_OF - age * DAY}
        for i, (company, age, _) in enumerate(made)
    ]  # fmt: skip
    events = [
        {"user_id": f"u{i % 14}", "application_id": f"p{i}", "occurred_at": AS_OF - (age or 0) * DAY + days * DAY,
         "event_type": kind, "state_before": before, "state": after,
         "direction": done if kind == "reply" else None, "action": done if kind != "reply" else None}
        for i, (_, age, happened) in enumerate(made)
        for days, (kind, before, after, done) in happened
    ]  # fmt: skip
    return tuple(
        table.conform(
            pl.DataFrame(rows, schema={name: table.columns[name] for name in (rows[0] if rows else {})})
        ).lazy()
        for table, rows in ((APPLICATIONS, applications), (APPLICATION_EVENTS, events))
    )  # type: ignore[return-value]


@settings(deadline=None, max_examples=80)
@given(st.lists(_APPLICATION, max_size=60))
def test_shares_and_medians_are_those_of_the_plain_computation(made: list[Any]) -> None:
    found = {row["company_id"]: row for row in company_answers(*frames(made), as_of=AS_OF).to_dicts()}
    for company in ("a", "b"):
        counted = [
            (i, events)
            for i, (of, age, events) in enumerate(made)
            if of == company and age is not None and 30 <= age <= 365
        ]
        if len({i % 14 for i, _ in counted}) < 10:
            assert company not in found
            continue
        waits = [
            min(days)
            for _, events in counted
            if (days := [after for after, event in events if 0 <= after <= 30 and (event == ACCEPTED or EVENTS[event])])
        ]
        row = found[company]
        assert (row["n_applications"], row["answer_share"]) == (
            len(counted),
            pytest.approx(len(waits) / len(counted), abs=1e-6),
        )
        assert row["answer_days_median"] == (statistics.median(waits) if waits else None)


def test_a_company_that_never_answers_has_a_share_of_nothing_and_no_median() -> None:
    applications, events = frames([("a", 60, [])] * 12)
    (row,) = company_answers(applications, events, as_of=AS_OF).to_dicts()
    assert (row["n_applications"], row["answer_share"], row["answer_days_median"]) == (12, 0.0, None)


def test_what_an_answer_is_holds_for_companies_and_for_follow_ups_alike() -> None:
    _, events = frames([("a", 40, [(1, event) for event in [*EVENTS, ACCEPTED]])])
    assert events.select(IS_ANSWER).collect().to_series().to_list() == [*EVENTS.values(), False]
