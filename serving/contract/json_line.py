"""JSON on one line, for logs and for commands whose output others read."""

import json
from typing import Any


def json_line(value: Any, **options: Any) -> str:
    """`value` as JSON, with letters of all languages as they are, and escaped what is not printable.

    JSON itself escapes only the lowest of those characters; others move a terminal's cursor or turn its text round.
    `options` are those of `json.dumps`.
    """
    text = json.dumps(value, ensure_ascii=False, **options)
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
