"""Interactions open applications, and applications hide their jobs: what either log says is written into the other.

An `apply` or `save` of a user becomes a status in the log of applications. The first status of a user and job that the
employer can know of becomes an event `applied`, by which feeds leave out the job and its duplicates, unless the app
logged the application itself. The first interview and the first offer become events too, from which models learn more
than from an application.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from assets.erasing.requests import Erasures
from assets.ingest.events.store import EventStore
from assets.lake import Lake, write_bytes
from assets.notes import read_note
from assets.user_rows import blocks_of_users, rows_of_users
from features.applications.states import INTERVIEWED, KNOWN_TO_EMPLOYER, OFFERED
from features.hashing import stable_hash
from features.schemas.bronze import (
    APPLICATION_LOG,
    EVENTS,
    RECORDED_APPLICATION,
    RECORDED_INTERVIEW,
    RECORDED_OFFER,
)

_OPENED = {"apply": "applied", "save": "saved"}
_FROM_INTERACTION = "interaction:"
_FROM_APPLICATION = "application:"
# So that memory is bounded.
_EVENTS_AT_ONCE = 20_000_000
_USERS_AT_ONCE = 100_000
_IS_TALK = (pl.col("event_type") == "interview") & (pl.col("action") != "cancelled")
_IS_MIRRORED = pl.col("event_id").str.starts_with(_FROM_INTERACTION)
_IS_OFFER = pl.col("event_type") == "offer"
# Event -> what of the log of applications shows it, and the salt of its id.
_RECORDED = {
    RECORDED_APPLICATION: (
        pl.col("state").is_in(KNOWN_TO_EMPLOYER) | pl.col("event_type").is_in(["interview", "offer"]),
        "recorded application",
    ),
    RECORDED_INTERVIEW: (pl.col("state").is_in(INTERVIEWED) | _IS_TALK, "recorded interview"),
    RECORDED_OFFER: (pl.col("state").is_in(OFFERED) | _IS_OFFER, "recorded offer"),
}


def open_applications(lake: Lake) -> int:
    """Adds a status for each `apply` and `save` in parts of events that were not looked at yet; how many are new."""
    fresh = _new_parts(lake, EVENTS.name)
    if not fresh:
        return 0
    is_person, n_new, erasures = ~pl.col("is_bot").fill_null(value=False), 0, Erasures.load(lake)
    for parts in _of_at_most(fresh, _EVENTS_AT_ONCE):
        found = (
            pl.scan_parquet(parts, hive_partitioning=False, glob=False)
            .filter(pl.col("event_type").is_in(list(_OPENED)), is_person, pl.col("job_id").is_not_null())
            .select(
                "user_id",
                "occurred_at",
                "job_id",
                event_id=pl.lit(_FROM_INTERACTION) + pl.col("event_id"),
                event_type=pl.lit("status"),
                state=pl.col("event_type").replace_strict(_OPENED, return_dtype=pl.String),
            )
            .collect(engine="streaming")
        )
        kept = erasures.without_erased(APPLICATION_LOG.conform(found), at="occurred_at")
        n_new += lake.append_new("bronze", APPLICATION_LOG, kept, within=["event_id"])[0].height
    _note_parts(lake, EVENTS.name, fresh)
    return n_new


def record_applications(lake: Lake) -> int:
    """Adds the events `applied`, `interviewed` and `offered` of each user and job without; returns how many are new.

    Only users in new parts of the log are looked at. Each event has the time of the first status that was known then:
    one that comes later and happened before changes nothing. Whoever has an `apply` gets no `applied`.
    """
    fresh = _new_parts(lake, APPLICATION_LOG.name)
    if not fresh:
        return 0
    # Only what the apps told is looked at: a user of whom they told nothing new has no event to add.
    news = pl.scan_parquet(fresh, hive_partitioning=False, glob=False).filter(~_IS_MIRRORED)
    users = news.select(pl.col("user_id").unique()).collect(engine="streaming")["user_id"]
    store = EventStore(lake, Erasures.load(lake))
    for block in blocks_of_users(users, at_once=_USERS_AT_ONCE) if len(users) else ():
        for rows in _recorded(lake, block):
            store.add(EVENTS.conform(rows))
    store.flush()
    _note_parts(lake, APPLICATION_LOG.name, fresh)
    return store.n_new


def forget_mirrored(lake: Lake) -> None:
    """Has all parts of both logs looked at once more, when rows that were written into one of them may be lost."""
    for name in (EVENTS.name, APPLICATION_LOG.name):
        _note(lake, name).unlink(missing_ok=True)


def _recorded(lake: Lake, users: pl.Series) -> Iterator[pl.DataFrame]:
    """The events of each type for these users (sorted)."""
    columns = ["event_id", "user_id", "occurred_at", "event_type", "application_id", "job_id", "state", "action"]
    told = rows_of_users(users, lake.scan("bronze", APPLICATION_LOG).select(columns)).collect()
    log = told.filter(~_IS_MIRRORED)
    # An answer comes days after the application: with an event of its own it would count twice.
    logged = told.filter(_IS_MIRRORED, pl.col("state") == _OPENED["apply"]).select("user_id", "job_id")
    jobs = (
        log.select("user_id", "application_id", of_application="job_id")
        .drop_nulls()
        .unique(["user_id", "application_id"], keep="any")
    )
    named = (
        log.join(jobs, on=["user_id", "application_id"], how="left")
        .with_columns(job_id=pl.coalesce("job_id", "of_application"))
        .drop_nulls("job_id")
    )
    for event_type, (is_shown, salt) in _RECORDED.items():
        rows = _first(named.filter(is_shown), event_type, salt)
        if event_type == RECORDED_APPLICATION:
            rows = rows.join(logged, on=["user_id", "job_id"], how="anti", maintain_order="left")
        yield rows


def _first(told: pl.DataFrame, event_type: str, salt: str) -> pl.DataFrame:
    """An event for each user and job, at the time of the first row."""
    first = told.group_by("user_id", "job_id").agg(pl.col("occurred_at").min()).sort("user_id", "job_id")
    pairs = first.select(pl.concat_str("user_id", "job_id", separator="\0")).to_series()
    event_id = pl.format("{}{}", pl.lit(_FROM_APPLICATION), pl.Series(stable_hash(pairs, salt)))
    return first.with_columns(event_id=event_id, event_type=pl.lit(event_type))


def _of_at_most(parts: Sequence[Path], n_rows: int) -> Iterator[list[Path]]:
    """The parts in groups of about so many rows; a larger part is a group of its own."""
    group: list[Path] = []
    n_held = 0
    for part in parts:
        n = pq.read_metadata(part).num_rows
        if group and n_held + n > n_rows:
            yield group
            group, n_held = [], 0
        group.append(part)
        n_held += n
    if group:
        yield group


def _new_parts(lake: Lake, name: str) -> list[Path]:
    """The parts of a bronze table that were not looked at yet. Merged ones are looked at once more."""
    seen = {str(one) for one in read_note(_note(lake, name), list) or []}
    return [path for path in lake.files("bronze", name) if path.name not in seen]


def _note_parts(lake: Lake, name: str, fresh: list[Path]) -> None:
    """Notes what was looked at, after the rows are stored: a run that dies before looks at the parts once more."""
    known = [path.name for path in lake.files("bronze", name)]
    new = set(_new_parts(lake, name)) - set(fresh)  # they came meanwhile
    names = sorted(set(known) - {path.name for path in new})
    write_bytes(_note(lake, name), json.dumps(names).encode())


def _note(lake: Lake, name: str) -> Path:
    return lake.root / "bronze" / f".mirrored-{name}.json"
