"""Versions of postings and sightings of jobs in the lake: what is new, what changed, what ended."""

import datetime as dt
import hashlib

import polars as pl

from assets.lake import Lake
from features.schemas.bronze import POSTINGS, SIGHTINGS
from features.schemas.table import Table

_VERSION = ["job_id", "content_hash"]


def seen(rows: pl.DataFrame, *, origin: str, as_of: dt.datetime) -> pl.DataFrame:
    """Parsed postings as POSTINGS rows seen at `as_of` in `origin` (a landed file's name, a URL without its query)."""
    return POSTINGS.conform(
        rows.with_columns(origin=pl.lit(origin, pl.String), seen_at=pl.lit(as_of, POSTINGS.columns["seen_at"]))
    )


def store_replayed(lake: Lake, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Appends the versions in `rows` (in the order they were read) that `table` lacks.

    Returns n_read, n_new and n_changed per source. A version that was there once is not new: a landed file may come
    late or twice.
    """
    with lake.lock(f"bronze/{table.name}"):
        return _store(lake, table, rows, known_versions(lake, table, rows))


def store_fetched(lake: Lake, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """As `store_replayed`, for rows that state what a source says of its jobs now.

    A job that went back to earlier content gets a new version, under a hash of its own.
    """
    with lake.lock(f"bronze/{table.name}"):
        known = known_versions(lake, table, rows)
        return _store(lake, table, _restate_returned(rows, known), known)


def sighted(rows: pl.DataFrame) -> pl.DataFrame:
    """One SIGHTINGS row per job in `rows` (POSTINGS)."""
    return SIGHTINGS.conform(
        rows.group_by("job_id")
        .agg(pl.col("source").first(), pl.col("seen_at").max())
        .with_columns(is_gone=pl.lit(False))
    )


def sightings_of(job_ids: pl.Series, *, source: str, as_of: dt.datetime, is_gone: bool = False) -> pl.DataFrame:
    """SIGHTINGS rows that say of each job that it is still there, or that it ended."""
    jobs = pl.DataFrame({"job_id": job_ids.cast(pl.String)})
    return SIGHTINGS.conform(
        jobs.with_columns(
            source=pl.lit(source, pl.String),
            seen_at=pl.lit(as_of, SIGHTINGS.columns["seen_at"]),
            is_gone=pl.lit(is_gone),
        )
    )


def last_of_each_day(sightings: pl.LazyFrame) -> pl.LazyFrame:
    """The last sighting of each job on each UTC day, and every end."""
    day = pl.col("seen_at").dt.date()
    is_last = pl.col("seen_at") == pl.col("seen_at").max().over("job_id", day)
    return sightings.filter(is_last | pl.col("is_gone"))


def store_sightings(lake: Lake, found: pl.DataFrame) -> None:
    """Appends sightings that the lake lacks. An end replaces a sighting of the same instant, even a stored one."""
    if found.is_empty():
        return
    one_each = found.sort("job_id", "seen_at", "is_gone", descending=[False, False, True]).unique(
        ["job_id", "seen_at"], keep="first", maintain_order=True
    )
    with lake.lock(f"bronze/{SIGHTINGS.name}"):
        earliest = one_each["seen_at"].min()
        known = (
            lake.scan("bronze", SIGHTINGS)
            .filter(pl.col("seen_at") >= earliest)
            .group_by("job_id", "seen_at")
            .agg(is_known_gone=pl.col("is_gone").any())
            .collect()
        )
        fresh = (
            one_each.join(known, on=["job_id", "seen_at"], how="left")
            .filter(pl.col("is_known_gone").is_null() | (pl.col("is_gone") & ~pl.col("is_known_gone")))
            .select(list(SIGHTINGS.columns))
            .sort("job_id", "seen_at")
        )
        lake.append("bronze", SIGHTINGS, fresh)


def open_jobs(lake: Lake, source: str) -> pl.DataFrame:
    """(job_id, seen_at): jobs of `source` whose last sighting is not their end."""
    return (
        lake.scan("bronze", SIGHTINGS)
        .filter(pl.col("source") == source)
        .group_by("job_id")
        .agg(pl.col("seen_at").max(), pl.col("is_gone").sort_by("seen_at", "is_gone").last())
        .filter(~pl.col("is_gone"))
        .select("job_id", "seen_at")
        .sort("job_id")
        .collect()
    )


def last_reading(lake: Lake, source: str) -> pl.Series:
    """The open jobs of the last reading of `source`. An answer 304 says that they are all still there."""
    open_now = open_jobs(lake, source)
    return open_now.filter(pl.col("seen_at") == pl.col("seen_at").max())["job_id"]


def newest_versions(known: pl.DataFrame) -> pl.DataFrame:
    """newest_hash, previous_hash (null if there is one version) and newest_at per job_id and is_complete."""
    return (
        known.sort("seen_at", "content_hash")
        .group_by("job_id", "is_complete", maintain_order=True)
        .agg(
            newest_hash=pl.col("content_hash").last(),
            previous_hash=pl.col("content_hash").get(-2, null_on_oob=True),
            newest_at=pl.col("seen_at").last(),
        )
    )


def known_versions(lake: Lake, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """job_id, content_hash, is_complete, seen_at of every stored version of the jobs in `rows`."""
    return (
        lake.scan("bronze", table)
        .select("job_id", "content_hash", "is_complete", "seen_at")
        .join(rows.lazy().select("job_id").unique(), on="job_id", how="semi")
        .collect()
    )


def _store(lake: Lake, table: Table, rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    versions = rows.unique(_VERSION, keep="last", maintain_order=True)
    fresh = versions.join(known.select(_VERSION), on=_VERSION, how="anti", maintain_order="left").with_columns(
        # Versions of one job from one run are a microsecond apart: the one read last is the newest.
        pl.col("seen_at")
        - pl.duration(microseconds=pl.len().over("job_id") - 1 - pl.int_range(pl.len()).over("job_id"))
    )
    counts = _outcome(rows, fresh, known)
    table.validate(fresh)
    lake.append("bronze", table, fresh.sort("source", "job_id", "seen_at"))
    return counts


def _outcome(rows: pl.DataFrame, fresh: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    first_versions = fresh.unique("job_id").join(known.select("job_id").unique(), on="job_id", how="anti")
    return (
        rows.group_by("source")
        .agg(n_read=pl.len())
        .join(first_versions.group_by("source").agg(n_new=pl.len()), on="source", how="left")
        .join(fresh.group_by("source").agg(n_fresh=pl.len()), on="source", how="left")
        .with_columns(pl.col("n_read", "n_new", "n_fresh").cast(pl.Int64).fill_null(0))
        .select("source", "n_read", "n_new", n_changed=pl.col("n_fresh") - pl.col("n_new"))
        .sort("source")
    )


def _restate_returned(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """`rows` with another content_hash for each job that returned to content it had before its newest version."""
    newest = newest_versions(known)
    returned = (
        rows.lazy()
        .with_row_index("row")
        .unique(["job_id", "is_complete"], keep="last")
        .select("row", "job_id", "content_hash", "is_complete", "seen_at")
        .join(known.lazy().select(_VERSION), on=_VERSION, how="semi")
        .join(newest.lazy(), on=["job_id", "is_complete"])
        .filter((pl.col("content_hash") != pl.col("newest_hash")) & (pl.col("newest_at") < pl.col("seen_at")))
        .select("row", "content_hash", "newest_hash", "previous_hash")
        .collect()
    )
    if returned.is_empty():
        return rows
    restated = [
        newest if is_restated(newest, content, after=previous) else restated_hash(content, after=newest)
        for content, newest, previous in returned.select("content_hash", "newest_hash", "previous_hash").iter_rows()
    ]
    changes = returned.select("row", restated=pl.Series(restated))
    return (
        rows.with_row_index("row")
        .join(changes, on="row", how="left", maintain_order="left")
        .with_columns(content_hash=pl.coalesce("restated", "content_hash"))
        .select(rows.columns)
    )


def restated_hash(content_hash: str, *, after: str) -> str:
    """The hash of content that returned after a version with the hash `after`."""
    return hashlib.blake2b(f"{content_hash}<{after}".encode(), digest_size=16).hexdigest()


def is_restated(newest_hash: str, content_hash: str, *, after: str | None) -> bool:
    """Whether `newest_hash` is the hash of content with `content_hash` that returned after `after`."""
    return after is not None and restated_hash(content_hash, after=after) == newest_hash
