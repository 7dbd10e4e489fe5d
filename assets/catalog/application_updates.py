"""Which users' applications a run computes again, and how their rows replace the old ones, see increments.py."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from assets.erasing.requests import Erasures
from assets.increments import LayeredTable, changed_since, mark_of
from assets.lake import Lake, content_hash
from features.applications.summaries import is_silent
from features.interactions import CLOCK_SKEW
from features.schemas.bronze import APPLICATION_LOG
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS
from features.schemas.table import Table

_STAGE = "catalog"
_NOBODY = pl.Series("user_id", [], pl.String)


def user_table(lake: Lake, table: Table) -> LayeredTable:
    """A table of applications, whose rows are replaced user by user."""
    return LayeredTable(lake, _STAGE, table, by=("user_id",))


def of_users(rows: pl.LazyFrame, users: pl.Series | None) -> pl.LazyFrame:
    """The rows of these users, of all if they are None."""
    return rows if users is None else rows.filter(pl.col("user_id").is_in(users.implode()))


def put_rows(stored: LayeredTable, rows: pl.DataFrame, users: pl.Series | None, made_of: Mapping[str, Any]) -> int:
    """Puts the rows of `users`, or of all, in the place of those they had; returns the number of rows of the table."""
    if users is None:
        return stored.replace(rows, made_of)
    old = of_users(stored.lake.scan(_STAGE, stored.table).select("user_id"), users).collect()
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
    known = set(before["parts"])
    if until < since or not known <= set(now["parts"]):
        return None
    parts = lake.files("bronze", APPLICATION_LOG.name)
    fresh = [path for path in parts if path.name not in known]
    # An event of the future takes effect when its time comes.
    due = lake.scan("bronze", APPLICATION_LOG).filter(pl.col("occurred_at") > since, pl.col("occurred_at") <= until)
    found = [due] + ([pl.scan_parquet(fresh, hive_partitioning=False, glob=False)] if fresh else [])
    users = [rows.select("user_id").collect()["user_id"] for rows in found]
    erased = [erasures.requests["user_id"]] if before["erasures"] != now["erasures"] else []
    return pl.concat([_NOBODY, *users, *erased]).unique().sort()


def refresh(
    lake: Lake,
    table: Table,
    rows_of: Callable[[pl.DataFrame, pl.Series | None], pl.DataFrame],
    *,
    as_of: dt.datetime,
    only_changes: bool,
    also: Callable[[], pl.Series] = lambda: _NOBODY,
    settings: str = "",
) -> int:
    """Brings a table that is made of timelines up to date; returns its number of rows.

    `rows_of` gets the timelines and the users to compute, None for all. `only_changes`: users whose timelines changed
    and those in `also`, if that is known, and `settings` are those of the run before.
    """
    stored = user_table(lake, table)
    with stored.lock():
        now = {
            "events": mark_of(lake, _STAGE, APPLICATION_EVENTS.name),
            "until": as_of.isoformat(),
            "settings": settings,
        }
        before, users = stored.made_of, None
        is_known = before is not None and before.get("settings", "") == settings
        if only_changes and before is not None and is_known and before["until"] <= now["until"]:
            users = changed_since(lake, _STAGE, APPLICATION_EVENTS.name, before["events"], "user_id")
        if users is not None:
            users = pl.concat([users, also()]).unique().sort()
        timelines = of_users(lake.scan(_STAGE, APPLICATION_EVENTS), users).collect()
        return put_rows(stored, rows_of(timelines, users), users, now)


def users_with_news_of_the_clock(lake: Lake, silent_after_days: Mapping[str, int], *, as_of: dt.datetime) -> pl.Series:
    """The users of whom something became due or an application fell silent, though nothing was told."""
    fell_silent = is_silent(silent_after_days, as_of=as_of) & ~pl.col("is_silent")
    is_past = (pl.col("next_action_at") <= as_of).fill_null(value=False)
    stored = lake.scan(_STAGE, APPLICATIONS).filter(is_past | fell_silent)
    return stored.select(pl.col("user_id").unique()).collect()["user_id"]
