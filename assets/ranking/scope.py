"""Which users a run ranks again for what they did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from assets.catalog.job_changes import mark_of_jobs
from assets.increments import changed_since, mark_of
from assets.lake import Lake
from assets.ranking.inputs import Tables, of_users, users_to_rank
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from features.schemas.ranking import FEEDS
from models.ranking.feed_problems import violations

_STAGE = "ranking"
# What the feeds of users follow, and where it lies.
_FOLLOWED = {INTERACTIONS.name: "catalog", USER_PROFILES.name: "features"}


@dataclass(frozen=True)
class Again:
    """The sorted ids of the users to rank again, and of those who lose their feed."""

    users: pl.Series
    gone: pl.Series


def followed(lake: Lake) -> dict[str, Any]:
    """What the feeds follow, as it is now; None for a table that the lake lacks."""
    marks = {
        name: mark_of(lake, stage, name) if lake.exists(stage, name) else None for name, stage in _FOLLOWED.items()
    }
    return {**marks, JOBS.name: mark_of_jobs(lake)}


def users_to_rank_again(tables: Tables, lake: Lake, made_of: Mapping[str, Any]) -> Again:
    """The users to rank again for what they did; the stored feeds are made of `made_of`.

    Users with an interaction since their feed was made, without a feed, who opted out of personalisation since, or
    whose feed now breaks a hard rule (an event may come late). Users whom jobs concern are found in new_jobs.
    """
    changed = _changed_users(lake, made_of)
    if changed is None:
        return _compared(tables, lake.scan(_STAGE, FEEDS))
    users = users_to_rank(of_users(tables, changed))
    return Again(users, changed.filter(~changed.is_in(users.implode())))


def _changed_users(lake: Lake, made_of: Mapping[str, Any]) -> pl.Series | None:
    """Users with another profile or other interactions than their feeds were made of; None if they are not known."""
    now = followed(lake)
    if any(made_of[name] is None or now[name] is None for name in _FOLLOWED):
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
