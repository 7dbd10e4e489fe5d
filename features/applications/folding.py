"""Events of applications to timelines: which application an event belongs to, in which order, and the state after it.

An application's events are ordered by when they occurred, whenever they were told. Each event that asks for a state is
a function from the state before to the state after. Functions compose, so the states of all applications come out of
one scan over all events, in as many passes as the logarithm of the longest timeline.
"""

import datetime as dt
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.applications.states import CODE_OF, NEW_CODE, STATES, Transitions
from features.hashing import stable_hash
from features.interactions import CLOCK_SKEW
from features.schemas.catalog import APPLICATION_EVENTS

_NO_STATE = len(STATES)  # the rank of events that ask for none: after those that do, at the same instant
_SALT = "application"
_KEY = ["user_id", "application_id"]


def fold_timelines(
    log: pl.DataFrame, *, transitions: Transitions, implied: Mapping[str, str], as_of: dt.datetime
) -> pl.DataFrame:
    """APPLICATION_EVENTS of APPLICATION_LOG, without sentiments: what occurred up to `as_of`, sorted by its key.

    `implied`: the state that an event other than a status asks for, by type and action such as offer_received. It is
    no refusal if the table does not allow it.
    """
    known = log.filter(pl.col("occurred_at") <= as_of + CLOCK_SKEW)
    asked = known.with_columns(
        asked_state=pl.coalesce(
            "state", pl.format("{}_{}", "event_type", "action").replace_strict(
                dict(implied), default=None, return_dtype=pl.String
            )
        )
    )  # fmt: skip
    ordered = (
        with_application_ids(asked)
        .with_columns(rank=pl.col("asked_state").replace_strict(CODE_OF, default=_NO_STATE, return_dtype=pl.UInt8))
        .sort(*_KEY, "occurred_at", "rank", "event_id")
    )
    starts = ordered.select(pl.struct(_KEY).rle_id()).to_series().to_numpy()
    before, after = states_along(starts, ordered["rank"].to_numpy(), transitions)
    names = pl.Series([*STATES, None], dtype=pl.String)
    return APPLICATION_EVENTS.conform(
        ordered.drop("state")
        .with_columns(
            position=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(_KEY),
            state_before=names.gather(before),
            state=names.gather(after),
        )
        .with_columns(
            is_refused=(
                (pl.col("event_type") == "status") & (pl.col("state") != pl.col("asked_state")).fill_null(value=False)
            )
        )
        .select(name for name in APPLICATION_EVENTS.columns if name not in ("sentiment_by",))
    )


def with_application_ids(log: pl.DataFrame) -> pl.DataFrame:
    """The log with an application for every event.

    An event without an id belongs to the application that the app itself named first for the same user and job, else
    to one whose id is a hash of user and job, or of user and what is said of a job from elsewhere.
    """
    named = (
        log.drop_nulls(["application_id", "job_id"])
        .sort("occurred_at", "application_id")
        .group_by("user_id", "job_id")
        .agg(pl.col("application_id").first().alias("named_id"))
    )
    parts = [pl.col(name).fill_null("") for name in ("title", "company", "url")]
    of_job = pl.coalesce("job_id", pl.concat_str(parts, separator="\0"))
    hashed = log.select(pl.concat_str("user_id", of_job, separator="\0")).to_series()
    return (
        log.with_columns(hashed_id=pl.format("app-{}", pl.Series(stable_hash(hashed, _SALT))))
        .join(named, on=["user_id", "job_id"], how="left", maintain_order="left")
        .with_columns(application_id=pl.coalesce("application_id", "named_id", "hashed_id"))
        .drop("named_id", "hashed_id")
    )


def states_along(
    groups: NDArray[np.uint32], asked: NDArray[np.uint8], transitions: Transitions
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The state before and after each event, as codes; NEW_CODE for none.

    `groups` numbers the applications, ascending; `asked` is the state that an event asks for, _NO_STATE for none.
    """
    n_events, n_states = len(asked), len(STATES) + 1
    every = np.arange(n_states, dtype=np.uint8)
    functions = np.tile(every, (n_events, 1))
    moves = asked < _NO_STATE
    # A state that is stated again stays, and so does one that the table does not let go.
    functions[moves] = np.where(transitions.matrix[:, asked[moves]].T, asked[moves][:, None], every)
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]) if n_events else np.zeros(0, np.int64)
    positions = np.arange(n_events) - np.repeat(starts, np.diff(np.r_[starts, n_events]))
    step = 1
    while n_events and step <= positions.max():
        later = np.flatnonzero(positions >= step)
        # First what came `step` events earlier, then this one.
        functions[later] = np.take_along_axis(functions[later], functions[later - step], axis=1)
        step *= 2
    after = functions[:, NEW_CODE]
    before = np.r_[np.uint8(NEW_CODE), after[:-1]] if n_events else after
    before[starts] = NEW_CODE
    return before.astype(np.uint8), after.astype(np.uint8)
