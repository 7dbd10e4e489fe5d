"""`jobfeed why`: loads one user's side of the lake and the fitted models, and explains the score of a job."""

import datetime as dt
from dataclasses import dataclass, replace

import polars as pl

from assets.ranking.feeds import shard_of_users
from assets.ranking.inputs import Tables, lake_tables, load_fitted, ranking_settings, users_to_rank
from assets.resources import Workspace
from features.schemas import (
    FEED_ITEM,
    FEEDS,
)
from models.rules import violations
from models.why import Why, explain_pair


class UnknownUserError(LookupError):
    """The user has neither a profile nor any act, and so no feed of their own."""


@dataclass(frozen=True)
class Answer:
    """Why a job stands where it stands: `rules` that keep it out, `rank` in the stored feed or None."""

    why: Why
    rules: tuple[str, ...]
    rank: int | None


def why(workspace: Workspace, *, user_id: str, job_id: str, as_of: dt.datetime) -> Answer:
    """The answer for the user and job by the tables and models as they lie.

    Raises UnknownUserError, and FileNotFoundError before the models were trained.
    """
    lake, of_user = workspace.lake, pl.col("user_id") == user_id
    tables = lake_tables(lake)
    tables = replace(
        tables,
        interactions=tables.interactions.filter(of_user),
        profiles=tables.profiles.filter(of_user),
        preferences=tables.preferences.filter(of_user),
    )
    users = users_to_rank(tables)
    if user_id not in users:
        raise UnknownUserError(f"user {user_id!r} has neither a profile nor any act: there is only the fallback feed")
    fitted = load_fitted(workspace.models)
    shard = shard_of_users(tables, fitted, users, settings=ranking_settings(workspace.config), as_of=as_of)
    feed = lake.scan("ranking", FEEDS).filter(of_user).select("user_id", "items").collect()
    return Answer(
        why=explain_pair(shard, user=0, job_id=job_id),
        rules=_rules(user_id, job_id, tables),
        rank=_rank(feed, job_id),
    )


def _rules(user_id: str, job_id: str, tables: Tables) -> tuple[str, ...]:
    """The hard rules that a feed of this one job would break."""
    item = {**dict.fromkeys(field.name for field in FEED_ITEM.fields), "rank": 1, "job_id": job_id}
    feed = pl.LazyFrame({"user_id": [user_id], "items": [[item]]}, schema_overrides={"items": FEEDS.columns["items"]})
    found = violations(feed, jobs=tables.jobs, interactions=tables.interactions, profiles=tables.profiles)
    return tuple(found["rule"])


def _rank(feed: pl.DataFrame, job_id: str) -> int | None:
    items = feed.select("items").explode("items").drop_nulls("items")["items"].struct.unnest()
    ranks = items.filter(pl.col("job_id") == job_id)["rank"].to_list()
    return int(ranks[0]) if ranks else None
