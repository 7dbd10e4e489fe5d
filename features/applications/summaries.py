"""What timelines come to: applications, interviews and offers as they stand."""

import datetime as dt
from collections.abc import Mapping

import polars as pl

from features.applications.states import FINAL_STATES, KNOWN_TO_EMPLOYER
from features.schemas.catalog import APPLICATIONS, INTERVIEWS, OFFERS

_KEY = ["user_id", "application_id"]
_LEAST_COMPARED = 10
_SOON = dt.timedelta(days=1)
_OFFER_DEADLINE, _DEADLINE = _OF_A_DAY = ("offer_deadline", "deadline")  # next actions


def applications(
    timelines: pl.DataFrame,
    interviews: pl.DataFrame,
    offers: pl.DataFrame,
    jobs: pl.LazyFrame,
    *,
    silent_after_days: Mapping[str, int],
    as_of: dt.datetime,
) -> pl.DataFrame:
    """APPLICATIONS of APPLICATION_EVENTS, without match_percent. What `jobs` (JOBS) says of the job wins over apps."""
    is_change = pl.col("state").is_not_null() & pl.col("state").ne_missing(pl.col("state_before"))
    is_known = is_change & pl.col("state").is_in(KNOWN_TO_EMPLOYER)
    stands = timelines.group_by(_KEY, maintain_order=True).agg(
        *(pl.col(name).drop_nulls().last() for name in ("job_id", "title", "company", "url")),
        pl.col("state").last(),
        state_since=pl.col("occurred_at").filter(is_change).last(),
        applied_at=pl.col("occurred_at").filter(is_known).first(),
        last_event_at=pl.col("occurred_at").last(),
    )
    of_jobs = (
        jobs.select("job_id", pl.col("title", "company", "url").name.suffix("_of_job"), "company_id")
        .join(stands.lazy().select("job_id").drop_nulls().unique(), on="job_id", how="semi")
        .collect()
    )
    return APPLICATIONS.conform(
        stands.join(of_jobs, on="job_id", how="left", maintain_order="left")
        .join(_next_actions(timelines, interviews, offers, as_of=as_of), on=_KEY, how="left", maintain_order="left")
        .with_columns(
            *(pl.coalesce(f"{name}_of_job", name).alias(name) for name in ("title", "company", "url")),
            is_silent=is_silent(silent_after_days, as_of=as_of),
        )
        .with_columns(_unless_ended("next_action"), _unless_ended("next_action_at"))
        .select(name for name in APPLICATIONS.columns if name != "match_percent")
    )


def is_silent(after_days: Mapping[str, int], *, as_of: dt.datetime) -> pl.Expr:
    """Whether an application (state, last_event_at) is without news for as many days as its state may be."""
    return (silent_at(after_days) <= as_of).fill_null(value=False)


def silent_at(after_days: Mapping[str, int]) -> pl.Expr:
    """From when an application is silent unless there is news: when more than these days have passed."""
    days = pl.col("state").replace_strict(dict(after_days), default=None, return_dtype=pl.Int64)
    return pl.col("last_event_at") + pl.duration(days=days, microseconds=1)


def lapses_at() -> pl.Expr:
    """From when the next action of an application (APPLICATIONS) is past. What is due on a day is so at its end."""
    length = pl.when(pl.col("next_action").is_in(_OF_A_DAY)).then(pl.duration(days=1)).otherwise(pl.duration(days=0))
    return pl.col("next_action_at") + length


def _unless_ended(name: str) -> pl.Expr:
    return pl.when(~pl.col("state").is_in(FINAL_STATES).fill_null(value=False)).then(pl.col(name)).alias(name)


def _next_actions(
    timelines: pl.DataFrame, interviews: pl.DataFrame, offers: pl.DataFrame, *, as_of: dt.datetime
) -> pl.DataFrame:
    """The earliest thing that is still to come of each application, with when."""
    today = pl.lit(as_of.date())
    # The newest deadline of a kind replaces the ones before.
    deadlines = timelines.filter(pl.col("event_type") == "deadline").unique(
        [*_KEY, "kind"], keep="last", maintain_order=True
    )
    reminders = timelines.filter(pl.col("event_type") == "reminder", pl.col("remind_at") > as_of)
    planned = interviews.filter(pl.col("status") == "scheduled", pl.col("starts_at") > as_of)
    open_offers = offers.filter(pl.col("status").is_in(["received", "countered"]), pl.col("deadline") >= today)
    found = [
        planned.select(*_KEY, next_action=pl.lit("interview"), next_action_at="starts_at"),
        _of_day(open_offers.select(*_KEY, day="deadline"), _OFFER_DEADLINE),
        _of_day(deadlines.filter(pl.col("due_date") >= today).select(*_KEY, day="due_date"), _DEADLINE),
        reminders.select(*_KEY, next_action=pl.lit("reminder"), next_action_at="remind_at"),
    ]
    return pl.concat(found).sort("next_action_at", "next_action").unique(_KEY, keep="first", maintain_order=True)


def _of_day(rows: pl.DataFrame, action: str) -> pl.DataFrame:
    at = pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return rows.select(*_KEY, next_action=pl.lit(action), next_action_at=at)


