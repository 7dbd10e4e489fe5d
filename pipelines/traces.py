"""Traces of runs by OpenTelemetry: one trace a run, one span a step. Off, and not imported, unless an endpoint is set.

The collector is named by the standard variables: OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.
"""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from serving.contract.logs import get_logger

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_OFF_VARIABLE = "OTEL_SDK_DISABLED"
_LONGEST_FLUSH_MS = 10_000
_LOG = get_logger("traces")


class RunTrace:
    """The trace of one run, begun when it is made. Spans end as their steps do, the rest with the run."""

    def __init__(self, exporter: "SpanExporter", *, name: str, attributes: Mapping[str, str]) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import set_span_in_context

        resource = Resource.create({"service.name": "jobfeed", "service.version": version("jobfeed")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("jobfeed")
        self._run = self._tracer.start_span(name, attributes=dict(attributes))
        self._of_run = set_span_in_context(self._run)
        self._steps: dict[str, Span] = {}

    @property
    def trace_id(self) -> str:
        """As collectors show it."""
        return f"{self._run.get_span_context().trace_id:032x}"

    def begin_step(self, step: str) -> None:
        """Begins the span of a step."""
        self._steps[step] = self._tracer.start_span(step, context=self._of_run)

    def end_step(self, step: str, *, problem: str | None = None, n_rows: int | None = None) -> None:
        """Ends the span of a step. `problem` says why the step failed."""
        span = self._steps.pop(step, None)
        if span is not None:
            if n_rows is not None:
                span.set_attribute("jobfeed.n_rows", n_rows)
            _end(span, problem)

    def end(self, *, problem: str | None) -> None:
        """Ends the run and sends what was not sent yet, for some seconds at most."""
        for step in list(self._steps):
            self.end_step(step, problem="the run ended before the step did")
        _end(self._run, problem)
        self._provider.force_flush(_LONGEST_FLUSH_MS)
        self._provider.shutdown()


def trace_if_switched_on(
    *, name: str, attributes: Mapping[str, str], environment: Mapping[str, str]
) -> RunTrace | None:
    """The trace of a run that begins now; None if no collector is named, or the packages are missing."""
    if environment.get(_OFF_VARIABLE, "").lower() == "true" or not any(map(environment.get, ENDPOINT_VARIABLES)):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        _LOG.warning("no traces are sent", reason=f'{error}; `pip install -c constraints.txt -e ".[otel]"` adds it')
        return None
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # a line if the collector is away, not one a retry
    return RunTrace(OTLPSpanExporter(), name=name, attributes=attributes)


def _end(span: Any, problem: str | None) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.OK) if problem is None else Status(StatusCode.ERROR, problem))
    span.end()
