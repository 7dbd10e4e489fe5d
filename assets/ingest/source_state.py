"""What is remembered of each fetched source between runs, in one small JSON file of the lake.

Losing the file costs one full reading and nothing else.
"""

import datetime as dt
import hashlib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from assets.lake import Lake, write_bytes

MAX_AHEAD = dt.timedelta(days=1)
LONGEST_PAUSE = dt.timedelta(days=7)  # of what a source asks for


class FeedState(BaseModel, frozen=True):
    """One feed. `address` is a digest of the configured URL, which may hold a key; another URL starts afresh.

    `n_failures` counts the failed readings since the last successful one.
    """

    address: str
    etag: str | None = None
    last_modified: str | None = None
    moved_to: str | None = None
    gone_at: dt.datetime | None = None
    read_at: dt.datetime | None = None
    not_before: dt.datetime | None = None
    n_jobs: int | None = None
    n_failures: int = 0


class QueryState(BaseModel, frozen=True):
    """One HH query: when it was last searched to its end, and when over its whole period.

    `address` is a digest of the query; another query of the same name starts afresh.
    """

    address: str
    walked_at: dt.datetime
    walked_fully_at: dt.datetime


class DictionaryState(BaseModel, frozen=True):
    """One dictionary of HH's API. It need not be requested before `fresh_until`."""

    etag: str | None = None
    last_modified: str | None = None
    fresh_until: dt.datetime


class SourceStates(BaseModel):
    """All feeds, queries and dictionaries by name."""

    feeds: dict[str, FeedState] = {}
    queries: dict[str, QueryState] = {}
    dictionaries: dict[str, DictionaryState] = {}


def address_of(url: str) -> str:
    """A digest that changes with the configured URL or query."""
    return hashlib.blake2b(url.encode(), digest_size=8).hexdigest()


def load_states(lake: Lake) -> SourceStates:
    """The stored states; empty if nothing, or nothing readable, is stored."""
    try:
        return SourceStates.model_validate_json(_path(lake).read_bytes())
    except (FileNotFoundError, ValidationError):
        return SourceStates()


def believable_states(lake: Lake, *, as_of: dt.datetime) -> SourceStates:
    """The stored states without what a clock that was ahead left in them: it would silence a source until then."""
    states = load_states(lake)
    latest = max(as_of, dt.datetime.now(dt.UTC)) + MAX_AHEAD
    latest_pause = latest + LONGEST_PAUSE
    for name, state in states.feeds.items():
        ahead: dict[str, None] = {}
        if state.read_at is not None and state.read_at > latest:
            ahead |= dict.fromkeys(("read_at", "etag", "last_modified"))
        if state.not_before is not None and state.not_before > latest_pause:
            ahead["not_before"] = None
        states.feeds[name] = state.model_copy(update=ahead)
    states.queries = {name: state for name, state in states.queries.items() if state.walked_at <= latest}
    states.dictionaries = {
        path: state for path, state in states.dictionaries.items() if state.fresh_until <= latest_pause
    }
    return states


def update_states(lake: Lake, changes: SourceStates) -> None:
    """Replaces the states in `changes` and keeps all others, which another run may have written."""
    if changes == SourceStates():
        return
    with lake.lock("bronze/source_state"):
        states = load_states(lake)
        states.feeds.update(changes.feeds)
        states.queries.update(changes.queries)
        states.dictionaries.update(changes.dictionaries)
        _save(lake, states)


def forget_feed(lake: Lake, name: str) -> bool:
    """Drops the state of a feed; False if there was none."""
    with lake.lock("bronze/source_state"):
        states = load_states(lake)
        if states.feeds.pop(name, None) is None:
            return False
        _save(lake, states)
        return True


def forget_all(lake: Lake) -> None:
    """Drops all states: the next run reads every source as if for the first time."""
    _path(lake).unlink(missing_ok=True)


def _save(lake: Lake, states: SourceStates) -> None:
    write_bytes(_path(lake), states.model_dump_json(indent=1).encode())


def _path(lake: Lake) -> Path:
    return lake.root / "bronze" / "source_state.json"
