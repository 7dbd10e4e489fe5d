"""Prometheus metrics and an access log of requests. Neither names a user, a token or a query."""

import datetime as dt
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from serving.service.requests import RequestContext

# The folder where workers share their counters; prometheus_client reads the variable when it is imported.
SHARED_METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1)
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
    """Writes JSON lines in batches, at most a second late, and the rest at the end."""

    def __init__(self, writer: Writer, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._clock = clock
        self._lines: list[bytes] = []
        self._lock = threading.Lock()  # requests and the regular flush come from two threads
        self._flushed_at = clock()
        self._encoder = msgspec.json.Encoder()

    def add(
        self, context: "RequestContext", *, method: str, status: int, size: int, seconds: float, generation: str | None
    ) -> None:
        """Adds the line of one request."""
        now = self._clock()
        at = dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="milliseconds")
        application = context.caller.application if context.caller is not None else None
        milliseconds = round(1000 * seconds, 3)
        line = AccessLine(
            at, context.request_id, method, context.route, status, size, milliseconds, application, generation
        )
        with self._lock:
            self._lines.append(self._encoder.encode(line))
            is_due = len(self._lines) >= _FLUSH_LINES or now - self._flushed_at >= _FLUSH_SECONDS
        if is_due:
            self.flush()

    def flush(self) -> None:
        """Writes the lines that were added."""
        with self._lock:
            if self._lines:
                # A full disk or a closed pipe loses log lines, never an answer.
                with suppress(OSError):
                    self._writer.write(b"\n".join(self._lines) + b"\n")
                    self._writer.flush()
                self._lines.clear()
            self._flushed_at = self._clock()


class Metrics:
    """Counters of requests, and the metrics of the served generation that `collect_state` yields."""

    def __init__(self, collect_state: Callable[[], Iterator[Metric]]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "jobfeed_requests", "Requests by route and status", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "jobfeed_request_seconds", "Seconds to an answer", ["route"], buckets=_BUCKETS, registry=self._registry
        )
        self._children: dict[tuple[str, int], Counter] = {}
        self._timers: dict[str, Histogram] = {}
        self._collect_state = collect_state

    def add(self, route: str, status: int, seconds: float) -> None:
        """Counts one request."""
        counter = self._children.get((route, status))
        if counter is None:
            counter = self._children[(route, status)] = self._requests.labels(route, str(status))
        counter.inc()
        timer = self._timers.get(route)
        if timer is None:
            timer = self._timers[route] = self._seconds.labels(route)
        timer.observe(seconds)

    def exposition(self) -> bytes:
        """The text that Prometheus reads: the counters of all workers, and the state of this one."""
        registry = self._registry
        if SHARED_METRICS_VARIABLE in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry) + exposition_of(self._collect_state())


class _Collected:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Called by prometheus_client."""
        return self._families


def exposition_of(families: Iterable[Metric]) -> bytes:
    """These metrics as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(families)))
    return generate_latest(registry)


def counter(name: str, description: str, value: float) -> Metric:
    """A counter of this process."""
    return CounterMetricFamily(name, description, value=value)


def gauge(name: str, description: str, value: float, **labels: str) -> Metric:
    """A gauge with one value."""
    family = GaugeMetricFamily(name, description, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
