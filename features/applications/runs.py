"""Runs of follow-up sequences: what began each, and the news of the application that ended it."""

import datetime as dt
from collections.abc import Mapping

import polars as pl

from features.applications.sequences import (
    INTERVIEW_END,
    OFFER_DEADLINE,
    OPEN_STATES,
    REPLY_IN,
    REPLY_OUT,
    Plan,
    Sequence,
)
from features.applications.states import FINAL_STATES
from features.applications.summaries import interviews
from features.schemas.table import UTC_TIMESTAMP, Dtype

KEY = ["user_id", "application_id"]
RUN = [*KEY, "sequence", "ref"]
_MOST_AHEAD = dt.timedelta(days=400)  # nothing is planned further ahead
_DEFAULT_MINUTES = 60
_CLOSED_OFFERS = ("accepted", "declined", "expired")
_IS_REPLY = pl.col("event_type") == "reply"
_IS_CHANGE = pl.col("state").is_not_null() & pl.col("state").ne_missing(pl.col("state_before"))
# What each word of NEWS means of APPLICATION_EVENTS.
NEWS_OF = {
    REPLY_IN: _IS_REPLY & (pl.col("direction") == "in"),
    REPLY_OUT: _IS_REPLY & (pl.col("direction") == "out"),
    "state": _IS_CHANGE,
    "interview": (pl.col("event_type") == "interview") & pl.col("action").is_in(["scheduled", "rescheduled"]),
    "offer": (pl.col("event_type") == "offer") & pl.col("action").is_in(["received", "countered"]),
}


def runs(ordered: pl.DataFrame, plan: Plan, *, as_of: dt.datetime) -> pl.DataFrame:
    """RUN and what is known of each; `ordered`: APPLICATION_EVENTS sorted by key.

    begun_by, begins_at, opens_at (from when the user may act), told_at, deadline and interviewer; off_why, if what it
    is about is off; end_at and end_why: the first news, null if there are none.
    """
    states = ordered.select(*KEY, "position", state="state", state_since=_state_since())
    talks = interviews(ordered)
    parts = [
        _with_end(_beginnings(ordered, talks, sequence), ordered, states, talks, sequence).with_columns(
            sequence=pl.lit(sequence.name)
        )
        for sequence in plan.sequences
    ]
    until = as_of + _MOST_AHEAD
    is_near = (pl.col("begins_at") <= until) & (pl.col("deadline").is_null() | (pl.col("deadline") <= until.date()))
    return pl.concat(parts).filter(is_near)


def is_far_ahead(*, since: dt.datetime) -> pl.Expr:
    """Whether an event (APPLICATION_EVENTS) may be of a run that was not near at `since`, generously."""
    ahead = _MOST_AHEAD / 2  # an interview may begin and end late: each by half of it
    return pl.any_horizontal(
        pl.col("due_date") > (since + ahead).date(),
        pl.col("starts_at") > since + ahead,
        pl.col("duration_minutes") > ahead // dt.timedelta(minutes=1),
    ).fill_null(value=False)


def _state_since() -> pl.Expr:
    return pl.when(_IS_CHANGE).then("occurred_at").forward_fill().over(KEY)


def _beginnings(ordered: pl.DataFrame, talks: pl.DataFrame, sequence: Sequence) -> pl.DataFrame:
    """What begins the sequence, each ref once. `position`: of the last event that is not news of the run."""
    found = [_by_events(ordered, sequence)]
    if INTERVIEW_END in sequence.begins_with:
        found.append(_by_interviews(ordered, talks))
    if OFFER_DEADLINE in sequence.begins_with:
        found.append(_by_offers(ordered))
    # Ids are whatever the app gives: two that come to the same ref would be one row twice.
    return pl.concat(found).unique([*KEY, "ref"], keep="first", maintain_order=True)


def _columns() -> list[pl.Expr]:
    """Of each beginning, in this order."""
    text, at = pl.String, UTC_TIMESTAMP
    kinds: Mapping[str, Dtype] = {
        "user_id": text, "application_id": text, "ref": text, "begun_by": text, "begins_at": at, "opens_at": at,
        "told_at": at, "deadline": pl.Date, "interviewer": text, "off_at": at, "off_why": text,
        "position": pl.Int32,
    }  # fmt: skip
    return [pl.col(name).cast(kind) for name, kind in kinds.items()]


def _by_events(ordered: pl.DataFrame, sequence: Sequence) -> pl.DataFrame:
    """Coming into a state, and messages. An interview counts by its end, not by the state that it implies."""
    states = [state for state in sequence.begins_with if state in OPEN_STATES]
    begun_by: pl.Expr = pl.when(
        _IS_CHANGE & pl.col("state").is_in(states) & (pl.col("event_type") != "interview")
    ).then("state")
    for reply in (REPLY_IN, REPLY_OUT):
        if reply in sequence.begins_with:
            begun_by = pl.coalesce(begun_by, pl.when(NEWS_OF[reply]).then(pl.lit(reply)))
    is_over = pl.col("state").is_in(FINAL_STATES).fill_null(value=False)
    at = pl.col("occurred_at")
    nothing = [pl.lit(None).alias(name) for name in ("deadline", "interviewer", "off_at", "off_why")]
    return (
        ordered.with_columns(begun_by=begun_by)
        .filter(pl.col("begun_by").is_not_null() & ~is_over)
        .with_columns(*nothing, ref="event_id", begins_at=at, opens_at=at, told_at=at)
        .select(_columns())
    )


