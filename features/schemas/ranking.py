"""Ranked feeds."""

import polars as pl

from features.schemas.table import UTC_TIMESTAMP, Column, Table, dtype_of, published
from serving.contract import tables as contract

REASON_CODES = (
    "similar_to_saved", "similar_to_applied", "similar_to_viewed", "also_applied", "neighbours", "skills", "role",
    "nearby", "same_city", "remote", "popular_in_area", "trending", "new", "salary", "tags", "experience", "company",
    "exploration",
)  # fmt: skip
FEED_ITEM = pl.Struct({name: dtype_of(field.kind) for name, field in contract.FEED_ITEM.items()})
COMPONENT_VALUES = dict(FEED_ITEM)["components"]
FEEDS = published("feeds", "Ranked feeds, a part per shard under layers of changes; one row per user")
WAITING_USERS = Table(
    "waiting_users",
    "Users who may have a new or changed job in their list and are not ranked again yet; one row per user",
    {
        "user_id": FEEDS.described["user_id"],
        "since": Column(UTC_TIMESTAMP, "Instant of the run that found the job"),
        "place": Column(pl.Int32, "How many other users are nearer to one of the jobs, 0 for those who list it"),
    },
    key=("user_id",),
)
FALLBACK_FEEDS = published("fallback_feeds")
MATCHES = published(
    "matches", "How well the first jobs of feeds match; parts under layers of changes; one row per user and job"
)
