"""What a generation must be before it is announced: unique keys, feeds that keep the rules, sizes near the last.

Publishing validates by itself, because blocking asset checks protect one run only.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.publishing.build import PublishingRun
from assets.publishing.delta_sources import TableDelta
from assets.publishing.tables import is_in_order
from features.errors import JobfeedError
from models.ranking.feed_problems import ITEM_FIELDS, feed_problems, feed_rules
from models.ranking.settings import CompanyCap
from serving.contract.generation import CURRENT_ROWS_FOLDER, DELTA_ROWS_FOLDER, TABLES_FOLDER, Manifest
from serving.contract.tables import KEYS

# Rule of models/ranking/feed_problems.py -> how a refusal names it.
_RULES = {
    "not_in_catalog": "jobs that are not published",
    "not_open": "jobs that are not open",
    "applied": "jobs that the user applied to or dismissed",
    "dismissed": "jobs that the user applied to or dismissed",
    "blocked_company": "jobs of a company that the user blocked",
    "blocked_tag": "jobs with a tag that the user blocked",
    "repeated": "jobs shown twice",
    "rank": "ranks that do not count from 1",
    "range": "scores outside 0 to 1",
    "company_cap": "more of one company at the top than the cap allows",
}
_CHECKED_FEEDS = 4_096  # at once: what is known of each item needs more memory than the feeds


class ValidationFailedError(JobfeedError, RuntimeError):
    """The generation that was built may not be announced. The message gives the reasons, one a line."""


class Validation:
    """Collects what is wrong with the tables of a generation, block by block.

    `con` has the tables. With `users` the rules of only these users are loaded.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, run: PublishingRun, *, users: pl.Series | None = None) -> None:
        interactions, profiles = (run.interactions, run.profiles) if users is None else run.people(users)
        ranking = run.config.ranking
        jobs = con.sql("select job_id, status, duplicate_of, company_id, company, tags from jobs").pl()
        self._con = con
        self._found: Counter[str] = Counter()
        self._repeated_keys: Counter[str] = Counter()
        self._rules = feed_rules(
            jobs=jobs.lazy(),
            interactions=interactions,
            profiles=profiles,
            company_cap=CompanyCap(ranking.company_cap, ranking.company_cap_top),
        )
        fallback = con.sql("select segment as owner, items from fallback_feeds").pl()
        self._add("fallback_feeds", feed_problems(fallback, self._rules.without_users()))

    def add_feeds(self, block: pa.Table) -> None:
        """Checks the feeds of `block`."""
        lists = pl.DataFrame({"owner": block.column("user_id"), "items": _checked_items(block.column("items"))})
        self._add("feeds", feed_problems(lists, self._rules))

    def add_frame_of_feeds(self, feeds: pl.DataFrame) -> None:
        """Checks feeds that are in memory as a frame, some at a time; of their items, no other field is touched."""
        fields = [pl.element().struct.field(name) for name in ITEM_FIELDS]
        lists = feeds.select(owner="user_id", items=pl.col("items").list.eval(pl.struct(fields)))
        for some in lists.iter_slices(_CHECKED_FEEDS):
            self._add("feeds", feed_problems(some, self._rules))

    def add_keys(self, table: str, rows: pl.DataFrame | None = None) -> None:
        """Looks for keys that occur twice in `rows`, which hold all rows of their first key column, or in the table."""
        keys = rows.select(KEYS[table]) if rows is not None else self._con.table(table).select(*KEYS[table]).pl()
        # Large tables are sorted by their key, which takes a third of the time to see.
        if not is_in_order(keys):
            self._repeated_keys[table] += keys.group_by(keys.columns).len().filter(pl.col("len") > 1).height

    def problems(self) -> list[str]:
        """What was found so far, with the number of items, lists or keys concerned."""
        keys = [
            f"{table}: {n} keys ({', '.join(KEYS[table])}) occur more than once"
            for table, n in sorted(self._repeated_keys.items())
            if n
        ]
        return [f"{problem}: {n}" for problem, n in sorted(self._found.items())] + keys

    def _add(self, table: str, found: pl.DataFrame) -> None:
        for rule, n in found.group_by("rule").len().iter_rows():
            self._found[f"{table}: {_RULES[rule]}"] += n


def _checked_items(items: pa.ChunkedArray) -> pa.LargeListArray:
    """The lists with the fields that are checked: reasons, which have most of the bytes, are not converted."""
    flat = pc.list_flatten(items)
    fields = [pc.struct_field(flat, name).combine_chunks() for name in ITEM_FIELDS]
    ends = np.cumsum(pc.fill_null(pc.list_value_length(items), 0).to_numpy())
    offsets = np.concatenate([[0], ends]).astype(np.int64)
    return pa.LargeListArray.from_arrays(offsets, pa.StructArray.from_arrays(fields, list(ITEM_FIELDS)))


