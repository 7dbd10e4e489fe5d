"""JSON Feed 1.x (jsonfeed.org): jobs as the entries of a feed."""

from functools import partial

from features.sources.feeds.entries import Entries, FeedContext, FeedEntry, FeedError, split_title, title_rule
from features.sources.feeds.json_board import json_document
from features.sources.feeds.rss_boards import board_columns
from features.sources.timestamps import read_timestamp
from features.sources.values import first, items, language_code, link, mapping, plain, strings, text


def read_jsonfeed(body: bytes, feed: FeedContext) -> Entries:
    """JSON Feed 1.x (jsonfeed.org); titles are split in the same way as those of RSS."""
    document = mapping(json_document(body, feed))
    if "jsonfeed.org" not in (text(document.get("version")) or "") or not isinstance(document.get("items"), list):
        raise FeedError(feed.name, "no JSON Feed: version or items is missing")
    entries = items(document["items"])
    titles = [plain(mapping(entry).get("title")) for entry in entries]
    links = [link(mapping(entry).get("url"), feed.url) for entry in entries]
    rule = title_rule(titles, feed=feed, links=links)
    language = language_code(document.get("language"))
    for item in entries:
        if not isinstance(item, dict):
            yield "bad_entry", item
            continue
        url = first(partial(link, base=feed.url), item, "url", "external_url")
        columns = {
            "url": url,
            "description": first(text, item, "content_html", "content_text", "summary"),
            "tags": strings(items(item.get("tags"))),
            "language": language_code(item.get("language")) or language,
            "published_at": first(read_timestamp, item, "date_published", "date_modified"),
            **split_title(plain(item.get("title")), rule),
        }
        author = text(mapping(item.get("author")).get("name"))
        yield FeedEntry(text(item.get("id")), {**columns, **board_columns(columns, url=url, author=author)}), item
