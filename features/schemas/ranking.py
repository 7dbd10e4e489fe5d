"""Ranked feeds."""

import polars as pl

from features.schemas.table import Column, Table, dtype_of, published
from serving.contract import tables as contract

REASON_CODES = (
    "similar_to_saved", "similar_to_applied", "similar_to_viewed", "also_applied", "neighbours", "skills", "role",
    "nearby", "same_city", "remote", "popular_in_area", "trending", "new", "salary", "tags", "experience", "company",
    "exploration",
)  # fmt: skip
FEED_ITEM = pl.Struct({name: dtype_of(field.kind) for name, field in contract.FEED_ITEM.items()})
FEEDS = published("feeds", "Ranked feeds, a part per shard; one row per user")
FEED_CHANGES = Table(
    "feed_changes",
    "What partial runs changed, a part per shard and replacement; one row per user whose feed changed",
    {
        **FEEDS.described,
        "is_removed": Column(pl.Boolean, "Whether the feed went; its items are null then"),
        "existed": Column(pl.Boolean, "Whether there was a feed before"),
        "identity_before": Column(pl.String, "Identity of the shard's file before"),
        "identity_after": Column(pl.String, "Identity of the shard's file after"),
    },
    key=("user_id",),
)
FALLBACK_FEEDS = published("fallback_feeds")
