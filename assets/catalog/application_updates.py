"""Which users' applications a run computes again, and how their rows replace the old ones, see increments.py."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from assets.catalog.job_changes import jobs_since
from assets.erasing.requests import Erasures
from assets.increments import PARTIAL, LayeredTable, Upkeep, changed_since, mark_of
from assets.lake import Lake, content_hash
from assets.parts import unseen
from assets.user_rows import blocks_of_users, rows_of_users
from features.applications.summaries import is_silent
from features.interactions import CLOCK_SKEW
from features.schemas.bronze import APPLICATION_LOG
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS
from features.schemas.table import Table

_STAGE = "catalog"
_KEY = ["user_id", "application_id"]
_NO_APPLICATIONS = pl.DataFrame(schema=dict.fromkeys(_KEY, pl.String))
_NOBODY = _NO_APPLICATIONS["user_id"]
# So that memory is bounded. The log of applications is read once for every so many users.
USERS_AT_ONCE = 50_000
RowsOf = Callable[[pl.DataFrame, pl.Series], pl.DataFrame]  # of timelines and of their users, sorted


@dataclass(frozen=True)
class Beside:
    """What a table is made of beside timelines; only daily runs look whether it changed, apart from `settings`.

    `marks`: what it is now, for a later run. `users_since` gets what the table was made of, with `marks` as `beside`;
    it returns the users whose rows may differ, None if they are not known. Other `settings` change all rows.
    """

    marks: Mapping[str, Any]
    users_since: Callable[[Mapping[str, Any]], pl.Series | None]
    settings: str = ""


_NOTHING = Beside({}, lambda _: _NOBODY)


def user_table(lake: Lake, table: Table, upkeep: Upkeep = PARTIAL) -> LayeredTable:
    """A table of applications, whose rows are replaced user by user."""
    return LayeredTable(lake, _STAGE, table, ("user_id",), upkeep)


def put_rows(
    stored: LayeredTable, frames: Iterable[pl.DataFrame], users: pl.Series | None, made_of: Mapping[str, Any]
) -> int:
    """Puts the rows of `users` (sorted), or of all, in the place of those they had; returns the table's number of rows.

    The frames follow each other in the order of the key. Those of all users are written one after the other.
    """
    if users is None:
        return stored.replace_by_frames(frames, made_of)
    rows = pl.concat([stored.table.empty(), *frames])
    old = rows_of_users(users, stored.lake.scan(_STAGE, stored.table).select("user_id")).collect()
    return stored.add(rows, old.join(rows, on="user_id", how="anti"), made_of, n_rows_before=len(old))


def log_made_of(lake: Lake, erasures: Erasures, settings: str, *, as_of: dt.datetime) -> dict[str, Any]:
    """What timelines are made of."""
    return {
        "settings": settings,
        "erasures": content_hash(erasures.requests.sort("user_id", "requested_at")),
        "until": (as_of + CLOCK_SKEW).isoformat(),
        "parts": [path.name for path in lake.files("bronze", APPLICATION_LOG.name)],
    }


def users_of_new_events(
    lake: Lake, erasures: Erasures, before: Mapping[str, Any] | None, now: Mapping[str, Any]
) -> pl.Series | None:
    """The users whose timelines may differ; None if they are not known."""
    if before is None or before["settings"] != now["settings"]:
        return None
    since, until = (dt.datetime.fromisoformat(made_of["until"]) for made_of in (before, now))
    fresh = unseen(lake.files("bronze", APPLICATION_LOG.name), before["parts"])
    if until < since or fresh is None:
        return None
    # An event of the future takes effect when its time comes.
    due = lake.scan("bronze", APPLICATION_LOG).filter(pl.col("occurred_at") > since, pl.col("occurred_at") <= until)
    found = [due] + ([pl.scan_parquet(fresh, hive_partitioning=False, glob=False)] if fresh else [])
    users = [rows.select("user_id").collect()["user_id"] for rows in found]
    erased = [erasures.requests["user_id"]] if before["erasures"] != now["erasures"] else []
    return pl.concat([_NOBODY, *users, *erased]).unique().sort()


def refresh(
    lake: Lake,
    table: Table,
    rows_of: RowsOf,
    *,
    as_of: dt.datetime,
    upkeep: Upkeep,
    also: Callable[[], pl.DataFrame] = _NO_APPLICATIONS.clear,
    beside: Beside = _NOTHING,
    users_at_once: int = USERS_AT_ONCE,
) -> int:
    """Brings a table that is made of timelines up to date; returns its number of rows.

    `rows_of` gets the timelines of so many users at once, and these users. Computed are users whose timelines changed,
    the applications in `also` (user_id, application_id), or all of their users, and in a daily run the users of
    `beside`; everything if these are not known.
    """
    stored = user_table(lake, table, upkeep)
    with stored.lock():
        now: dict[str, Any] = {
            "events": mark_of(lake, _STAGE, APPLICATION_EVENTS.name),
            "until": as_of.isoformat(),
            "settings": beside.settings,
            "beside": beside.marks,
        }
        before, users = stored.made_of, None
        if before is not None and before["settings"] == now["settings"] and before["until"] <= now["until"]:
            users = changed_since(lake, _STAGE, APPLICATION_EVENTS.name, before["events"], "user_id")
            others = beside.users_since(before) if upkeep.kind == "daily" else _NOBODY
            users = pl.concat([users, others]) if users is not None and others is not None else None
        if before is not None and users is not None and upkeep.kind == "daily":
            return _fold_applications(stored, rows_of, users, also(), now, users_at_once=users_at_once)
        if before is not None and users is not None:
            now["beside"] = before["beside"]
            users = pl.concat([users, also()["user_id"]]).unique().sort()
        everybody = lake.scan(_STAGE, APPLICATION_EVENTS)
        whose = everybody.select(pl.col("user_id").unique()).collect()["user_id"] if users is None else users
        blocks = blocks_of_users(whose, at_once=users_at_once)
        frames = (rows_of(rows_of_users(block, everybody).collect(), block) for block in blocks)
        return put_rows(stored, frames, users, now)


def _fold_applications(
    stored: LayeredTable,
    rows_of: RowsOf,
    users: pl.Series,
    applications: pl.DataFrame,
    made_of: Mapping[str, Any],
    *,
    users_at_once: int,
) -> int:
    """Computes all applications of `users` and the single `applications`: a day passes for many users, who have many.

    Returns the number of rows of the table.
    """
    lake, all_users = stored.lake, users.unique().sort()
    tables = (APPLICATION_EVENTS, stored.table)
    own = [rows_of_users(all_users, lake.scan(_STAGE, table).select(_KEY)) for table in tables]
    wanted = pl.concat([*own, applications.lazy().select(_KEY)]).unique().collect()
    rows = [stored.table.empty()]
    for block in blocks_of_users(wanted["user_id"], at_once=users_at_once):
        timelines = rows_of_users(block, lake.scan(_STAGE, APPLICATION_EVENTS))
        told = timelines.join(wanted.lazy(), on=_KEY, how="semi", maintain_order="left").collect()
        rows.append(rows_of(told, block))
    return stored.fold(pl.concat(rows), wanted, made_of)


def applications_with_news_of_the_clock(
    lake: Lake, silent_after_days: Mapping[str, int], *, as_of: dt.datetime
) -> pl.DataFrame:
    """user_id, application_id of those of which something became due or which fell silent, though nothing was told."""
    fell_silent = is_silent(silent_after_days, as_of=as_of) & ~pl.col("is_silent")
    is_past = (pl.col("next_action_at") <= as_of).fill_null(value=False)
    return lake.scan(_STAGE, APPLICATIONS).filter(is_past | fell_silent).select(_KEY).collect()


def users_of_changed_jobs(lake: Lake, mark: Mapping[str, Any] | None) -> pl.Series | None:
    """The users who applied to a job of which something else is said since `mark`; None if that is not known."""
    jobs = jobs_since(lake, mark, "described_in")
    if jobs is None:
        return None
    of_jobs = lake.scan(_STAGE, APPLICATIONS).filter(pl.col("job_id").is_in(jobs.implode()))
    return of_jobs.select(pl.col("user_id").unique()).collect()["user_id"]
