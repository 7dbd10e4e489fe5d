"""What is remembered of each fetched source between runs, in one small JSON file of the lake.

Losing the file costs one full reading and nothing else.
"""

import datetime as dt
import hashlib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from assets.ingest import errors
from assets.lake import Lake, write_bytes

MAX_AHEAD = dt.timedelta(days=1)
_LONGEST_ASKED_SECONDS = 86_400
LONGEST_PAUSE = dt.timedelta(days=7)  # of what a source asks for


class FeedState(BaseModel, frozen=True):
    """One feed of jobs, or one source about a company.

    `address` is a digest of the configured URL, which may hold a key; another URL starts afresh.

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
    """All feeds, sources about companies, queries and dictionaries by name."""

    feeds: dict[str, FeedState] = {}
    companies: dict[str, FeedState] = {}
    queries: dict[str, QueryState] = {}
    dictionaries: dict[str, DictionaryState] = {}


def address_of(url: str) -> str:
    """A digest that changes with the configured URL or query."""
    return hashlib.blake2b(url.encode(), digest_size=8).hexdigest()


def is_early(state: FeedState, *, min_interval_minutes: int, as_of: dt.datetime) -> bool:
    """Whether it is too early to read the source: it asked for a pause, or its last reading is too recent."""
    if state.not_before is not None and as_of < state.not_before:
        return True
    return state.read_at is not None and as_of < state.read_at + dt.timedelta(minutes=min_interval_minutes)


def after_failure(state: FeedState, error: Exception, *, as_of: dt.datetime) -> FeedState:
    """The state after a reading that failed: when and where to try next."""
    must_wait = isinstance(error, errors.RateLimitedError | errors.DeadlineExceededError)
    has_moved = state.moved_to is not None
    # The address that a feed moved to may be gone or sold, so the first address is tried again.
    moved_to = state.moved_to if must_wait else None
    state = state.model_copy(update={"n_failures": state.n_failures + 1, "moved_to": moved_to})
    if isinstance(error, errors.GoneError) and not has_moved:
        return state.model_copy(update={"gone_at": as_of})
    pause = error.retry_after_seconds if isinstance(error, errors.StatusError) else None
    if pause is not None:
        return state.model_copy(update={"not_before": as_of + dt.timedelta(seconds=min(pause, _LONGEST_ASKED_SECONDS))})
    return state


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
    for known, name, state in [(k, n, s) for k in (states.feeds, states.companies) for n, s in k.items()]:
        ahead: dict[str, None] = {}
        if state.read_at is not None and state.read_at > latest:
            ahead |= dict.fromkeys(("read_at", "etag", "last_modified"))
        if state.not_before is not None and state.not_before > latest_pause:
            ahead["not_before"] = None
        known[name] = state.model_copy(update=ahead)
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
        states.companies.update(changes.companies)
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
