"""Ranked feeds."""

import polars as pl

from features.schemas.table import dtype_of, published
from serving.contract import tables as contract

REASON_CODES = (
    "similar_to_saved", "similar_to_applied", "similar_to_viewed", "also_applied", "neighbours", "skills", "role",
    "nearby", "same_city", "remote", "popular_in_area", "trending", "new", "salary", "tags", "experience", "company",
    "exploration",
)  # fmt: skip
FEED_ITEM = pl.Struct({name: dtype_of(field.kind) for name, field in contract.FEED_ITEM.items()})
FEEDS = published("feeds", "Ranked feeds, a part per shard under layers of changes; one row per user")
FALLBACK_FEEDS = published("fallback_feeds")
