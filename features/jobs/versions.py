"""Versions and sightings of jobs folded into one row per job, valid at `as_of`. Duplicates are found in dedupe."""

import datetime as dt

import polars as pl

from features.schemas.catalog import JOB_CONTENT, JOBS
from features.schemas.table import STRINGS
from features.text.normalise import first_true

# A search page lacks these or has only a snippet, so the last complete version wins.
_COMPLETE_COLUMNS = ("description", "language", "skills", "tags")
# Found later: see dedupe.py and features/localisation/jobs.py.
_NOT_FOLDED = ("duplicate_of", "city_ru", "region_ru", "board")
_FIRST_PLAUSIBLE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_MAX_AHEAD = dt.timedelta(days=1)


def fold_jobs(
    versions: pl.LazyFrame,
    sightings: pl.LazyFrame,
    *,
    as_of: dt.datetime,
    stale_after_days: pl.DataFrame,
    default_days: int,
) -> pl.DataFrame:
    """JOBS at `as_of`, sorted by job_id; `duplicate_of` and what readers see of a job are null.

    `versions` is JOB_VERSIONS, `sightings` SIGHTINGS, `stale_after_days` has columns source and days; other sources
    use `default_days`. A job exists from its first sighting or its publication, whichever is earlier. Its newest
    version seen by `as_of` counts, or the oldest if none was seen by then. A version without a title is left out.
    """
    versions = versions.filter(pl.col("title").is_not_null())
    chosen = _choose_versions(versions, as_of)
    seen = _sighting_times(sightings, as_of)
    content = _content(versions, chosen)
    days = pl.coalesce("days", pl.lit(default_days)).cast(pl.Int64)
    jobs = (
        content.join(seen, on="job_id", how="left")
        .join(stale_after_days.select("source", "days"), on="source", how="left")
        .with_columns(_times(as_of))
        .with_columns(stale_at=pl.col("last_seen_at") + pl.duration(days=days))
        .with_columns(_ends(as_of))
        .with_columns(
            status=first_true(
                (pl.col("ended_at").is_not_null(), "closed"), (pl.col("ran_out_at").is_not_null(), "expired")
            ).fill_null("open"),
            closed_at=pl.coalesce("ended_at", "ran_out_at"),
        )
        .with_columns(pl.lit(None, pl.String).alias(name) for name in _NOT_FOLDED)
    )
    return JOBS.conform(jobs.select(list(JOBS.columns))).sort("job_id")


def _choose_versions(versions: pl.LazyFrame, as_of: dt.datetime) -> pl.DataFrame:
    """Per job: content_hash of the version that counts and of the complete version that completes it, and its times."""
    published = pl.min_horizontal(_plausible("initial_created_at", as_of), _plausible("published_at", as_of))
    keys = (
        versions.select(
            "job_id", "content_hash", "seen_at", "is_complete", "initial_created_at", "published_at",
            published.alias("published"),
        )
        .unique(["job_id", "content_hash"])
        .with_columns(
            first_version_at=pl.col("seen_at").min().over("job_id"),
            first_published_at=pl.col("published").min().over("job_id"),
            is_ahead=pl.max_horizontal("initial_created_at", "published_at").max().over("job_id") > _latest(as_of),
            created_at=_plausible("initial_created_at", as_of).min().over("job_id"),
            is_past=pl.col("seen_at") <= as_of,
        )
        .filter(pl.min_horizontal("first_version_at", "first_published_at") <= as_of)
        .filter(pl.col("is_past") | ~pl.col("is_past").any().over("job_id"))
        # Of past versions the newest is nearest to as_of, of later ones the oldest.
        .with_columns(distance=(pl.lit(as_of) - pl.col("seen_at")).abs())
        .sort("job_id", "distance", pl.col("is_complete").not_(), "content_hash")
        .collect()
    )  # fmt: skip
    newest = keys.unique("job_id", keep="first", maintain_order=True)
    complete = keys.filter("is_complete").unique("job_id", keep="first", maintain_order=True)
    last = keys.filter("is_past").group_by("job_id").agg(last_version_at=pl.col("seen_at").max())
    return (
        newest.select("job_id", "content_hash", "first_version_at", "first_published_at", "created_at", "is_ahead")
        .join(complete.select("job_id", complete_hash="content_hash"), on="job_id", how="left")
        .join(last, on="job_id", how="left")
    )


