"""Feeds, fetched side by side or replayed from landing/: each on its own, so that a bad one harms no other."""

import datetime as dt
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from assets.config import FeedSource
from assets.ingest import errors
from assets.ingest.http import HttpClient, Response
from assets.ingest.landing import LandedFile
from assets.ingest.quarantine import UNREADABLE, UNSUPPORTED, whole_file
from assets.ingest.source_state import FeedState, address_of
from features.sources.feeds import FeedContext, FeedError, parse_feed
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS

_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_JSON_FORMATS = ("jsonfeed", "remotive", "jobicy", "himalayas", "greenhouse", "ashby", "remoteok", "lever")
MAX_FILE_BYTES = 50_000_000


@dataclass(frozen=True)
class FeedReading:
    """What came of one feed in this run. `is_full`: it was read whole, with nothing refused; `is_unchanged`: a 304."""

    name: str
    status: str
    parsed: Parsed
    origin: str = ""
    state: FeedState | None = None
    is_full: bool = False
    is_unchanged: bool = False
    seconds: float = 0.0


def fetch_feeds(
    feeds: Sequence[FeedSource], states: Mapping[str, FeedState], client: HttpClient, *, as_of: dt.datetime
) -> list[FeedReading]:
    """One reading per enabled feed, in the order of their names. Never raises for what a feed does."""
    enabled = sorted((feed for feed in feeds if feed.enabled), key=lambda feed: feed.name)
    if not enabled:
        return []
    with ThreadPoolExecutor(client.limits.max_parallel_sources, thread_name_prefix="feed") as pool:
        return list(pool.map(lambda feed: _fetch_isolated(feed, states.get(feed.name), client, as_of), enabled))


def context_of(feed: FeedSource, *, content_type: str | None = None) -> FeedContext:
    """What the parser is told of a configured feed."""
    return FeedContext(
        name=feed.name,
        url=str(feed.url),
        format=feed.format,
        language=feed.language,
        country=feed.country,
        company=feed.company,
        title_pattern=feed.title_pattern,
        content_type=content_type,
    )


def replay_feed(file: LandedFile, feeds: Mapping[str, FeedSource]) -> tuple[str, Parsed]:
    """(source, what was parsed) of a landed feed; the format is the configured one, else as the content looks."""
    parts = file.name.split("/")
    name = parts[1] if len(parts) > 2 else ""
    if not _SOURCE_NAME.fullmatch(name):
        return "feeds", _refused(UNSUPPORTED, "a feed lies in a folder named as in sources.yaml: feeds/<name>/<file>")
    if file.suffixes not in (".xml", ".json", ".rss", ".atom"):
        return name, _refused(UNSUPPORTED, f"{file.suffixes or 'no suffix'}; expected .xml or .json")
    if file.size_bytes > MAX_FILE_BYTES:
        return name, _refused(UNREADABLE, f"{file.size_bytes} bytes; at most {MAX_FILE_BYTES} are read")
    body = file.path.read_bytes()
    contexts = [context_of(feeds[name])] if name in feeds else _sniffed(name, body)
    reason = ""
    for context in contexts:
        try:
            return name, parse_feed(body, feed=context)
        except FeedError as error:
            reason = reason or error.reason
    return name, _refused("bad_feed", reason, body)


def scope_of(name: str, feeds: Mapping[str, FeedSource]) -> str:
    """What decides, beside its bytes, how a landed feed is read: its source and how that source is configured."""
    source = name.split("/")[1]
    feed = feeds.get(source)
    return source if feed is None else f"{source}@{address_of(repr(context_of(feed)))}"


def _sniffed(name: str, body: bytes) -> list[FeedContext]:
    is_json = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    return [FeedContext(name=name, format=format_) for format_ in (_JSON_FORMATS if is_json else ("rss",))]


def _fetch_isolated(feed: FeedSource, state: FeedState | None, client: HttpClient, as_of: dt.datetime) -> FeedReading:
    started = time.perf_counter()
    try:
        reading = _fetch(feed, state, client, as_of)
    except Exception as error:  # one source must not fail the others, whatever its bytes did to a parser
        reading = FeedReading(feed.name, f"failed: {type(error).__name__}", _nothing())
    return replace(reading, seconds=time.perf_counter() - started)


def _fetch(feed: FeedSource, state: FeedState | None, client: HttpClient, as_of: dt.datetime) -> FeedReading:
    address = address_of(str(feed.url))
    if state is None or state.address != address:
        state = FeedState(address=address)
    if state.gone_at is not None:
        return FeedReading(feed.name, "gone since " + state.gone_at.date().isoformat(), _nothing())
    if _is_early(feed, state, as_of):
        return FeedReading(feed.name, "not due yet", _nothing())
    url = state.moved_to or str(feed.url)
    try:
        response = client.get(url, validators=state.validators)
    except errors.GoneError:
        return FeedReading(feed.name, "gone (410)", _nothing(), state=state.model_copy(update={"gone_at": as_of}))
    except errors.FetchError as error:
        return FeedReading(feed.name, f"failed: {error}", _nothing(), state=_after_failure(state, error, as_of))
    moved = response.moved_to or state.moved_to
    if response.is_unchanged:
        kept = state.model_copy(update={"read_at": as_of, "not_before": None, "moved_to": moved})
        return FeedReading(feed.name, "unchanged (304)", _nothing(), state=kept, is_unchanged=True)
    return _parse(feed, response, state.model_copy(update={"moved_to": moved}), as_of)


def _parse(feed: FeedSource, response: Response, state: FeedState, as_of: dt.datetime) -> FeedReading:
    origin = errors.public_url(response.url)
    try:
        parsed = parse_feed(response.body, feed=context_of(feed, content_type=response.content_type))
    except FeedError as error:
        refused = _refused("bad_feed", error.reason, response.body)
        return FeedReading(feed.name, f"failed: {error.reason}", refused, origin=origin)
    n_jobs = parsed.rows["job_id"].n_unique()
    read = FeedState(
        address=state.address,
        etag=response.validators.etag,
        last_modified=response.validators.last_modified,
        moved_to=state.moved_to,
        read_at=as_of,
        n_jobs=n_jobs,
    )
    if state.n_jobs is not None and n_jobs < state.n_jobs / 2:
        # Half a board gone at once is more often a fault than the truth: believed when the next reading says it again.
        doubted = read.model_copy(update={"etag": None, "last_modified": None})
        return FeedReading(feed.name, f"dropped from {state.n_jobs} to {n_jobs} jobs", parsed, origin, doubted)
    return FeedReading(feed.name, "read", parsed, origin, read, is_full=parsed.rejects.is_empty())


def _is_early(feed: FeedSource, state: FeedState, as_of: dt.datetime) -> bool:
    if state.not_before is not None and as_of < state.not_before:
        return True
    return state.read_at is not None and as_of < state.read_at + dt.timedelta(minutes=feed.min_interval_minutes)


def _after_failure(state: FeedState, error: errors.FetchError, as_of: dt.datetime) -> FeedState | None:
    pause = error.retry_after_seconds if isinstance(error, errors.StatusError) else None
    if pause is None:
        return None
    return state.model_copy(update={"not_before": as_of + dt.timedelta(seconds=min(pause, 86_400))})


def _nothing() -> Parsed:
    return Parsed(PARSED_POSTINGS.empty(), whole_file("").clear())


def _refused(reason: str, detail: str, raw: bytes = b"") -> Parsed:
    return Parsed(PARSED_POSTINGS.empty(), whole_file(reason, detail=detail, raw=raw))
