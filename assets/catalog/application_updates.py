"""Which users' applications a run computes again, and how their rows replace the old ones, see increments.py."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from assets.catalog.job_changes import jobs_since
from assets.erasing.requests import Erasures
from assets.increments import PARTIAL, LayeredTable, Upkeep, changed_since, mark_of
from assets.lake import Lake, content_hash
from assets.parts import unseen
from features.applications.summaries import is_silent
from features.interactions import CLOCK_SKEW
from features.schemas.bronze import APPLICATION_LOG
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS
from features.schemas.table import Table

_STAGE = "catalog"
_KEY = ["user_id", "application_id"]
_NO_APPLICATIONS = pl.DataFrame(schema=dict.fromkeys(_KEY, pl.String))
_NOBODY = _NO_APPLICATIONS["user_id"]


@dataclass(frozen=True)
class Beside:
    """What a table is made of beside timelines; only daily runs look whether it changed.

    `marks`: what it is now, for a later run. `users_since` gets what the table was made of, with `marks` as `beside`;
    it returns the users whose rows may differ, None if they are not known.
    """

    marks: Mapping[str, Any]
    users_since: Callable[[Mapping[str, Any]], pl.Series | None]


_NOTHING = Beside({}, lambda _: _NOBODY)


def user_table(lake: Lake, table: Table, upkeep: Upkeep = PARTIAL) -> LayeredTable:
    """A table of applications, whose rows are replaced user by user."""
    return LayeredTable(lake, _STAGE, table, ("user_id",), upkeep)


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
    rows_of: Callable[[pl.DataFrame, pl.Series | None], pl.DataFrame],
    *,
    as_of: dt.datetime,
    upkeep: Upkeep,
    also: Callable[[], pl.DataFrame] = _NO_APPLICATIONS.clear,
    beside: Beside = _NOTHING,
    settings: str = "",
) -> int:
    """Brings a table that is made of timelines up to date; returns its number of rows.

    `rows_of` gets the timelines and their users, None for all. Computed are users whose timelines changed, the
    applications in `also` (user_id, application_id), or all of their users, and in a daily run the users of `beside`;
    everything if these are not known, or if `settings` are other ones.
    """
    stored = user_table(lake, table, upkeep)
    with stored.lock():
        now: dict[str, Any] = {
            "events": mark_of(lake, _STAGE, APPLICATION_EVENTS.name),
            "until": as_of.isoformat(),
            "settings": settings,
            "beside": beside.marks,
        }
        before, users = stored.made_of, None
        if before is not None and before["settings"] == settings and before["until"] <= now["until"]:
            users = changed_since(lake, _STAGE, APPLICATION_EVENTS.name, before["events"], "user_id")
            others = beside.users_since(before) if upkeep.kind == "daily" else _NOBODY
            users = pl.concat([users, others]) if users is not None and others is not None else None
        if before is not None and users is not None and upkeep.kind == "daily":
            return _fold_applications(stored, rows_of, users, also(), now)
        if before is not None and users is not None:
            now["beside"] = before["beside"]
            users = pl.concat([users, also()["user_id"]]).unique().sort()
        timelines = of_users(lake.scan(_STAGE, APPLICATION_EVENTS), users).collect()
        return put_rows(stored, rows_of(timelines, users), users, now)


def _fold_applications(
    stored: LayeredTable,
    rows_of: Callable[[pl.DataFrame, pl.Series | None], pl.DataFrame],
    users: pl.Series,
    applications: pl.DataFrame,
    made_of: Mapping[str, Any],
) -> int:
    """Computes all applications of `users` and the single `applications`: a day passes for many users, who have many.

    Returns the number of rows of the table.
    """
    lake, all_users = stored.lake, users.unique()
    own = [of_users(lake.scan(_STAGE, table).select(_KEY), all_users) for table in (APPLICATION_EVENTS, stored.table)]
    wanted = pl.concat([*own, applications.lazy().select(_KEY)]).unique().collect()
    timelines = lake.scan(_STAGE, APPLICATION_EVENTS).join(wanted.lazy(), on=_KEY, how="semi", maintain_order="left")
    rows = rows_of(timelines.collect(), wanted["user_id"].unique().sort())
    return stored.fold(rows, wanted, made_of)


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
