"""Reads a user's feed from the DuckDB file of a generation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from serving.contract.tables import JOB_REFERENCE_CODES


@dataclass(frozen=True)
class Feed:
    """A feed to show. `made`: when and how it was computed, None for the fallback feed. `titles`: of the jobs that
    reasons refer to."""

    source: str
    made: str | None
    items: pl.DataFrame
    titles: Mapping[str, str]


def read_feed(generation: Path, user_id: str, *, limit: int) -> Feed:
    """The first `limit` items of a user's feed in the folder `generation`; an unknown user gets the fallback feed.

    The items have the columns of a feed item, and title, company, city, work_format and url of the job.
    """
    with duckdb.connect(str(generation / "jobfeed.duckdb"), read_only=True) as con:
        found = con.sql(
            "select source, generated_at at time zone 'UTC', recipe, arm from feeds where user_id = $user",
            params={"user": user_id},
        ).fetchall()
        table, key, value = ("feeds", "user_id", user_id) if found else ("fallback_feeds", "segment", "all")
        items = con.sql(
            f"""
            select item.*, jobs.title, jobs.company, jobs.city, jobs.work_format, jobs.url
            from (select unnest(items) as item from {table} where {key} = $value)
            join jobs on jobs.job_id = item.job_id
            order by item.rank limit $limit
            """,  # noqa: S608 - the names are the two literals above
            params={"value": value, "limit": limit},
        ).pl()
        titles = dict(
            con.sql(
                "select job_id, title from jobs where list_contains($ids, job_id)", params={"ids": _references(items)}
            ).fetchall()
        )
    if not found:
        return Feed("global", None, items, titles)
    source, generated_at, recipe, arm = found[0]
    return Feed(source, f"{generated_at:%Y-%m-%d %H:%M} UTC, recipe {recipe}, arm {arm}", items, titles)


def _references(items: pl.DataFrame) -> list[str]:
    reasons = items.select("reasons").explode("reasons").drop_nulls().unnest("reasons")
    return reasons.filter(pl.col("code").is_in(JOB_REFERENCE_CODES))["ref"].unique().sort().to_list()
