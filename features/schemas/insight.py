"""Digests, the market, skill gaps and metrics."""

import polars as pl

from features.schemas.table import UTC_TIMESTAMP, Column, Table, published

DIGESTS = published("digests")
DIGEST_ITEMS = Table(
    "digest_items",
    "Jobs that were in digests, a part per UTC date of the run; one row per digest and job",
    {
        "user_id": DIGESTS.described["user_id"],
        "job_id": Column(pl.String, "Job, as <source>:<source_id>"),
        "digest_date": DIGESTS.described["digest_date"],
        "made_at": Column(UTC_TIMESTAMP, "Instant of the run that made the digest"),
    },
    key=("user_id", "digest_date", "job_id"),
)
MARKET_TRENDS = published("market_trends")
SKILL_DEMAND = published("skill_demand")
SKILL_GAPS = published("skill_gaps")
METRICS = published("metrics")
