"""Whether and how soon employers answer applications, by company. Groups of fewer than ten people are left out."""

import datetime as dt

import polars as pl

from features.applications.runs import KEY, NEWS_OF
from features.applications.sequences import REPLY_IN
from features.applications.states import BY_EMPLOYER
from features.metrics import MIN_USERS

ANSWER_DAYS = 30  # an answer that comes later counts as none; younger applications do not count yet
HISTORY_DAYS = 365
COMPANY_ANSWERS = ("company_id", "n_applications", "answer_share", "answer_days_median")
_SECONDS_OF_A_DAY = 86_400.0
# Which of APPLICATION_EVENTS are answers of the employer: a message, a state that employers bring about, an interview
# that is scheduled or moved, an offer.
IS_ANSWER = (
    NEWS_OF[REPLY_IN]
    | (NEWS_OF["state"] & pl.col("state").is_in(BY_EMPLOYER))
    | NEWS_OF["interview"]
    | NEWS_OF["offer"]
)
# Who accepts or declines was answered before, also if nobody told of the offer.
_SHOWS_ANSWER = IS_ANSWER | (NEWS_OF["state"] & pl.col("state").is_in(["accepted", "declined"]))


def company_answers(applications: pl.LazyFrame, timelines: pl.LazyFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """COMPANY_ANSWERS of APPLICATIONS and APPLICATION_EVENTS: of applications of the last year that are a month old.

    The median is over the applications that were answered within 30 days.
    """
    latest = as_of - dt.timedelta(days=ANSWER_DAYS)
    counted = applications.filter(
        pl.col("company_id").is_not_null(),
        pl.col("applied_at").is_between(as_of - dt.timedelta(days=HISTORY_DAYS), latest),
    ).select(*KEY, "company_id", "applied_at")
    first = (
        timelines.filter(_SHOWS_ANSWER)
        .join(counted, on=KEY)
        .filter(
            pl.col("occurred_at").is_between(
                pl.col("applied_at"), pl.col("applied_at") + dt.timedelta(days=ANSWER_DAYS)
            )
        )
        .group_by(KEY)
        .agg(answered_at=pl.col("occurred_at").min())
    )
    days = (pl.col("answered_at") - pl.col("applied_at")).dt.total_seconds() / _SECONDS_OF_A_DAY
    return (
        counted.join(first, on=KEY, how="left")
        .group_by("company_id")
        .agg(
            n_users=pl.col("user_id").n_unique(),
            n_applications=pl.len().cast(pl.Int64),
            answer_share=pl.col("answered_at").is_not_null().mean().round(6),
            answer_days_median=days.median().round(2),
        )
        .filter(pl.col("n_users") >= MIN_USERS)
        .select(COMPANY_ANSWERS)
        .sort("company_id")
        .collect()
    )
