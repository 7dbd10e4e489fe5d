"""Which users a run ranks again, and the feeds that it keeps."""

import datetime as dt
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.increments import LayeredTable, changed_since, mark_of
from assets.lake import Lake, content_hash
from assets.ranking.inputs import Tables, of_users, users_to_rank
from assets.resources import Scope
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from features.schemas.ranking import FEEDS
from models.ranking.feed_problems import violations
from models.ranking.settings import CompanyCap

_STAGE = "ranking"
# What the feeds of users follow, and where it lies.
_FOLLOWED = {INTERACTIONS.name: "catalog", USER_PROFILES.name: "features"}
_FILES_AT_ONCE = 2


@dataclass(frozen=True)
class Again:
    """The sorted ids of the users to rank again, and of those who lose their feed."""

    users: pl.Series
    gone: pl.Series


def feeds_table(lake: Lake) -> LayeredTable:
    """The feeds: a file per shard, and layers of those that were ranked again or shortened since."""
    return LayeredTable(lake, _STAGE, FEEDS, by=FEEDS.key)


def followed(lake: Lake) -> dict[str, Any]:
    """What the feeds follow, as it is now; None for a table that the lake lacks."""
    tables = {**_FOLLOWED, JOBS.name: "catalog"}
    return {name: mark_of(lake, stage, name) if lake.exists(stage, name) else None for name, stage in tables.items()}


def users_to_rank_again(scope: Scope, tables: Tables, lake: Lake, made_of: Mapping[str, Any] | None) -> Again | None:
    """The users to rank again under `scope`, None for all; the stored feeds are made of `made_of`.

    acted: users with an interaction since their feed was made, without a feed, who opted out of personalisation since,
    or whose feed now breaks a hard rule (an event may come late). touched: all users if there are jobs newer than when
    all were ranked, else like acted.
    """
    if scope == "all" or made_of is None:
        return None
    if scope == "touched" and _has_new_jobs(tables.jobs, made_of["all_ranked_at"]):
        return None
    changed = _changed_users(lake, made_of)
    if changed is None:
        return _compared(tables, lake.scan(_STAGE, FEEDS))
    users = users_to_rank(of_users(tables, changed))
    return Again(users, changed.filter(~changed.is_in(users.implode())))


def _changed_users(lake: Lake, made_of: Mapping[str, Any]) -> pl.Series | None:
    """Users with another profile or other interactions than their feeds were made of; None if they are not known."""
    now = followed(lake)
    if any(made_of[name] is None or now[name] is None for name in now) or made_of[JOBS.name] != now[JOBS.name]:
        return None
    found = [changed_since(lake, stage, name, made_of[name], "user_id") for name, stage in _FOLLOWED.items()]
    known = [users for users in found if users is not None]
    return pl.concat(known).unique().sort() if len(known) == len(found) else None


def _compared(tables: Tables, feeds: pl.LazyFrame) -> Again:
    """The users whose feeds are older than what they did or break a rule, by a comparison of whole tables."""
    user_ids = users_to_rank(tables)
    made = feeds.select("user_id", "generated_at").collect()
    last = tables.interactions.group_by("user_id").agg(last_at=pl.col("last_at").max()).collect()
    acted = (
        pl.DataFrame({"user_id": user_ids}).join(made, on="user_id", how="left").join(last, on="user_id", how="left")
    )
    acted = acted.filter(pl.col("generated_at").is_null() | (pl.col("last_at") > pl.col("generated_at")))
    broken = violations(feeds, jobs=tables.jobs, interactions=tables.interactions, profiles=tables.profiles)
    broken = broken.filter(~pl.col("rule").is_in(["not_open", "not_in_catalog"]))
    opted_out = tables.profiles.filter(~pl.col("personalization_enabled").fill_null(value=True))
    personal = feeds.filter(pl.col("source") == "personal").select("user_id")
    outdated = personal.join(opted_out, on="user_id", how="semi").collect()
    users = pl.concat([acted["user_id"], broken["user_id"], outdated["user_id"]]).unique().sort()
    return Again(users, made.filter(~pl.col("user_id").is_in(user_ids.implode()))["user_id"].sort())


