"""Follow-ups of applications: which sequences have begun, when each step is due, and what became of it.

A run is one beginning of a sequence: by an event, an interview or the deadline of an offer, which `ref` names. News of
the application end it. All of it is columns; only time zones, countries, sequences and templates are looped over.
"""

import datetime as dt
from collections.abc import Iterator

import polars as pl

from features.applications.drafts import with_drafts
from features.applications.runs import KEY, RUN, runs
from features.applications.sequences import Plan
from features.applications.working_days import working_day_from, working_days_after
from features.schemas.catalog import FOLLOW_UPS

_UTC = "UTC"
_SENT, _SKIPPED, _CANCELLED, _DUE = "sent", "skipped", "cancelled", "due"
_BY_USER = "user"


def follow_ups(timelines: pl.DataFrame, about: pl.DataFrame, plan: Plan, *, as_of: dt.datetime) -> pl.DataFrame:
    """FOLLOW_UPS of APPLICATION_EVENTS, sorted by key.

    `about`: user_id, application_id, company, role, language (of the draft), country and timezone (either may be null).
    """
    ordered = timelines.sort(*KEY, "position")
    # A number stands for a run: windows and joins by the texts that name it take twice as long.
    begun = runs(ordered, plan, as_of=as_of).with_row_index("run")
    described = begun.join(about, on=KEY, how="left").with_columns(pl.col("timezone").fill_null(_UTC))
    timed = _with_due_times(_steps(_with_days(described), plan), plan)
    judged = _with_status(timed.join(_actions(ordered, begun), on=["run", "step"], how="left"), as_of=as_of)
    n_events = ordered.group_by(KEY).agg(n_events=pl.len())
    rows = judged.join(n_events, on=KEY, how="left").with_columns(
        # It grows with every event that is told, also with a late one, and when the clock alone changes a row.
        revision=2 * pl.col("n_events") + (pl.col("status") == _SKIPPED).cast(pl.Int64),
        is_due=(pl.col("status") == _DUE) & (pl.col("due_at") <= as_of),
    )
    is_open = pl.col("status") == _DUE
    drafted = with_drafts(rows.filter(is_open), plan)
    table = pl.concat([drafted, rows.filter(~is_open)], how="diagonal")
    return FOLLOW_UPS.conform(table.select(list(FOLLOW_UPS.columns))).sort(FOLLOW_UPS.key)


def _with_days(rows: pl.DataFrame) -> pl.DataFrame:
    """Runs with first_day, from which days are counted, and day, which texts name; both of the user's time zone."""
    parts = [
        part.with_columns(
            first_day=pl.col("begins_at").dt.convert_time_zone(zone).dt.date(),
            day=pl.coalesce("deadline", pl.col("opens_at").dt.convert_time_zone(zone).dt.date()),
        )
        for zone, part in _by_zone(rows)
    ]
    empty = rows.clear().with_columns(pl.lit(None, pl.Date).alias(name) for name in ("first_day", "day"))
    return pl.concat([empty, *parts])