def is_soon(*, as_of: dt.datetime) -> pl.Expr:
    """Whether an interview (INTERVIEWS) begins within a day."""
    is_near = pl.col("starts_at").is_between(as_of, as_of + _SOON, closed="right")
    return (is_near & (pl.col("status") == "scheduled")).fill_null(value=False)


def soon_changes_at() -> list[pl.Expr]:
    """When `is_soon` of an interview that is scheduled becomes true, and false again."""
    return [pl.col("starts_at") - _SOON, pl.col("starts_at")]


def interviews(timelines: pl.DataFrame) -> pl.DataFrame:
    """INTERVIEWS of APPLICATION_EVENTS without is_soon: what was last said of each."""
    return INTERVIEWS.conform(
        timelines.filter(pl.col("event_type") == "interview")
        .group_by(*_KEY, "interview_id", maintain_order=True)
        .agg(
            pl.col("action").last().replace("rescheduled", "scheduled").alias("status"),
            *(
                pl.col(name).drop_nulls().last()
                for name in ("kind", "starts_at", "utc_offset_minutes", "duration_minutes", "outcome", "interviewer")
            ),
            feedback=pl.col("text").drop_nulls().last(),
            revision=pl.len().cast(pl.Int32) - 1,
            updated_at=pl.col("occurred_at").last(),
        )
        .sort(*_KEY, "interview_id")
    )


def offers(timelines: pl.DataFrame) -> pl.DataFrame:
    """OFFERS of APPLICATION_EVENTS without their value: what was last said of each. Pay is taken from one event."""
    pay = pl.struct("salary", "currency", "period").filter(pl.col("salary").is_not_null()).last()
    columns = [name for name in OFFERS.columns if name not in ("monthly_usd", "market_percentile", "n_compared")]
    return OFFERS.conform(
        timelines.filter(pl.col("event_type") == "offer")
        .group_by(*_KEY, "offer_id", maintain_order=True)
        .agg(
            pl.col("action").last().alias("status"),
            pay=pay,
            deadline=pl.col("due_date").drop_nulls().last(),
            updated_at=pl.col("occurred_at").last(),
        )
        .unnest("pay")
        .sort(*_KEY, "offer_id")
        .select(columns)
    )


def market_places(offers: pl.DataFrame, jobs: pl.LazyFrame, of_offers: pl.DataFrame) -> pl.DataFrame:
    """`offers` with the share of open jobs of the same role and country that pay less, equal pay counted half.

    `of_offers` (user_id, application_id, job_id) names the job of each. Under ten salaries there is no share.
    """
    roles = jobs.select("job_id", "country", role=pl.col("professional_roles").list.first())
    mid = pl.mean_horizontal("salary_monthly_usd_min", "salary_monthly_usd_max")
    is_open = (pl.col("status") == "open") & pl.col("duplicate_of").is_null()
    market = (
        jobs.filter(is_open).with_columns(mid=mid).drop_nulls("mid").select("job_id", "mid").join(roles, on="job_id")
    )
    placed = (
        offers.lazy()
        .select(*_KEY, "offer_id", "monthly_usd")
        .drop_nulls("monthly_usd")
        .join(of_offers.lazy(), on=_KEY)
        .join(roles, on="job_id")
    )
    compared = (
        placed.join(market.select("role", "country", "mid"), on=["role", "country"])
        .group_by(*_KEY, "offer_id")
        .agg(
            n_compared=pl.len().cast(pl.Int32),
            share=((pl.col("mid") < pl.col("monthly_usd")) + 0.5 * (pl.col("mid") == pl.col("monthly_usd"))).mean(),
        )
        .collect()
    )
    return OFFERS.conform(
        offers.drop("market_percentile", "n_compared")
        .join(compared, on=[*_KEY, "offer_id"], how="left", maintain_order="left")
        .with_columns(
            market_percentile=pl.when(pl.col("n_compared") >= _LEAST_COMPARED).then("share"),
            n_compared=pl.col("n_compared").fill_null(0),
        )
        .drop("share")
    )


def with_match_percent(applications: pl.DataFrame, exposures: pl.LazyFrame) -> pl.DataFrame:
    """`applications` with the score (EXPOSURES) of the feed that last showed the job up to the application."""
    percent = (100 * pl.col("score")).round().cast(pl.Int16)
    shown = last_shown(applications, exposures).select(*_KEY, match_percent=percent)
    return APPLICATIONS.conform(
        applications.drop("match_percent").join(shown, on=_KEY, how="left", maintain_order="left")
    )


def last_shown(applications: pl.DataFrame, exposures: pl.LazyFrame) -> pl.DataFrame:
    """user_id, application_id, score, recipe, arm of the feed (EXPOSURES) that last showed the job up to it."""
    applied = applications.lazy().select(*_KEY, "job_id", "applied_at").drop_nulls()
    return (
        exposures.select("user_id", "job_id", "shown_at", "score", "recipe", "arm")
        .drop_nulls("score")
        .join(applied, on=["user_id", "job_id"])
        .filter(pl.col("shown_at") <= pl.col("applied_at"))
        .sort("shown_at", "score")
        .unique(_KEY, keep="last", maintain_order=True)
        .select(*_KEY, "score", "recipe", "arm")
        .collect()
    )
