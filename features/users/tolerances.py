"""How far users go below their wanted pay and beyond their stated distance, learned from jobs accepted and rejected.

Published as preferences of two more dimensions. They change no component: those use what the user stated.
"""

import datetime as dt

import polars as pl

from features.components import EARTH_RADIUS_KM
from features.interactions import CLOCK_SKEW
from features.schemas.features import DISTANCE_TOLERANCE, PREFERENCES, SALARY_TOLERANCE
from features.users.preferences import CONFIDENCE_PRIOR, signal_tenths
from features.users.profiles import DEFAULT_MAX_DISTANCE_KM

# Percent of what the user stated. Beyond, the components salary and location are 0, or nearly.
LEAST_PAY, MOST_DISTANCE = 50, 200


def tolerances(
    interactions: pl.LazyFrame, jobs: pl.LazyFrame, users: pl.LazyFrame, *, as_of: dt.datetime
) -> pl.DataFrame:
    """PREFERENCES of the dimensions salary_tolerance and distance_tolerance, at most a row of each per user.

    A job is accepted if the sum of its signals (see preferences) is positive, rejected if it is negative. The value is
    the pay or distance of an accepted job that divides accepted from rejected jobs with the fewest errors, of equal
    ones the nearest to the user's wish; without rejected jobs, it is the least pay or the greatest distance accepted.
    Rejected jobs that pay enough, or are near enough, say nothing about either.

    salary_tolerance: share of the wanted pay, 0.5 to 1; affinity 1 to 0. distance_tolerance: km, up to twice the stated
    distance; affinity -1 to 1, with 0 at the stated distance. Confidence is n / (n + 5) for n jobs. Users who opted out
    of personalisation have no rows.
    """
    consenting = users.filter(pl.col("personalization_enabled").fill_null(True))
    pairs = (
        interactions.filter(pl.col("last_at") <= as_of + CLOCK_SKEW)
        .select("user_id", "job_id", is_accepted=signal_tenths().sign())
        .filter(pl.col("is_accepted") != 0)
        .with_columns(pl.col("is_accepted") > 0)
        .join(_jobs(jobs), on="job_id")
        .join(_wishes(consenting), on="user_id")
    )
    share = (100 * pl.col("pay_usd") / pl.col("wanted_usd")).clip(LEAST_PAY, 100)
    salary = _dividing(pairs, excess=100 - share, wished=0)
    far = (100 * _kilometres() / pl.col("stated_km")).clip(0, MOST_DISTANCE)
    distance = _dividing(pairs, excess=far, wished=100).join(_wishes(consenting), on="user_id")
    excess = pl.col("excess")
    found = pl.concat(
        [
            salary.select(
                "user_id",
                "n",
                dimension=pl.lit(SALARY_TOLERANCE),
                value=((100 - excess) / 100).round(2).cast(pl.String),
                affinity=excess / (100 - LEAST_PAY),
            ),
            distance.select(
                "user_id",
                "n",
                dimension=pl.lit(DISTANCE_TOLERANCE),
                value=(excess / 100 * pl.col("stated_km")).round().cast(pl.Int64).cast(pl.String),
                affinity=excess / 100 - 1,
            ),
        ]
    ).with_columns(confidence=(pl.col("n") / (pl.col("n") + CONFIDENCE_PRIOR)).round(6))
    return PREFERENCES.conform(found.collect(engine="streaming")).sort("user_id", "dimension", "value")


def _jobs(jobs: pl.LazyFrame) -> pl.LazyFrame:
    on_site = pl.when(pl.col("work_format").ne_missing("remote"))
    return jobs.select(
        "job_id",
        pay_usd=pl.max_horizontal("salary_monthly_usd_min", "salary_monthly_usd_max"),
        job_latitude=on_site.then("latitude").radians(),
        job_longitude=pl.col("longitude").radians(),
    )


def _wishes(users: pl.LazyFrame) -> pl.LazyFrame:
    return users.select(
        "user_id",
        wanted_usd=pl.when(pl.col("salary_monthly_usd_min") > 0).then("salary_monthly_usd_min"),
        stated_km=pl.when(pl.col("max_distance_km") > 0).then("max_distance_km").otherwise(DEFAULT_MAX_DISTANCE_KM),
        latitude=pl.col("latitude").radians(),
        longitude=pl.col("longitude").radians(),
    )


def _kilometres() -> pl.Expr:
    """The distance of user and job by the haversine formula, as in the component location."""
    half_latitude = (pl.col("job_latitude") - pl.col("latitude")) / 2
    half_longitude = (pl.col("job_longitude") - pl.col("longitude")) / 2
    cosines = pl.col("job_latitude").cos() * pl.col("latitude").cos()
    root = (half_latitude.sin() ** 2 + cosines * half_longitude.sin() ** 2).clip(0, 1).sqrt()
    return 2 * EARTH_RADIUS_KM * root.arcsin()


def _dividing(pairs: pl.LazyFrame, *, excess: pl.Expr, wished: int) -> pl.LazyFrame:
    """user_id, excess (percent), n: the excess that divides accepted from rejected jobs best."""
    is_accepted = pl.col("is_accepted")
    accepted, rejected = pl.col("accepted"), pl.col("rejected")
    missed = accepted.sum().over("user_id") - accepted.cum_sum().over("user_id", order_by="excess")
    return (
        pairs.select("user_id", "is_accepted", excess=excess.round().cast(pl.Int64))
        .filter(pl.col("excess").is_not_null(), is_accepted | (pl.col("excess") > wished))
        .group_by("user_id", "excess")
        .agg(accepted=is_accepted.sum().cast(pl.Int64), rejected=(~is_accepted).sum().cast(pl.Int64))
        .with_columns(
            errors=missed + rejected.cum_sum().over("user_id", order_by="excess"),
            distance=(pl.col("excess") - wished).abs(),
            n=(accepted + rejected).sum().over("user_id"),
        )
        .filter(accepted > 0)
        .sort("user_id", "errors", "distance", "excess")
        .unique("user_id", keep="first", maintain_order=True)
        .select("user_id", "excess", "n")
    )
