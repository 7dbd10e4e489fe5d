"""Parses one body of a board, as the tests of the boards do."""

import json

from features.sources.feeds.entries import FeedContext
from features.sources.feeds.formats import parse_feed
from features.sources.parsed import Parsed


def parse(format_: str, document: object, **context: str) -> Parsed:
    """`document` (bytes, or a value to write as JSON) read as a feed called "board"."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_feed(body, feed=FeedContext(name="board", format=format_, **context))


def only(parsed: Parsed) -> dict[str, object]:
    """The only row."""
    assert parsed.rows.height == 1, parsed.rejects
    return parsed.rows.row(0, named=True)


def stated(row: dict[str, object]) -> dict[str, object]:
    """The content that a row states, without what every row has."""
    every = {"job_id", "source", "content_hash", "is_complete"}
    return {name: value for name, value in row.items() if value is not None and name not in every}
