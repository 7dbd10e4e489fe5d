"""Selects the users whose digest is due, and the jobs of their feeds that go into it. Renders nothing."""

import datetime as dt
from zoneinfo import ZoneInfo

import polars as pl

from assets.config.pipeline import DigestSettings
from features.schemas.insight import DIGEST_ITEMS

_DEFAULT_TIMEZONE = "UTC"
_WEEKLY_DIGEST_WEEKDAY = 1  # Monday, ISO


def due_users(users: pl.LazyFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """Users whose digest is due on their local date: daily ones always, weekly ones on Mondays.

    Columns: user_id, language, digest_date (in the user's time zone); sorted by user_id.
    """
    subscribed = (
        users.filter(pl.col("digest_frequency").is_in(["daily", "weekly"]))
        .select("user_id", "language", "digest_frequency", pl.col("timezone").fill_null(_DEFAULT_TIMEZONE))
        .collect()
    )
    zones = subscribed["timezone"].unique().to_list()
    dates = pl.DataFrame(
        {"timezone": zones, "digest_date": [_local_date(as_of, zone) for zone in zones]},
        schema={"timezone": pl.String, "digest_date": pl.Date},
    )
    is_due = (pl.col("digest_frequency") == "daily") | (pl.col("digest_date").dt.weekday() == _WEEKLY_DIGEST_WEEKDAY)
    return (
        subscribed.join(dates, on="timezone")
        .filter(is_due)
        .select("user_id", pl.col("language").fill_null("en"), "digest_date")
        .sort("user_id")
    )


def digest_items(
    due: pl.DataFrame,
    feeds: pl.LazyFrame,
    jobs: pl.LazyFrame,
    sent: pl.LazyFrame,
    *,
    as_of: dt.datetime,
    settings: DigestSettings,
    company_cap: int,
) -> pl.DataFrame:
    """The items of each due digest: new since the user's last one, not sent recently, at most `company_cap` a company.

    `sent`: DIGEST_ITEMS of earlier runs. Columns: user_id, place (from 1), rank, job_id, score, reasons,
    total_new_jobs, total_matches.
    """
    recent = sent.filter(pl.col("made_at") >= as_of - dt.timedelta(days=settings.not_again_within_days))
    last = sent.group_by("user_id").agg(pl.col("made_at").max().alias("last_made_at"))
    cards = jobs.filter(pl.col("status") == "open").select("job_id", "company_id", "first_seen_at")
    candidates = (
        feeds.join(due.lazy().select("user_id"), on="user_id", how="semi")
        .select("user_id", "items")
        .explode("items")
        .unnest("items")
        .filter(~pl.col("seen"), ~pl.col("explored"))
        .select("user_id", "rank", "job_id", "score", "reasons")
        .join(cards, on="job_id")
        .join(last, on="user_id", how="left")
        .filter(pl.col("last_made_at").is_null() | (pl.col("first_seen_at") > pl.col("last_made_at")))
        .join(recent, on=["user_id", "job_id"], how="anti")
        .with_columns(is_match=(pl.col("score") * 100).round() >= settings.min_match_percent)
        .sort("user_id", "rank")
        .with_columns(
            total_new_jobs=pl.len().over("user_id").cast(pl.Int32),
            total_matches=pl.col("is_match").sum().over("user_id").cast(pl.Int32),
        )
        .filter(pl.col("is_match"))
        .with_columns(
            of_company=pl.int_range(pl.len()).over("user_id", pl.col("company_id").fill_null(pl.col("job_id")))
        )
        .filter(pl.col("of_company") < company_cap)
        .with_columns(place=pl.int_range(1, pl.len() + 1).over("user_id"))
        .filter(pl.col("place") <= settings.items)
    )
    columns = ["user_id", "place", "rank", "job_id", "score", "reasons", "total_new_jobs", "total_matches"]
    return candidates.select(columns).sort("user_id", "place").collect()


def sent_items(items: pl.DataFrame, due: pl.DataFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """The items of a run's digests as DIGEST_ITEMS."""
    dated = items.join(due.select("user_id", "digest_date"), on="user_id").with_columns(made_at=pl.lit(as_of))
    return DIGEST_ITEMS.conform(dated.select(list(DIGEST_ITEMS.columns))).sort(DIGEST_ITEMS.key)


def _local_date(as_of: dt.datetime, zone: str) -> dt.date:
    try:
        return as_of.astimezone(ZoneInfo(zone)).date()
    except (KeyError, ValueError, OSError):
        # The app may give an unknown time zone. UTC then decides, so that the digest is still made.
        return as_of.date()
