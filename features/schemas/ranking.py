"""Ranked feeds."""

import polars as pl

from features.schemas.table import UTC_TIMESTAMP, Table
from serving.contract.tables import COMPONENTS

REASON_CODES = (
    "similar_to_saved", "similar_to_applied", "similar_to_viewed", "also_applied", "neighbours", "skills", "role",
    "nearby", "same_city", "remote", "popular_in_area", "trending", "new", "salary", "tags", "experience", "company",
    "exploration",
)  # fmt: skip
REASON = pl.Struct({"code": pl.String, "ref": pl.String, "value": pl.Float32})
FEED_ITEM = pl.Struct(
    {
        "rank": pl.Int16,
        "job_id": pl.String,
        "score": pl.Float32,
        "confidence": pl.Float32,
        "seen": pl.Boolean,
        "explored": pl.Boolean,
        "propensity": pl.Float32,
        "reasons": pl.List(REASON),
        "components": pl.Struct(dict.fromkeys(COMPONENTS, pl.Float32)),
    }
)
# Grain: user_id. Partitioned by shard.
FEEDS = Table(
    "feeds",
    {
        "user_id": pl.String,
        "generated_at": UTC_TIMESTAMP,
        "recipe": pl.String,
        "arm": pl.String,
        "source": pl.String,
        "items": pl.List(FEED_ITEM),
    },
    key=("user_id",),
)
# Grain: shard, replacement, user_id: what a partial run changed in a shard; the items are null where the feed went.
FEED_CHANGES = Table(
    "feed_changes",
    {
        **FEEDS.columns,
        "is_removed": pl.Boolean,
        "existed": pl.Boolean,
        "identity_before": pl.String,
        "identity_after": pl.String,
    },
    key=("user_id",),
)
# Grain: segment: "all", "country=RU", "country=RU/role=<role>".
FALLBACK_FEEDS = Table("fallback_feeds", {"segment": pl.String, "items": pl.List(FEED_ITEM)}, key=("segment",))
