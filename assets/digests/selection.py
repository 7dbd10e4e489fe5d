"""Selects the users whose digest is due, and the jobs of their feeds that go into it. Renders nothing."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from assets.config.pipeline import DigestSettings
from features.schemas.insight import DIGEST_ITEMS
from features.schemas.table import UTC_TIMESTAMP, Dtype
from features.text.normalise import company_key
from features.users.merging import DIGEST_HOUR

COMPANY_CAP = 3
BUILT_AHEAD = dt.timedelta(days=1)  # a run builds the digests of this time, each for its user's own hour
_ITEM_COLUMNS = ("user_id", "place", "rank", "job_id", "score", "reasons", "total_new_jobs", "total_matches")
ITEM_FIELDS = ("rank", "job_id", "score", "seen", "explored", "reasons")
_DEFAULT_TIMEZONE = "UTC"
_WEEKLY_DIGEST_WEEKDAY = 1  # Monday, ISO


def due_users(users: pl.LazyFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """Users whose hour comes within a day of `as_of`: daily ones always, weekly ones on their local Mondays.

    Columns: user_id, language, country, digest_date (in the user's time zone), send_at (the user's hour on that date);
    sorted by user_id.
    """
    subscribed = (
        users.filter(pl.col("digest_frequency").is_in(["daily", "weekly"]))
        .select(
            "user_id",
            pl.col("language").fill_null("en"),
            "country",
            "digest_frequency",
            "digest_hour",
            "timezone",
        )
        .collect()
    )
    local = ["timezone", "digest_hour"]
    times = subscribed.select(local).unique()
    rows = [(*key, *_next_digest(as_of, *key)) for key in times.iter_rows()]
    schema: Mapping[str, Dtype] = {
        "timezone": pl.String,
        "digest_hour": pl.Int8,
        "digest_date": pl.Date,
        "send_at": UTC_TIMESTAMP,
    }
    due = subscribed.join(pl.DataFrame(rows, schema=dict(schema), orient="row"), on=local, nulls_equal=True)
    is_weekday = pl.col("digest_date").dt.weekday() == _WEEKLY_DIGEST_WEEKDAY
    return (
        due.filter(pl.col("send_at") < as_of + BUILT_AHEAD, (pl.col("digest_frequency") == "daily") | is_weekday)
        .select("user_id", "language", "country", "digest_date", "send_at")
        .sort("user_id")
    )


@dataclass(frozen=True)
class ItemSelection:
    """Which jobs may go into which digest.

    `users`: the due ones (user_id), when their last digest was made, and the jobs not to be sent again. `cards`: the
    open jobs, with what counts as one company.
    """

    users: pl.DataFrame
    cards: pl.DataFrame
    settings: DigestSettings

    @classmethod
    def of(
        cls, due: pl.DataFrame, jobs: pl.LazyFrame, sent: pl.LazyFrame, *, as_of: dt.datetime, settings: DigestSettings
    ) -> "ItemSelection":
        """The selection for due users; `sent`: DIGEST_ITEMS.

        Of each earlier digest the items of the newest run before this one count: what was built before was never sent.
        Those of the same digest are ignored: its hour has not come, so that it is built anew. A job that is the same as
        a sent one on another board counts as sent.
        """
        earlier = (
            sent.filter(pl.col("made_at") < as_of)
            .filter(pl.col("made_at") == pl.col("made_at").max().over("user_id", "digest_date"))
            .join(due.lazy().select("user_id", due_date="digest_date"), on="user_id")
            .filter(pl.col("digest_date") < pl.col("due_date"))
        )
        last = earlier.group_by("user_id").agg(last_made_at=pl.col("made_at").max())
        first_day = pl.col("due_date") - pl.duration(days=settings.not_again_within_days)
        recent = earlier.filter(pl.col("digest_date") > first_day).select("user_id", "job_id")
        representatives = jobs.select("job_id", "duplicate_of").drop_nulls()
        elsewhere = recent.join(representatives, on="job_id").select("user_id", job_id="duplicate_of")
        not_again = pl.concat([recent, elsewhere]).group_by("user_id").agg(not_again="job_id")
        users = (
            due.lazy().select("user_id").join(last, on="user_id", how="left").join(not_again, on="user_id", how="left")
        )
        return cls(users.collect(), _cards(jobs), settings)

    def items(self, feeds: pl.DataFrame) -> pl.DataFrame:
        """The items of the digests of the users in `feeds` (user_id, and items with ITEM_FIELDS), by place.

        They are new since the user's last digest, not sent recently, and at most COMPANY_CAP of a company.
        Columns: user_id, place (from 1), rank, job_id, score, reasons, total_new_jobs, total_matches.
        """
        due = feeds.join(self.users, on="user_id").with_row_index("user")
        listed = due.select("user", "user_id", "last_made_at", "items").explode("items").unnest("items")
        not_again = due.select("user", job_id="not_again").explode("job_id").drop_nulls()
        is_new = pl.col("last_made_at").is_null() | (pl.col("first_seen_at") > pl.col("last_made_at"))
        new = (
            listed.lazy()
            .select("user", "rank", "job_id", "score", "seen", "explored", "last_made_at")
            .with_row_index("row")
            .filter(~pl.col("seen"), ~pl.col("explored"))
            .join(self.cards.lazy(), on="job_id")
            .filter(is_new)
            .join(not_again.lazy(), on=["user", "job_id"], how="anti")
            .select("row", "user", "rank", "score", "company")
        )
        best = _best(new, self.settings)
        chosen = listed[best["row"]].select("user_id", "rank", "job_id", "score", "reasons")
        return chosen.with_columns(best["place"], best["total_new_jobs"], best["total_matches"]).select(_ITEM_COLUMNS)


def _cards(jobs: pl.LazyFrame) -> pl.DataFrame:
    """The open jobs: job_id, first_seen_at, and the company as a number."""
    cards = jobs.filter(pl.col("status") == "open").select("job_id", "first_seen_at", "company", "company_id").collect()
    companies = cards.select("company").unique().with_columns(key=company_key(pl.col("company")))
    keyed = cards.join(companies, on="company", how="left", nulls_equal=True)
    company = pl.coalesce("key", "company_id", "job_id").rank("dense")
    return keyed.select("job_id", "first_seen_at", company=company)


def sent_items(digests: pl.DataFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """The items of the digests (rows of DIGESTS) that a run made, as DIGEST_ITEMS."""
    jobs = digests.select("user_id", "digest_date", "top_jobs").explode("top_jobs").drop_nulls()
    dated = jobs.select(
        "user_id", "digest_date", job_id=pl.col("top_jobs").struct.field("job_id"), made_at=pl.lit(as_of)
    )
    return DIGEST_ITEMS.conform(dated).sort(DIGEST_ITEMS.key)


def local_instant(day: dt.date, hour: int | None, zone: str | None) -> dt.datetime:
    """The instant of an hour of a day in a time zone, UTC if the zone is unknown.

    An hour that a clock change leaves out is the one after it; of one that comes twice, the first counts.
    """
    try:
        found = ZoneInfo(zone or _DEFAULT_TIMEZONE)
    except (KeyError, ValueError, OSError):
        found = ZoneInfo(_DEFAULT_TIMEZONE)
    return dt.datetime.combine(day, dt.time(DIGEST_HOUR if hour is None else hour), found).astimezone(dt.UTC)


def _next_digest(as_of: dt.datetime, zone: str | None, hour: int | None) -> tuple[dt.date, dt.datetime]:
    """The local date and the instant of the next time that it is `hour` o'clock."""
    # Dates of all time zones begin within 14 hours of the date in UTC.
    days = (as_of.date() + dt.timedelta(days=days) for days in range(-1, 3))
    return next((day, at) for day in days if (at := local_instant(day, hour, zone)) >= as_of)


def _best(new: pl.LazyFrame, settings: DigestSettings) -> pl.DataFrame:
    """The first matches of each user's new jobs, at most COMPANY_CAP a company, by user and place.

    Reasons and ids are gathered for the chosen ones only: sorting them all took half of the time.
    """
    return (
        new.with_columns(is_match=(pl.col("score") * 100).round() >= settings.min_match_percent)
        .sort("user", "rank")
        .with_columns(
            total_new_jobs=pl.len().over("user").cast(pl.Int32),
            total_matches=pl.col("is_match").sum().over("user").cast(pl.Int32),
        )
        .filter(pl.col("is_match"))
        .filter(pl.int_range(pl.len()).over("user", "company") < COMPANY_CAP)
        .with_columns(place=pl.int_range(1, pl.len() + 1).over("user"))
        .filter(pl.col("place") <= settings.items)
        .sort("user", "place")
        .collect()
    )
