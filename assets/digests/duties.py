"""What digests say of the user's own applications: what to write, which interviews come, what must be answered."""

import datetime as dt

import polars as pl

from assets.lake import Lake
from assets.user_rows import rows_of_users
from features.schemas.catalog import APPLICATIONS, FOLLOW_UPS, INTERVIEWS, USERS

# How far a digest looks ahead. A follow-up that is due stays until it was sent or skipped.
_AHEAD = {"follow_up": dt.timedelta(days=1), "interview": dt.timedelta(days=3), "deadline": dt.timedelta(days=4)}
_MOST = 6
_STAGE, _UTC = "catalog", "UTC"
_KEY = ["user_id", "application_id"]
DUTIES = pl.List(pl.Struct({"kind": pl.String, "about": pl.String, "day": pl.Date, "time": pl.String}))


def with_duties(due: pl.DataFrame, lake: Lake) -> pl.DataFrame:
    """`due` (user_id, sorted, and send_at) with duties: a list of what the user has to do then, the earliest first.

    `kind` is follow_up, interview, deadline or offer_deadline; `day` and `time` are of the user's time zone, `time` is
    null for what has none.
    """

    def of(rows: pl.LazyFrame, at: str, kind: str) -> pl.LazyFrame:
        return rows.join(sent, on="user_id").filter(pl.col(at) <= pl.col("send_at") + _AHEAD[kind])

    sent = due.lazy().select("user_id", "send_at")  # up to a day after the run that builds it
    applications, follow_ups, interviews = (
        rows_of_users(due["user_id"], lake.scan(_STAGE, table)) for table in (APPLICATIONS, FOLLOW_UPS, INTERVIEWS)
    )
    is_deadline = pl.col("next_action").is_in(["deadline", "offer_deadline"])
    is_ahead = pl.col("starts_at") > pl.col("send_at")
    rows = pl.concat(
        [
            of(follow_ups.filter(pl.col("status") == "due"), "due_at", "follow_up").select(
                *_KEY, kind=pl.lit("follow_up"), at="due_at"
            ),
            of(interviews.filter(pl.col("status") == "scheduled"), "starts_at", "interview")
            .filter(is_ahead)
            .select(*_KEY, kind=pl.lit("interview"), at="starts_at"),
            of(applications.filter(is_deadline), "next_action_at", "deadline").select(
                *_KEY, kind="next_action", at="next_action_at"
            ),
        ]
    )
    about = pl.concat_str("title", "company", separator=", ", ignore_nulls=True)
    named = (
        rows.join(applications.select(*_KEY, about=about), on=_KEY, how="left")
        .join(lake.scan(_STAGE, USERS).select("user_id", "timezone"), on="user_id", how="left")
        .collect()
    )
    listed = (
        _local(named)
        .sort("user_id", "at", "kind", "application_id")
        .group_by("user_id", maintain_order=True)
        .agg(duties=pl.struct("kind", "about", "day", "time").head(_MOST))
    )
    return due.join(listed, on="user_id", how="left", maintain_order="left").with_columns(
        pl.col("duties").fill_null(pl.lit([], DUTIES)).cast(DUTIES)
    )


def _local(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with day and time. A deadline is a day of its own, whatever the time zone."""
    parts = [rows.clear().with_columns(day=pl.lit(None, pl.Date), time=pl.lit(None, pl.String))]
    is_day = pl.col("kind").is_in(["deadline", "offer_deadline"])
    for (zone,), part in rows.group_by(pl.col("timezone").fill_null(_UTC).alias("zone"), maintain_order=True):
        local = pl.col("at").dt.convert_time_zone(str(zone))
        parts.append(
            part.with_columns(
                day=pl.when(is_day).then(pl.col("at").dt.date()).otherwise(local.dt.date()),
                time=pl.when(pl.col("kind") == "interview").then(local.dt.strftime("%H:%M")),
            )
        )
    return pl.concat(parts)
