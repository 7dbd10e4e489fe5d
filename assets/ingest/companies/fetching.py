"""Asks the sources about companies that are due: in parallel by host, each with its state. What answers mean is said
by the caller.
"""

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from urllib.parse import urlsplit

import polars as pl

from assets.config.sources import CompanySource
from assets.ingest import errors
from assets.ingest.quarantine import QuarantineBuffer
from assets.ingest.report import RunReport
from assets.ingest.source_state import (
    FeedState,
    SourceStates,
    address_of,
    after_failure,
    believable_states,
    is_early,
)
from assets.lake import Lake
from features.errors import SourceError
from features.sources.parsed import REJECTS

_MOST_THREADS = 8
_MOST_TIMEOUTS = 2  # of one host in one run


@dataclass(frozen=True)
class CompanyRequest:
    """What is asked about one employer: `name` is the source in the log of runs, `url` its first address."""

    name: str
    company: CompanySource
    url: str
    min_interval_minutes: int


@dataclass(frozen=True)
class CompanyReading:
    """What came of a request. `rows` is None if nothing was read, or nothing is new."""

    name: str
    status: str
    rows: pl.DataFrame | None = None
    rejects: pl.DataFrame = field(default_factory=REJECTS.empty)
    state: FeedState | None = None
    n_fetched: int = 0
    is_failed: bool = False
    seconds: float = 0.0


Read = Callable[[CompanyRequest, FeedState], CompanyReading]


class Fetched(NamedTuple):
    """The rows of each source that was read, and the states to keep once the rows are stored.

    A state that went ahead of its rows would have the source answer that nothing changed.
    """

    rows: dict[str, pl.DataFrame]
    states: SourceStates


def read_companies(
    lake: Lake, requests: Sequence[CompanyRequest], read: Read, report: RunReport, *, as_of: dt.datetime
) -> Fetched:
    """Reads each source that is due; counts are in the report, rejects in quarantine.

    `read` may raise FetchError or SourceError. It never stops the other sources.
    """
    states = believable_states(lake, as_of=as_of).companies
    lanes: defaultdict[str, list[CompanyRequest]] = defaultdict(list)
    for request in requests:
        lanes[urlsplit(request.url).hostname or ""].append(request)
    found: dict[str, pl.DataFrame] = {}
    kept: dict[str, FeedState] = {}
    refused = QuarantineBuffer(lake, as_of)
    with ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="companies") as pool:
        for readings in pool.map(lambda lane: _read_lane(lane, states, read, as_of=as_of), lanes.values()):
            for reading in readings:
                counts = report.of(reading.name)
                counts.statuses.append(reading.status)
                counts.n_fetched += reading.n_fetched
                counts.seconds += reading.seconds
                counts.is_failed = reading.is_failed
                report.add_rejects(reading.name, reading.rejects)
                refused.add(reading.rejects, source=reading.name, file=reading.name)
                if reading.state is not None:
                    kept[reading.name] = reading.state
                if reading.rows is not None:
                    found[reading.name] = reading.rows
    refused.flush()
    return Fetched(found, SourceStates(companies=kept))


def _read_lane(
    lane: Sequence[CompanyRequest], states: Mapping[str, FeedState], read: Read, *, as_of: dt.datetime
) -> list[CompanyReading]:
    """The sources of one host, one after another. A host that refuses, or is slow twice, is left alone until later."""
    readings: list[CompanyReading] = []
    n_timeouts, refusal = 0, ""
    for request in lane:
        state, address = states.get(request.name), address_of(request.url)
        if state is None or state.address != address:
            state = FeedState(address=address)
        started = time.perf_counter()
        if state.gone_at is not None:
            reading = CompanyReading(request.name, "gone since " + state.gone_at.date().isoformat())
        elif is_early(state, min_interval_minutes=request.min_interval_minutes, as_of=as_of):
            reading = CompanyReading(request.name, "not due yet")
        elif refusal or n_timeouts >= _MOST_TIMEOUTS:
            why = refusal or "its host did not answer in time twice"
            reading = CompanyReading(request.name, f"skipped: {why}", is_failed=True)
        else:
            try:
                reading = read(request, state)
            except (errors.FetchError, SourceError) as error:
                n_timeouts += isinstance(error, errors.DeadlineExceededError)
                if isinstance(error, errors.AccessDeniedError | errors.RateLimitedError):
                    refusal = f"its host refuses further requests ({error.status})"
                reading = _failed(request, state, error, as_of)
            except Exception as error:  # one source must not fail the others, whatever its bytes do to a parser
                reading = CompanyReading(request.name, f"failed: {type(error).__name__}", is_failed=True)
        readings.append(replace(reading, seconds=time.perf_counter() - started))
    return readings


def _failed(request: CompanyRequest, state: FeedState, error: Exception, as_of: dt.datetime) -> CompanyReading:
    after = after_failure(state, error, as_of=as_of)
    status = "gone (410)" if after.gone_at is not None else f"failed: {error}"
    return CompanyReading(request.name, status, state=after, is_failed=True)
