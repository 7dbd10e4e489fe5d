"""Instants as options and tags state them."""

import datetime as dt

from features.interactions import CLOCK_SKEW


def parse_as_of(text: str) -> dt.datetime:
    """An RFC 3339 instant, or a date (its first instant in UTC), as UTC. Raises ValueError that names the text."""
    try:
        instant = dt.datetime.fromisoformat(text)
        return (instant if instant.tzinfo is not None else instant.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:  # of the latter: in UTC before the year 1
        raise ValueError(f"as_of {text!r} is not a date or an RFC 3339 time such as 2026-03-01T02:00:00Z") from error


def future_problem(as_of: dt.datetime, *, now: dt.datetime) -> str | None:
    """What is wrong with an `as_of` after `now` by more than clocks differ; None if it is not.

    In the future every job has expired, and what is computed would count as newer than every later run.
    """
    if as_of <= now + CLOCK_SKEW:
        return None
    return f"as_of {as_of.isoformat()} is in the future; it is {now.isoformat(timespec='seconds')} now"
