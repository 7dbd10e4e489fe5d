"""What ingest read about companies, beside their postings."""

import polars as pl

from features.schemas.table import UTC_TIMESTAMP, Column, Table

COMPANY_FACTS = Table(
    "company_facts",
    "What landed files and GitHub say of companies; one row per company, fact and source, the newest",
    {
        "company_id": Column(pl.String, "The company as in jobs, or name: and its name folded for comparison"),
        "fact": Column(pl.String, "What it is about, such as headcount"),
        "value": Column(pl.String, "What was said"),
        "source": Column(pl.String, "Who said it"),
        "url": Column(pl.String, "Where it can be read; null if not stated"),
        "observed_at": Column(UTC_TIMESTAMP, "When"),
    },
    key=("company_id", "fact", "source"),
)
COMPANY_NEWS = Table(
    "company_news",
    "News of companies, of the last 90 days; one row per company, source and entry of its feed",
    {
        "company_id": COMPANY_FACTS.described["company_id"],
        "source": Column(pl.String, "Host of the feed, or of the first entry's page"),
        "news_id": Column(pl.String, "Hash of the entry's id, link or title"),
        "title": Column(pl.String, "Title, plain text on one line"),
        "url": Column(pl.String, "Page of the entry; http or https only"),
        "published_at": Column(UTC_TIMESTAMP, "When it was published"),
    },
    key=("company_id", "source", "news_id"),
)