def _steps(begun: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """A row for each step of each run, with channel and due_date."""
    steps = pl.DataFrame(
        [
            (
                sequence.name, number, step.template, plan.templates[step.template].channel, step.days,
                sequence.counting, sequence.is_moved,
            )
            for sequence in plan.sequences
            for number, step in enumerate(sequence.steps, start=1)
        ],
        schema={
            "sequence": pl.String, "step": pl.Int32, "template": pl.String, "channel": pl.String,
            "days": pl.Int64, "counting": pl.String, "is_moved": pl.Boolean,
        },
        orient="row",
    )  # fmt: skip
    rows = begun.join(steps, on="sequence")
    counting = pl.col("counting")
    plain = rows.filter(counting != "business_days").with_columns(
        due_date=pl.when(counting == "days_before")
        .then(pl.col("deadline") - pl.duration(days="days"))
        .otherwise(pl.col("first_day") + pl.duration(days="days"))
    )
    moved, kept = plain.filter("is_moved"), plain.filter(~pl.col("is_moved"))
    working = rows.filter(counting == "business_days")
    return pl.concat(
        [
            kept,
            moved.with_columns(due_date=working_day_from(moved["due_date"], moved["country"])),
            working.with_columns(
                due_date=working_days_after(working["first_day"], working["days"], working["country"])
            ),
        ]
    )


def _with_due_times(rows: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Steps with due_at, expires_at and expires_why: the hour of the user's day, and when a step is skipped."""
    parts = []
    for zone, part in _by_zone(rows):
        hour, midnight = _instant("due_date", plan.due_hour, zone), _instant("deadline", 24, zone)
        parts.append(part.with_columns(due_at=hour, deadline_ends_at=midnight))
    empty = rows.clear().with_columns(
        pl.lit(None, pl.Datetime("us", _UTC)).alias(name) for name in ("due_at", "deadline_ends_at")
    )
    # A deadline that was told late leaves less time than the step asks for.
    due_at = pl.max_horizontal("due_at", "begins_at")
    next_at = pl.when(pl.col("run").shift(-1) == pl.col("run")).then(pl.col("due_at").shift(-1))
    last_at = pl.min_horizontal(pl.col("due_at") + pl.duration(days=plan.expire_after_days), "deadline_ends_at")
    return (
        pl.concat([empty, *parts])
        .sort("run", "step")
        .with_columns(due_at=due_at)
        .with_columns(expires_at=pl.min_horizontal(next_at, last_at), next_at=next_at)
        .with_columns(
            expires_why=pl.when(pl.col("next_at") == pl.col("expires_at"))
            .then(pl.lit("next_step"))
            .otherwise(pl.lit("expired"))
        )
    )


def _instant(date: str, hour: int, zone: str) -> pl.Expr:
    """The hour of the day in the time zone; the next one where clocks leave it out."""
    local = pl.col(date).cast(pl.Datetime("us")) + pl.duration(hours=hour)

    def at(time: pl.Expr) -> pl.Expr:
        return time.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone(_UTC)

    return pl.coalesce(at(local), at(local + pl.duration(hours=1)))


def _by_zone(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for (zone,), part in rows.group_by("timezone", maintain_order=True):
        yield str(zone), part


def _actions(ordered: pl.DataFrame, begun: pl.DataFrame) -> pl.DataFrame:
    """What the user last did with a step of a run: run, step, action, acted_at.

    An event names sequence and step; it is about the newest run of the sequence that was open then.
    """
    told = ordered.filter(pl.col("event_type") == "follow_up").select(
        *KEY, "sequence", "step", "action", "position", acted_at="occurred_at"
    )
    candidates = begun.filter(pl.col("off_why").ne_missing("interview_cancelled")).select("run", *RUN, "opens_at")
    return (
        told.sort("acted_at", "position")
        .join_asof(
            candidates.sort("opens_at", "ref"), left_on="acted_at", right_on="opens_at", by=[*KEY, "sequence"],
            strategy="backward", check_sortedness=False,
        )
        .drop_nulls("ref")
        .unique(["run", "step"], keep="last", maintain_order=True)
        .select("run", "step", "action", "acted_at")
    )  # fmt: skip


def _with_status(rows: pl.DataFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """Steps with status, why and updated_at.

    First counts what the user did with the step. Else the first of these: news, or the user's cancelling of an earlier
    step, cancel it; the next step or time make it skipped.
    """
    stopped = pl.when(pl.col("action") == _CANCELLED).then("acted_at")
    stopped_at = stopped.cum_min().forward_fill().shift(1).over("run", order_by="step")
    ended = rows.with_columns(stopped_at=stopped_at).with_columns(
        closed_at=pl.min_horizontal("end_at", "stopped_at"),
        close_why=pl.when(pl.col("end_at") <= pl.col("stopped_at").fill_null(pl.col("end_at")))
        .then("end_why")
        .otherwise(pl.lit(_BY_USER)),
    )
    has_acted = pl.col("action").is_not_null()
    is_closed = pl.col("closed_at") < pl.col("expires_at")
    is_skipped = pl.col("expires_at") <= as_of

    def first(acted: pl.Expr, closed: pl.Expr, skipped: pl.Expr, otherwise: pl.Expr) -> pl.Expr:
        return (
            pl.when(has_acted)
            .then(acted)
            .when(is_closed)
            .then(closed)
            .when(is_skipped)
            .then(skipped)
            .otherwise(otherwise)
        )

    return ended.with_columns(
        status=first(pl.col("action"), pl.lit(_CANCELLED), pl.lit(_SKIPPED), pl.lit(_DUE)),
        why=first(pl.lit(_BY_USER), pl.col("close_why"), pl.col("expires_why"), pl.col("begun_by")),
        updated_at=first(pl.col("acted_at"), pl.col("closed_at"), pl.col("expires_at"), pl.col("told_at")),
    )