def _by_interviews(ordered: pl.DataFrame, talks: pl.DataFrame) -> pl.DataFrame:
    length = pl.duration(minutes=pl.col("duration_minutes").fill_null(_DEFAULT_MINUTES))
    is_off = pl.col("status") == "cancelled"
    begun = talks.drop_nulls("starts_at").with_columns(
        ref=pl.format("interview:{}", "interview_id"),  # an app may number events and interviews alike
        begun_by=pl.lit(INTERVIEW_END),
        begins_at=pl.col("starts_at") + length,
        opens_at="starts_at",
        told_at="updated_at",
        deadline=pl.lit(None),
        off_at=pl.when(is_off).then("updated_at"),
        off_why=pl.when(is_off).then(pl.lit("interview_cancelled")),
    )
    past = ordered.select(*KEY, "position", "occurred_at").sort("occurred_at", "position")
    return (
        begun.sort("begins_at")
        .join_asof(
            past, left_on="begins_at", right_on="occurred_at", by=KEY, strategy="backward", check_sortedness=False
        )
        .with_columns(pl.col("position").fill_null(0))
        .select(_columns())
    )


def _by_offers(ordered: pl.DataFrame) -> pl.DataFrame:
    """Offers with a deadline, from when the newest deadline was told."""
    has_day = pl.col("due_date").is_not_null()
    is_off = pl.col("status").is_in(_CLOSED_OFFERS)
    return (
        ordered.filter(pl.col("event_type") == "offer")
        .group_by(*KEY, "offer_id", maintain_order=True)
        .agg(
            status=pl.col("action").last(),
            changed_at=pl.col("occurred_at").last(),
            deadline=pl.col("due_date").filter(has_day).last(),
            begins_at=pl.col("occurred_at").filter(has_day).last(),
            position=pl.col("position").filter(has_day).last(),
        )
        .drop_nulls("deadline")
        .with_columns(
            ref="offer_id",
            begun_by=pl.lit(OFFER_DEADLINE),
            opens_at="begins_at",
            told_at="begins_at",
            interviewer=pl.lit(None),
            off_at=pl.when(is_off).then("changed_at"),
            off_why=pl.when(is_off).then(pl.format("offer_{}", "status")),
        )
        .select(_columns())
    )


def _with_end(
    begun: pl.DataFrame, ordered: pl.DataFrame, states: pl.DataFrame, talks: pl.DataFrame, sequence: Sequence
) -> pl.DataFrame:
    """Beginnings with end_at and end_why: what is off, an application that is over, or the first news after it."""
    kinds = [kind for kind in NEWS_OF if kind in sequence.cancelled_by]
    news = (
        ordered.filter(pl.any_horizontal(NEWS_OF[kind] for kind in kinds))
        .select(*KEY, news_at="occurred_at", news_why=_why(), after="position")
        .sort("after")
    )
    found = (
        begun.with_columns(after=pl.col("position") + 1)
        .sort("after")
        .join_asof(news, on="after", by=KEY, strategy="forward", check_sortedness=False)
        .join(states, on=[*KEY, "position"], how="left")
    )
    is_over = pl.col("state").is_in(FINAL_STATES)
    over_at = pl.when(is_over).then("state_since")
    end_at = pl.min_horizontal("off_at", over_at, "news_at")
    if "interview" in sequence.cancelled_by:
        found = _with_planned(found, ordered, talks)
        end_at = pl.min_horizontal(end_at, "planned_at")
    else:
        found = found.with_columns(planned_at=pl.lit(None, UTC_TIMESTAMP))
    return found.with_columns(end_at=end_at).select(
        *begun.columns,
        "end_at",
        end_why=pl.when(pl.col("end_at") == pl.col("off_at"))
        .then("off_why")
        .when(pl.col("end_at") == over_at)
        .then(pl.format("state_{}", "state"))
        .when(pl.col("end_at") == pl.col("news_at"))
        .then("news_why")
        .when(pl.col("end_at").is_not_null())
        .then(pl.lit("interview")),
    )


def _with_planned(begun: pl.DataFrame, ordered: pl.DataFrame, talks: pl.DataFrame) -> pl.DataFrame:
    """Beginnings with planned_at: the beginning itself, if an interview was planned by then that came after it."""
    first = ordered.drop_nulls("interview_id").group_by(*KEY, "interview_id").agg(first_at=pl.col("occurred_at").min())
    planned = (
        talks.filter(pl.col("status") != "cancelled")
        .join(first, on=[*KEY, "interview_id"])
        .select(*KEY, "first_at", "starts_at")
    )
    waits = (
        begun.select(*KEY, "ref", "begins_at")
        .join(planned, on=KEY)
        .filter(pl.col("first_at") <= pl.col("begins_at"), pl.col("starts_at") > pl.col("begins_at"))
        .select(*KEY, "ref", planned_at="begins_at")
        .unique()
    )
    return begun.join(waits, on=[*KEY, "ref"], how="left")


def _why() -> pl.Expr:
    """The news in a word."""
    return (
        pl.when(_IS_CHANGE)
        .then(pl.format("state_{}", "state"))
        .when(NEWS_OF[REPLY_IN])
        .then(pl.concat_str(pl.lit("reply"), "sentiment", separator="_", ignore_nulls=True))
        .when(NEWS_OF[REPLY_OUT])
        .then(pl.lit(REPLY_OUT))
        .otherwise("event_type")
    )
