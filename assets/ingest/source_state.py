"""What is remembered of each fetched source between runs: validators, where it moved, when it was read. A small JSON
file in the lake; losing it costs one full reading and nothing else.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from assets.ingest.http.client import Validators
from assets.lake import Lake, write_bytes


class FeedState(BaseModel):
    """One feed. `address` is a digest of the configured URL (which may hold a key): another URL starts afresh.
    `n_failures`: failed readings since the last that did not."""

    model_config = ConfigDict(frozen=True)

    address: str
    etag: str | None = None
    last_modified: str | None = None
    moved_to: str | None = None
    gone_at: dt.datetime | None = None
    read_at: dt.datetime | None = None
    not_before: dt.datetime | None = None
    n_jobs: int | None = None
    n_failures: int = 0

    @property
    def validators(self) -> Validators:
        return Validators(self.etag, self.last_modified)


class QueryState(BaseModel):
    """One HH query: up to when it was walked, and when it was last walked over its whole period. `address` is a digest
    of the query: another one starts afresh."""

    model_config = ConfigDict(frozen=True)

    address: str
    walked_at: dt.datetime
    walked_fully_at: dt.datetime


class DictionaryState(BaseModel):
    """One dictionary of HH's API: what to ask with whether it has changed, and until when it need not be asked."""

    model_config = ConfigDict(frozen=True)

    etag: str | None = None
    last_modified: str | None = None
    fresh_until: dt.datetime

    @property
    def validators(self) -> Validators:
        return Validators(self.etag, self.last_modified)


class SourceStates(BaseModel):
    """All feeds, queries and dictionaries by name."""

    feeds: dict[str, FeedState] = {}
    queries: dict[str, QueryState] = {}
    dictionaries: dict[str, DictionaryState] = {}


def address_of(url: str) -> str:
    """A digest that tells whether a configured URL is still the same."""
    return hashlib.blake2b(url.encode(), digest_size=8).hexdigest()


def load_states(lake: Lake) -> SourceStates:
    """The stored states; none where nothing, or nothing legible, is stored."""
    try:
        return SourceStates.model_validate_json(_path(lake).read_bytes())
    except (FileNotFoundError, ValidationError):
        return SourceStates()


def update_states(
    lake: Lake,
    *,
    feeds: Mapping[str, FeedState] | None = None,
    queries: Mapping[str, QueryState] | None = None,
    dictionaries: Mapping[str, DictionaryState] | None = None,
) -> None:
    """Replaces the states of the given sources, leaving those that another run may have written."""
    if not feeds and not queries and not dictionaries:
        return
    with lake.lock("bronze/source_state"):
        stored = load_states(lake)
        merged = SourceStates(
            feeds={**stored.feeds, **(feeds or {})},
            queries={**stored.queries, **(queries or {})},
            dictionaries={**stored.dictionaries, **(dictionaries or {})},
        )
        write_bytes(_path(lake), merged.model_dump_json(indent=1).encode())


def forget_feed(lake: Lake, name: str) -> bool:
    """Drops what is stored of a feed; False if nothing was."""
    with lake.lock("bronze/source_state"):
        stored = load_states(lake)
        if name not in stored.feeds:
            return False
        kept = {known: state for known, state in stored.feeds.items() if known != name}
        write_bytes(_path(lake), stored.model_copy(update={"feeds": kept}).model_dump_json(indent=1).encode())
        return True


def _path(lake: Lake) -> Path:
    return lake.root / "bronze" / "source_state.json"
