"""One trace a run, one span a step; nothing is imported while no collector is named."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from pipelines.traces import RunTrace, trace_if_switched_on
from tests.serving.server import ROOT


def test_a_run_is_one_trace_with_a_span_a_step() -> None:
    exporter = InMemorySpanExporter()
    trace = RunTrace(exporter, name="run daily", attributes={"jobfeed.run_id": "7"})
    trace.begin_step("bronze/events")
    trace.begin_step("catalog/jobs")
    trace.end_step("bronze/events", n_rows=3)
    trace.end_step("catalog/jobs", problem="the disk is full")
    trace.end(problem="the disk is full")
    spans = {span.name: span for span in exporter.get_finished_spans()}
    run = spans.pop("run daily")
    assert set(spans) == {"bronze/events", "catalog/jobs"}
    assert {span.parent.span_id for span in spans.values()} == {run.context.span_id}
    assert {f"{span.context.trace_id:032x}" for span in (run, *spans.values())} == {trace.trace_id}
    assert spans["bronze/events"].attributes["jobfeed.n_rows"] == 3
    assert spans["catalog/jobs"].status.status_code is StatusCode.ERROR
    assert (run.status.description, run.attributes["jobfeed.run_id"]) == ("the disk is full", "7")


def test_a_step_that_a_run_left_open_ends_with_it() -> None:
    exporter = InMemorySpanExporter()
    trace = RunTrace(exporter, name="run daily", attributes={})
    trace.begin_step("bronze/events")
    trace.end(problem=None)
    step, run = exporter.get_finished_spans()
    assert (step.status.status_code, run.status.status_code) == (StatusCode.ERROR, StatusCode.OK)


def test_spans_reach_a_collector() -> None:
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                raise AssertionError("not asked for")
            received.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        trace = trace_if_switched_on(
            name="run hourly", attributes={}, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "set"}
        )
        assert trace is not None
        trace.begin_step("bronze/events")
        trace.end_step("bronze/events")
        trace.end(problem=None)
    server.shutdown()
    server.server_close()
    spans = [
        span.name
        for body in received
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert sorted(spans) == ["bronze/events", "run hourly"]


@pytest.mark.parametrize(
    "environment", [{}, {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}]
)
def test_without_a_collector_there_is_no_trace(environment: dict[str, str]) -> None:
    assert trace_if_switched_on(name="run daily", attributes={}, environment=environment) is None


def test_nothing_of_traces_and_metrics_is_imported_while_they_are_off() -> None:
    code = (
        "import sys; from pipelines.traces import trace_if_switched_on as t; t(name='', attributes={}, environment={});"
        "import pipelines.observer; print([m for m in sys.modules if m.startswith(('opentelemetry', 'prometheus'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_idle_run_imports_neither_dagster_nor_what_logs_need() -> None:
    code = (
        "import sys; import pipelines.cli.main, pipelines.environment;"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('dagster', 'structlog', 'prometheus_client', 'opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
