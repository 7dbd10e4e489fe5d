"""What is told of each request: Prometheus metrics and an access log. Neither names a user, a token or a query."""

import datetime as dt
import mmap
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

# The folder where worker processes share their counters.
SHARED_METRICS_VARIABLE = "JOBFEED_SERVE_METRICS"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1)
_STATUSES = (200, 304, 400, 401, 403, 404, 405, 414, 429, 431, 500, 503)
_FIRST_BUCKET = len(_STATUSES)
_SUM = _FIRST_BUCKET + len(_BUCKETS) + 1
_WIDTH = _SUM + 1
_COUNTS_SUFFIX = "counts"
_FLUSH_LINES = 256
_FLUSH_SECONDS = 1.0


class Writer(Protocol):
    """Where log lines go."""

    def write(self, text: bytes) -> object: ...

    def flush(self) -> object: ...


class AccessLine(msgspec.Struct):
    """One line of the access log. `application` is the token's, `route` the endpoint without its ids."""

    at: str
    request_id: str
    method: str
    route: str
    status: int
    bytes: int
    milliseconds: float
    application: str | None
    generation: str | None


class AccessLog:
    """Writes JSON lines in batches: at most a second late, and whole at the end."""

    def __init__(self, writer: Writer, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._clock = clock
        self._lines: list[bytes] = []
        self._flushed_at = clock()
        self._encoder = msgspec.json.Encoder()

    def add(
        self, request_id: str, method: str, route: str, status: int, size: int, seconds: float,
        application: str | None, generation: str | None,
    ) -> None:  # fmt: skip
        """Notes one request."""
        now = self._clock()
        at = dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="milliseconds")
        line = AccessLine(
            at, request_id, method, route, status, size, round(1000 * seconds, 3), application, generation
        )
        self._lines.append(self._encoder.encode(line))
        if len(self._lines) >= _FLUSH_LINES or now - self._flushed_at >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what was noted."""
        if self._lines:
            # A full disk or a closed pipe costs lines of the log, never an answer.
            with suppress(OSError):
                self._writer.write(b"\n".join(self._lines) + b"\n")
                self._writer.flush()
            self._lines.clear()
        self._flushed_at = self._clock()


class Metrics:
    """Counters of requests to `routes`, and what `tell_state` says of the served generation (name -> value, labels).

    Counts are kept in a file's memory where several workers serve, so that each can tell those of all. A metrics
    library counts one request for what this counts ten; how they are told is the library's.
    """

    def __init__(self, routes: Sequence[str], tell_state: Callable[[], Iterator[Metric]]) -> None:
        self._routes = list(routes)
        self._columns = {status: column for column, status in enumerate(_STATUSES)}
        self._rows = {route: row * _WIDTH for row, route in enumerate(self._routes)}
        folder = os.environ.get(SHARED_METRICS_VARIABLE)
        self._folder = Path(folder) if folder else None
        self._counts = memoryview(bytearray(8 * _WIDTH * len(self._routes))).cast("d")
        if self._folder is not None:
            path = self._folder / f"{os.getpid()}.{_COUNTS_SUFFIX}"
            path.write_bytes(bytes(self._counts))
            with path.open("r+b") as handle:
                self._counts = memoryview(mmap.mmap(handle.fileno(), 0)).cast("d")
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(self._tell))
        self._registry.register(_Collector(tell_state))

    def add(self, route: str, status: int, seconds: float) -> None:
        """Counts one request."""
        counts, row = self._counts, self._rows[route]
        counts[row + self._columns[status]] += 1
        counts[row + _FIRST_BUCKET + bisect_left(_BUCKETS, seconds)] += 1
        counts[row + _SUM] += seconds

    def exposition(self) -> bytes:
        """The text that Prometheus reads: the counters of all workers together, the state that this one sees."""
        return generate_latest(self._registry)

    def _tell(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("jobfeed_requests", "Requests by route and status", labels=["route", "status"])
        seconds = HistogramMetricFamily("jobfeed_request_seconds", "Seconds to an answer", labels=["route"])
        totals = self._totals()
        for place, route in enumerate(self._routes):
            row = totals[place * _WIDTH : (place + 1) * _WIDTH]
            for status, count in zip(_STATUSES, row, strict=False):
                if count:
                    requests.add_metric([route, str(status)], count)
            cumulated = list(accumulate(row[_FIRST_BUCKET:_SUM]))
            if cumulated[-1]:
                limits = [*(str(float(limit)) for limit in _BUCKETS), "+Inf"]
                seconds.add_metric([route], list(zip(limits, cumulated, strict=True)), row[_SUM])
        yield from (requests, seconds)

    def _totals(self) -> list[float]:
        if self._folder is None:
            return list(self._counts)
        # Also those of workers that are gone: a counter never falls.
        files = [path.read_bytes() for path in sorted(self._folder.glob(f"*.{_COUNTS_SUFFIX}"))]
        tables = [memoryview(text).cast("d") for text in files if len(text) == self._counts.nbytes]
        return [sum(column) for column in zip(*tables, strict=True)]


class _Collector:
    def __init__(self, tell: Callable[[], Iterator[Metric]]) -> None:
        self._tell = tell

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks a collector for."""
        yield from self._tell()


def gauge(name: str, description: str, value: float, **labels: str) -> Metric:
    """One value of now."""
    family = GaugeMetricFamily(name, description, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
