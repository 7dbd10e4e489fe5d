"""What is trending: engagement of the last day and week with exponential decay, by area and overall.

The component of a job (its share of the greatest score) is in jobs/features.
"""

import datetime as dt

import polars as pl

from features.engagement import (
    engagement_score,
    event_weight,
    half_life_rate,
    representative_id,
    seconds_before,
    top_jobs,
)
from features.interactions import CLOCK_SKEW
from features.jobs.locations import PLACE, places_of_jobs
from features.schemas.features import TRENDING
from serving.contract.tables import GLOBAL_AREA

# Period -> (length, half-life of an event's weight).
PERIODS = {
    "24h": (dt.timedelta(hours=24), dt.timedelta(hours=6)),
    "7d": (dt.timedelta(days=7), dt.timedelta(days=2)),
}
LONGEST_PERIOD = max(length for length, _ in PERIODS.values())
TOP_JOBS = 100
_MICRO = 1_000_000
_HASH_SEED = 1


def recent_events(events: pl.LazyFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """Events on jobs in the longest period (job_id, occurred_at, weight), without bots and without undone saves."""
    copies = ["event_id", "occurred_at", "user_id", "job_id", "event_type"]
    recent = (
        events.filter(
            (pl.col("occurred_at") > as_of - LONGEST_PERIOD)
            & (pl.col("occurred_at") <= as_of + CLOCK_SKEW)
            & ~pl.col("is_bot").fill_null(False)
            & pl.col("job_id").is_not_null()
        )
        .select(*copies, weight=event_weight())
        .filter(pl.col("weight") != 0)
        .collect()
    )
    # Sources repeat some events. The copy that is kept must not depend on the order of files.
    is_repeated = recent["event_id"].hash(_HASH_SEED).is_duplicated()  # hashes find all, and a few others by chance
    repeated = recent.filter(is_repeated).sort(*copies, "weight", nulls_last=True)
    once = repeated.unique("event_id", keep="first", maintain_order=True)
    recent = pl.concat([recent.filter(~is_repeated), once])
    kind, columns = pl.col("event_type"), ["job_id", "occurred_at", "weight"]
    unsaved = recent.filter(kind == "unsave").group_by("user_id", "job_id").agg(unsaved_at=pl.col("occurred_at").max())
    saves = recent.filter(kind == "save").join(unsaved, on=["user_id", "job_id"], how="left")
    is_undone = (pl.col("occurred_at") <= pl.col("unsaved_at")).fill_null(value=False)
    others = recent.filter(~kind.is_in(["save", "unsave"]))
    return pl.concat([others.select(columns), saves.filter(~is_undone).select(columns)])


def trending_scores(events: pl.LazyFrame, jobs: pl.LazyFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """Per period and representative job the score 10 * ln(1 + max(0, sum of weight * 2^(-age / half-life))).

    Columns period, job_id, score, only scores above 0. The decayed weights are summed as integer millionths, so that
    their order does not matter. Near-duplicates count for their representative.
    """
    representatives = jobs.select("job_id", representative=representative_id())
    # Collected once: both periods read it.
    known = recent_events(events, as_of=as_of).lazy().join(representatives, on="job_id").collect().lazy()
    age_seconds = seconds_before(as_of, pl.col("occurred_at"))
    periods = []
    for period, (length, half_life) in PERIODS.items():
        decayed = pl.col("weight") * (age_seconds * -half_life_rate(half_life)).exp() * _MICRO
        periods.append(
            known.filter(pl.col("occurred_at") > as_of - length)
            .group_by(job_id="representative")
            .agg(decayed.round().cast(pl.Int64).sum().alias("micro_weight"))
            .select(
                pl.lit(period).alias("period"),
                "job_id",
                engagement_score(pl.col("micro_weight") / _MICRO).alias("score"),
            )
            .filter(pl.col("score") > 0)
        )
    return pl.concat(periods).sort("period", "job_id").collect()


def trending(scores: pl.DataFrame, jobs: pl.LazyFrame) -> pl.DataFrame:
    """TRENDING: the 100 best open jobs per period and area (`all`, country code, `country/city`); newer wins a tie."""
    open_jobs = jobs.filter(pl.col("status") == "open").select("job_id", "published_at", *PLACE, "locations")
    country = pl.col("country")
    areas = pl.concat_list(pl.lit(GLOBAL_AREA), country, pl.format("{}/{}", country, pl.col("city")))
    placed = (
        places_of_jobs(open_jobs)
        .select("job_id", area=areas.list.drop_nulls())
        .explode("area")
        .unique()
        .join(open_jobs.select("job_id", "published_at"), on="job_id")
        .collect()
    )
    return (
        scores.join(placed, on="job_id")
        .pipe(top_jobs, within=["period", "area"], limit=TOP_JOBS)
        .select(list(TRENDING.columns))
        .pipe(TRENDING.conform)
    )