def refuse(problems: Iterable[str]) -> None:
    """Raises ValidationFailedError if there are any."""
    if message := "\n".join(problems):
        raise ValidationFailedError(message)


def size_problems(con: duckdb.DuckDBPyConnection, run: PublishingRun, last: Manifest | None) -> list[str]:
    """Tables of `con` that shrank too far since `last`, and too many users with a fallback feed.

    Sizes are compared only with a generation of about the same day: after a long pause or in a replay they may differ.
    A generation without jobs never follows one with jobs. A forced run is not compared at all.
    """
    settings = run.config.pipeline.publishing
    last = None if run.is_forced else last
    had_jobs = last is not None and last.rows("jobs") > 0
    if last is not None:
        distance = abs(dt.datetime.fromisoformat(last.as_of) - run.as_of)
        last = last if distance <= dt.timedelta(days=settings.compared_within_days) else None
    limits: Mapping[str, float] = {
        "jobs": settings.min_jobs_share_of_last,
        "feeds": settings.min_feeds_share_of_last,
    }
    problems = []
    if had_jobs and not con.sql("select 1 from jobs limit 1").fetchall():
        problems.append(
            "jobs: none; the served generation has some. Look at the sources with `jobfeed sources list` and "
            "`jobfeed quarantine`; `jobfeed run daily --announce` publishes without jobs"
        )
    for table, share in limits.items():
        n_rows = con.sql(f'select count(*) from "{table}"').fetchall()[0][0]  # noqa: S608 - the two names above
        if last is not None and n_rows < share * last.rows(table):
            problems.append(
                f"{table}: {n_rows} rows; the served generation {last.generation} has {last.rows(table)}, and at least"
                f" {share:.0%} of it is expected (publishing.min_{table}_share_of_last in pipeline.yaml)"
            )
    query = "select count(*) filter (where source in ('segment', 'global')), count(*) from feeds"
    n_fallback, n_feeds = con.sql(query).fetchall()[0]
    allowed = settings.max_fallback_share
    if n_feeds and n_fallback > allowed * n_feeds:
        problems.append(f"feeds: {n_fallback} of {n_feeds} users have a fallback feed; at most {allowed:.0%} may")
    return problems


def closed_jobs_in_feeds(folder: Path, jobs: TableDelta, sequence: int) -> list[str]:
    """Older feeds of the generation in `folder` that hold a job which closed or went in the delta `sequence`.

    Ranking leaves none: it takes closed jobs out of every feed. Job ids are read only if a job closed.
    """
    if not jobs.n_rows_before:
        return []  # jobs that were not published before are in no older feed
    is_closed = pl.col("status") != "open"
    closed = [
        *jobs.removed.to_list(),
        *jobs.rows.lazy().filter(is_closed).select("job_id").collect()["job_id"].to_list(),
    ]
    if not closed:
        return []
    ids = pa.array(closed, pa.string())
    table = folder / TABLES_FOLDER / "feeds"
    files = [(0, path) for path in (table.glob("*.parquet") if table.is_dir() else [table.with_suffix(".parquet")])]
    deltas = [(number, folder / DELTA_ROWS_FOLDER / f"{number:04d}" / "feeds.parquet") for number in range(1, sequence)]
    files += [(number, path) for number, path in deltas if path.exists()]
    found = pl.concat([_users_with(path, ids).with_columns(layer=pl.lit(number, pl.Int32)) for number, path in files])
    current_rows = folder / CURRENT_ROWS_FOLDER / "feeds.parquet"
    if current_rows.exists():
        current = pl.read_parquet(current_rows, glob=False).select(
            "user_id", pl.col("layer").alias("current"), is_changed=True
        )
        is_current = pl.col("is_changed").is_null() & (pl.col("layer") == 0) | (pl.col("current") == pl.col("layer"))
        found = found.join(current, on="user_id", how="left").filter(is_current)
    return [f"feeds: jobs that are not open, in feeds that did not change: {len(found)}"] if len(found) else []


def _users_with(path: Path, job_ids: pa.Array) -> pl.DataFrame:
    """The users in a file of feeds, once for each item that is one of `job_ids`."""
    with pq.ParquetFile(path) as file:
        read = file.read(columns=["user_id", "items.list.element.job_id"]).combine_chunks()
    users: list[str] = []
    for batch in read.to_batches():
        items = batch.column("items")
        is_closed = pc.is_in(pc.struct_field(items.flatten(), 0), job_ids)
        if pc.any(is_closed).as_py():
            parents = pc.list_parent_indices(items).filter(is_closed)
            users += batch.column("user_id").take(parents).to_pylist()
    return pl.DataFrame({"user_id": users}, schema={"user_id": pl.String})
