"""How often employers answer follow-ups, by sequence, step, template and waiting time, and which wait is best."""

import datetime as dt

import polars as pl

from features.applications.answers import IS_ANSWER
from features.applications.runs import KEY
from features.metrics import MIN_USERS, wilson
from features.schemas.insight import FOLLOW_UP_STATS

ALL = "all"
ANSWER_WITHIN = dt.timedelta(days=14)
# Label -> the first day after it.
_WAITING = {"0-2": 3, "3-4": 5, "5-7": 8, "8-14": 15, "15+": None}
_SECONDS_OF_A_DAY = 86_400.0
# What is read of FOLLOW_UPS and APPLICATION_EVENTS.
READ_OF_FOLLOW_UPS = (*KEY, "sequence", "step", "template", "status", "begins_at", "updated_at")
READ_OF_EVENTS = tuple(dict.fromkeys([*KEY, "occurred_at", *IS_ANSWER.meta.root_names()]))
_GROUP = ["sequence", "step", "template", "waiting"]


def follow_up_stats(follow_ups: pl.DataFrame, timelines: pl.DataFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """FOLLOW_UP_STATS of FOLLOW_UPS and APPLICATION_EVENTS: those that were sent long enough ago to be answered.

    An answer counts for the newest follow-up before it. Groups of fewer than MIN_USERS people are left out.
    """
    sent = _answered(follow_ups, timelines).filter(pl.col("sent_at") + ANSWER_WITHIN <= as_of)
    sliced = pl.concat(
        [
            sent.with_columns(step=pl.lit(0, pl.Int32), template=pl.lit(ALL), waiting=pl.lit(ALL)),
            sent.with_columns(template=pl.lit(ALL), waiting=pl.lit(ALL)),
            sent.with_columns(waiting=pl.lit(ALL)),
            sent.with_columns(template=pl.lit(ALL)),
        ]
    )
    counted = (
        sliced.group_by(_GROUP)
        .agg(
            n_users=pl.col("user_id").n_unique(),
            n_sent=pl.len(),
            n_replies=pl.col("is_answered").sum(),
            median_days=pl.col("days").median(),
            median_wait=pl.col("wait").median(),
        )
        .filter(pl.col("n_users") >= MIN_USERS)
    )
    lower, upper = wilson(pl.col("n_replies"), pl.col("n_sent"))
    table = counted.with_columns(reply_share=pl.col("n_replies") / pl.col("n_sent"), lower=lower, upper=upper)
    rows = table.join(_recommended(table), on=_GROUP, how="left").drop("median_wait")
    return FOLLOW_UP_STATS.conform(rows.select(list(FOLLOW_UP_STATS.columns))).sort(FOLLOW_UP_STATS.key)


def _answered(follow_ups: pl.DataFrame, timelines: pl.DataFrame) -> pl.DataFrame:
    """The follow-ups that were sent: wait in days, its label in `waiting`, is_answered and the days until then."""
    answers = timelines.filter(IS_ANSWER).select(*KEY, answered_at="occurred_at").sort("answered_at")
    sent = (
        follow_ups.filter(pl.col("status") == "sent")
        .with_columns(sent_at="updated_at")
        .sort("sent_at", "sequence", "step")
        .with_columns(next_at=pl.col("sent_at").shift(-1).over(KEY))
        .join_asof(
            answers, left_on="sent_at", right_on="answered_at", by=KEY, strategy="forward", check_sortedness=False
        )
    )
    days = _days(pl.col("answered_at") - pl.col("sent_at"))
    is_in_time = pl.col("answered_at") <= pl.min_horizontal(pl.col("sent_at") + ANSWER_WITHIN, "next_at")
    is_answered = is_in_time.fill_null(value=False)
    return sent.with_columns(
        wait=pl.max_horizontal(_days(pl.col("sent_at") - pl.col("begins_at")), pl.lit(0.0)),
        is_answered=is_answered,
        days=pl.when(is_answered).then(days),
    ).select("user_id", "sequence", "step", "template", "sent_at", "wait", "is_answered", "days", waiting=_label())


def _label() -> pl.Expr:
    label = pl.lit(None, pl.String)
    for name, end in reversed(_WAITING.items()):
        label = pl.lit(name) if end is None else pl.when(pl.col("wait") < end).then(pl.lit(name)).otherwise(label)
    return label


def _days(time: pl.Expr) -> pl.Expr:
    return time.dt.total_seconds() / _SECONDS_OF_A_DAY


def _recommended(table: pl.DataFrame) -> pl.DataFrame:
    """_GROUP and recommended_days of each step whose best waiting time is surely better than the others together."""
    waits = table.filter(pl.col("template") == ALL, pl.col("waiting") != ALL)
    of_step = ["sequence", "step"]
    best = waits.sort("lower", "waiting", descending=[True, False]).unique(of_step, keep="first", maintain_order=True)
    rest = (
        waits.join(best, on=[*of_step, "waiting"], how="anti")
        .group_by(of_step)
        .agg(pl.col("n_sent", "n_replies").sum())
    )
    _, upper = wilson(pl.col("n_replies"), pl.col("n_sent"))
    return (
        best.join(rest.select(*of_step, rest_upper=upper), on=of_step)
        .filter(pl.col("lower") > pl.col("rest_upper"))
        .select(*of_step, template=pl.lit(ALL), waiting=pl.lit(ALL), recommended_days=pl.col("median_wait").round(1))
    )
