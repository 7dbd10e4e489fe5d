"""The text of XML documents, and what a body is that is none. Elements are read elsewhere."""

import re

from features.sources.charset import decode_feed
from features.sources.feeds.entries import FeedContext, FeedError

_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,400}\?>")


def xml_text(body: bytes, feed: FeedContext) -> str:
    """`body` as text without its XML declaration. Raises FeedError if a DTD declares entities."""
    decoded = _DECLARATION.sub("", decode_feed(body, content_type=feed.content_type, url=feed.url), count=1)
    if _declares_entities(decoded):
        raise FeedError(feed.name, "its DTD declares entities")
    return decoded


def what_it_is(decoded: str, *, expected: str) -> str:
    """What a body without a feed is, judged by its beginning."""
    head = decoded[:2_000].lstrip("\ufeff \t\r\n\0").lower()
    if not head:
        return "an empty body"
    if "<html" in head or head.startswith("<!doctype html"):
        return "an HTML page, no feed"
    if head.startswith(("{", "[")):
        return f"JSON, expected {expected}"
    return f"no {expected} document"


def _declares_entities(document: str) -> bool:
    """Whether a DTD before the root element declares entities, in one linear pass over the prolog."""
    position = 0
    while (start := document.find("<", position)) >= 0:
        if document.startswith("<!--", start):
            end = document.find("-->", start + 4)
        elif document.startswith("<?", start):
            end = document.find("?>", start + 2)
        elif document.startswith("<!", start):
            bracket, end = document.find("[", start), document.find(">", start)
            if 0 <= bracket < end and "<!ENTITY" in document[bracket:].upper():
                return True
        else:
            return False
        if end < 0:
            return False
        position = end + 1
    return False
