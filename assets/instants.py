"""Instants as options and tags state them."""

import datetime as dt


def parse_as_of(text: str) -> dt.datetime:
    """An RFC 3339 instant, or a date (its first instant in UTC), as UTC. Raises ValueError that names the text."""
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"as_of {text!r} is not a date or an RFC 3339 time such as 2026-03-01T02:00:00Z") from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=dt.UTC)
    return instant.astimezone(dt.UTC)