def digest_of_open(job_ids: pl.Series) -> str:
    """A digest of the ids of the open jobs: feeds are searched for closed ones only if it differs."""
    return content_hash(job_ids.sort().to_frame("job_id"))


def users_with_closed(lake: Lake, open_ids: pl.Series) -> pl.Series:
    """The sorted ids of the users whose stored feeds hold a job that is not in `open_ids`; only job ids are read."""
    ids = pa.array(open_ids.to_list(), pa.string())

    def read(path: Path) -> pl.DataFrame:
        return _listing_others(path, ids)

    table = feeds_table(lake)
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        of_base = list(pool.map(read, lake.files(_STAGE, FEEDS.name)))
    newest = table.newest()
    users = pl.concat([pl.DataFrame(schema={"user_id": pl.String}), *of_base])
    if newest is not None:
        listed = newest.select("user_id", job_id=pl.col("items").list.eval(pl.element().struct.field("job_id")))
        current = listed.collect()
        is_open = pl.element().is_in(open_ids.implode())
        closed = current.filter(pl.col("job_id").list.eval(~is_open).list.any().fill_null(value=False))
        users = pl.concat([users.join(current, on="user_id", how="anti"), closed.select("user_id")])
    return users["user_id"].unique().sort()


def _listing_others(path: Path, ids: pa.Array) -> pl.DataFrame:
    """The users in a file of feeds who have an item that is none of `ids`."""
    with pq.ParquetFile(path) as file:
        read = file.read(columns=["user_id", "items.list.element.job_id"]).combine_chunks()
    users: list[str] = []
    for batch in read.to_batches():
        items = batch.column("items")
        is_other = pc.invert(pc.is_in(pc.struct_field(items.flatten(), 0), ids))
        if pc.any(is_other).as_py():
            users += batch.column("user_id").take(pc.unique(pc.list_parent_indices(items).filter(is_other))).to_pylist()
    return pl.DataFrame({"user_id": users}, schema={"user_id": pl.String})


def without_closed(feeds: pl.DataFrame, *, companies: pl.DataFrame, cap: CompanyCap) -> pl.DataFrame:
    """The feeds without jobs that are no longer open, with new ranks.

    `companies` (job_id, company) are the open jobs. Items that would break the company cap by moving up are dropped
    too; the components of the others stay as they are stored.
    """
    flat = (
        feeds.select("user_id", "items")
        .explode("items")
        .with_columns(job_id=pl.col("items").struct.field("job_id"))
        .join(companies.with_columns(is_open=pl.lit(1)), on="job_id", how="inner", maintain_order="left")
    )
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int16).over("user_id")
    of_company = pl.when(pl.col("company").is_not_null()).then(pl.int_range(pl.len()).over("user_id", "company"))
    while True:
        is_over = ((rank <= cap.top) & (of_company >= cap.most)).fill_null(value=False)
        fitting = flat.filter(~is_over)
        if len(fitting) == len(flat):
            break
        flat = fitting
    remade = (
        flat.with_columns(items=pl.col("items").struct.with_fields(rank=rank))
        .group_by("user_id", maintain_order=True)
        .agg(open_items="items")
    )
    return (
        feeds.join(remade, on="user_id", how="left", maintain_order="left")
        .with_columns(items=pl.coalesce("open_items", pl.lit([], dtype=feeds.schema["items"])))
        .drop("open_items")
    )


def _has_new_jobs(jobs: pl.LazyFrame, all_ranked_at: str) -> bool:
    newest = jobs.filter(pl.col("status") == "open").select(pl.col("first_seen_at").max()).collect().item()
    return newest is not None and newest > dt.datetime.fromisoformat(all_ranked_at)
