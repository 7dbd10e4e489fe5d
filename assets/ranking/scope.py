"""Which users a run ranks again for what they did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from assets.catalog.job_changes import mark_of_jobs
from assets.increments import changed_since, mark_of
from assets.lake import Lake
from assets.ranking.inputs import Tables, of_users, users_to_rank
from features.schemas.catalog import INTERACTIONS, JOBS, USERS
from features.schemas.features import USER_PROFILES
from features.schemas.ranking import FEEDS
from models.fitting.user_vectors import UserVectors
from models.ranking.feed_problems import violations

_STAGE = "ranking"
# What the feeds of users follow, and where it lies.
_FOLLOWED = {INTERACTIONS.name: "catalog", USER_PROFILES.name: "features"}
# What users state is in their vectors.
_STATED = {USERS.name: "catalog"}


@dataclass(frozen=True)
class Again:
    """The sorted ids of the users to rank again, and of those who lose their feed.

    `unknown`: tables of which it is not known who changed. Then `users` may lack some whose feeds would differ.
    """

    users: pl.Series
    gone: pl.Series
    unknown: Sequence[str] = ()


def followed(lake: Lake) -> dict[str, Any]:
    """What the feeds follow, as it is now; None for a table that the lake lacks."""
    marks = {
        name: mark_of(lake, stage, name) if lake.exists(stage, name) else None
        for name, stage in {**_FOLLOWED, **_STATED}.items()
    }
    return {**marks, JOBS.name: mark_of_jobs(lake)}


def users_to_rank_again(tables: Tables, lake: Lake, made_of: Mapping[str, Any]) -> Again:
    """The users to rank again for what they did; the stored feeds are made of `made_of`.

    Users with an interaction since their feed was made, without a feed, who opted out of personalisation since, or
    whose feed now breaks a hard rule (an event may come late). Users whom jobs concern are found in new_jobs.
    """
    found = {name: _changed_in(lake, stage, name, made_of) for name, stage in _FOLLOWED.items()}
    known = [users for users in found.values() if users is not None]
    changed = pl.concat([pl.Series("user_id", [], pl.String), *known]).unique().sort()
    users = users_to_rank(of_users(tables, changed)) if len(changed) else changed
    if len(known) == len(found):
        return Again(users, changed.filter(~changed.is_in(users.implode())))
    compared = _compared(tables, lake.scan(_STAGE, FEEDS))
    unknown = [name for name, one in found.items() if one is None and lake.exists(_FOLLOWED[name], name)]
    return Again(pl.concat([compared.users, users]).unique().sort(), compared.gone, unknown)


def users_without_their_vector(
    users: pl.Series, lake: Lake, vectors: UserVectors, made_of: Mapping[str, Any]
) -> pl.Series:
    """Those of `users` who have no vector yet, or one of before they stated something."""
    is_without = ~users.is_in(vectors.user_ids.implode())
    for name, stage in _STATED.items():
        stated = _changed_in(lake, stage, name, made_of)
        if stated is not None:
            is_without |= users.is_in(stated.implode())
        elif lake.exists(stage, name):
            return users
    return users.filter(is_without)


def _changed_in(lake: Lake, stage: str, name: str, made_of: Mapping[str, Any]) -> pl.Series | None:
    """The users whose rows of the table changed since the feeds were made; None if they are not known."""
    return changed_since(lake, stage, name, made_of.get(name), "user_id") if lake.exists(stage, name) else None


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