def _content(versions: pl.LazyFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """The content of the chosen version, one row per job; a partial version is completed by the complete one."""
    wanted = pl.concat(
        [chosen.select("job_id", "content_hash"), chosen.select("job_id", content_hash="complete_hash").drop_nulls()]
    ).unique()
    rows = (
        versions.join(wanted.lazy(), on=["job_id", "content_hash"], how="semi")
        .drop("published_at", "initial_created_at")
        .collect()
        .unique(["job_id", "content_hash"])
    )
    names = [*JOB_CONTENT, "expires_at"]
    whole = rows.select("job_id", complete_hash="content_hash", **{f"{name}_whole": pl.col(name) for name in names})
    is_partial = ~pl.col("is_complete") & pl.col("title_whole").is_not_null()

    def completed(name: str) -> pl.Expr:
        own, of_whole = pl.col(name), pl.col(f"{name}_whole")
        first = of_whole if name in _COMPLETE_COLUMNS else own
        second = own if name in _COMPLETE_COLUMNS else of_whole
        return pl.when(is_partial).then(pl.coalesce(first, second)).otherwise(own).alias(name)

    pay_is_new = pl.col("salary_min").is_not_null() | pl.col("salary_max").is_not_null()
    pay = [name for name in names if name.startswith("salary_")]
    place = ["city", "region", "country", "latitude", "longitude", "locations"]
    has_place = pl.col("country").is_not_null() | (pl.col("locations").list.len() > 0)
    # Pay and place are each one statement: halves of an old and a new one must not be mixed.
    whole_group = [
        pl.when(is_partial & ~is_new).then(pl.col(f"{name}_whole")).otherwise(pl.col(name)).alias(name)
        for group, is_new in ((pay, pay_is_new), (place, has_place))
        for name in group
    ]
    grouped = {*pay, *place}
    return (
        chosen.join(rows, on=["job_id", "content_hash"], how="inner")
        .join(whole, on=["job_id", "complete_hash"], how="left")
        .with_columns(*(completed(name) for name in names if name not in grouped), *whole_group)
        .drop(f"{name}_whole" for name in names)
        .with_columns(pl.col("skills", "tags", "professional_roles").fill_null(pl.lit([], STRINGS)))
    )


def _sighting_times(sightings: pl.LazyFrame, as_of: dt.datetime) -> pl.DataFrame:
    """Per job, from sightings up to `as_of`: first and last sighting, and the last time it was found gone."""
    known = sightings.filter(pl.col("seen_at") <= as_of)
    at = pl.col("seen_at")
    return (
        known.group_by("job_id")
        .agg(
            first_sight_at=at.filter(~pl.col("is_gone")).min(),
            last_sight_at=at.filter(~pl.col("is_gone")).max(),
            gone_at=at.filter("is_gone").max(),
        )
        .collect()
    )


def _times(as_of: dt.datetime) -> list[pl.Expr]:
    first_seen = pl.min_horizontal("first_version_at", "first_sight_at")
    # In a replay before its first sighting, only the publication of a job is known.
    first = pl.when(first_seen <= as_of).then(first_seen).otherwise(pl.col("first_published_at"))
    last = pl.coalesce(pl.max_horizontal("last_version_at", "last_sight_at"), pl.lit(as_of))
    # Sources move published_at when a posting is raised, so age counts from the earliest known time.
    stated = pl.coalesce("created_at", "first_published_at")
    # A source that states only times in the future does not say that the job was published when it was first seen.
    is_unknown = stated.is_null() & pl.col("is_ahead").fill_null(value=False)
    published = pl.when(~is_unknown).then(pl.min_horizontal(stated, first))
    return [
        first.alias("first_seen_at"),
        last.alias("last_seen_at"),
        published.alias("published_at"),
        pl.when(
            (pl.col("gone_at") >= pl.max_horizontal("last_version_at", "last_sight_at"))
            | pl.max_horizontal("last_version_at", "last_sight_at").is_null()
        )
        .then(pl.col("gone_at"))
        .alias("gone_at"),
    ]


def _ends(as_of: dt.datetime) -> list[pl.Expr]:
    archived = pl.when("is_archived").then(pl.min_horizontal("closed_at", "seen_at"))
    ended = [pl.when(at <= as_of).then(at) for at in (pl.col("closed_at"), archived, pl.col("gone_at"))]
    ran_out = [pl.when(pl.col(name) <= as_of).then(pl.col(name)) for name in ("expires_at", "stale_at")]
    return [pl.min_horizontal(ended).alias("ended_at"), pl.min_horizontal(ran_out).alias("ran_out_at")]


def _plausible(name: str, as_of: dt.datetime) -> pl.Expr:
    """The time, unless it is before 2000 or more than a day after both `as_of` and the sighting.

    In a replay, postings after `as_of` are plausible: their first version was seen after `as_of` too.
    """
    at = pl.col(name)
    return pl.when((at >= _FIRST_PLAUSIBLE) & (at <= _latest(as_of))).then(at)


def _latest(as_of: dt.datetime) -> pl.Expr:
    return pl.max_horizontal(pl.lit(as_of), pl.col("seen_at")) + _MAX_AHEAD
