"""News feeds of companies (RSS, Atom, RDF) to COMPANY_NEWS."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features.schemas.companies import COMPANY_NEWS
from features.sources.feeds.entries import FeedContext
from features.sources.feeds.rss import rss_document, stated_value
from features.sources.parsed import Parsed, Refusal, rejects
from features.sources.timestamps import read_timestamp
from features.sources.values import items, link, mapping, text, visible
from features.text.normalise import company_id_of_name

MAX_TITLE_CHARACTERS = 300
MAX_ENTRIES = 500  # of one document, the first ones


@dataclass(frozen=True)
class NewsContext:
    """Whose news a document has: an id or a name of a company, and the name of the source that readers see."""

    name: str
    source: str
    company: str | None = None
    company_id: str | None = None
    url: str | None = None
    content_type: str | None = None


def parse_news(body: bytes, feed: NewsContext, *, as_of: datetime) -> Parsed:
    """The entries of a feed as COMPANY_NEWS rows. Raises FeedError if it is none.

    An entry needs a title, a link and a date that is not in the future.
    """
    document, _ = rss_document(
        body, FeedContext(name=feed.name, format="rss", url=feed.url, content_type=feed.content_type)
    )
    rows: list[tuple[str, str, str, datetime]] = []
    refused: list[Refusal] = []
    for number, entry in enumerate(map(mapping, items(document.get("entries"))[:MAX_ENTRIES]), 1):
        row = _row(entry, feed, as_of)
        if isinstance(row, str):
            raw = "\n".join(text(stated_value(entry, name)) or "" for name in ("id", "link", "title"))
            refused.append((f"entry {number}", row, "", raw))
        else:
            rows.append(row)
    names = ("news_id", "title", "url", "published_at")
    frame = pl.DataFrame(rows, schema={name: COMPANY_NEWS.columns[name] for name in names}, orient="row")
    stated = pl.coalesce(pl.lit(feed.company_id, pl.String), company_id_of_name(pl.lit(feed.company, pl.String)))
    known = frame.with_columns(company_id=stated, source=pl.lit(feed.source)).unique(
        "news_id", keep="first", maintain_order=True
    )
    return Parsed(COMPANY_NEWS.conform(known), rejects(refused))


def _row(entry: Mapping[str, object], feed: NewsContext, as_of: datetime) -> tuple[str, str, str, datetime] | str:
    """The row, or the reason to refuse the entry."""
    title, url = visible(stated_value(entry, "title")), link(stated_value(entry, "link"), feed.url)
    times = (read_timestamp(stated_value(entry, name)) for name in ("published", "updated", "created"))
    published_at = next((at for at in times if at), None)
    if title is None:
        return "missing_title"
    if url is None:
        return "missing_link"
    if published_at is None:
        return "missing_published_at"
    if published_at > as_of:
        return "future_published_at"
    named = text(stated_value(entry, "id")) or url
    news_id = hashlib.blake2b(named.encode("utf-8", "replace"), digest_size=12).hexdigest()
    return news_id, title[:MAX_TITLE_CHARACTERS], url, published_at
