"""Metrics for Prometheus: what they say, where they go, and that nothing of it can fail a run."""

import datetime as dt
import io
import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from assets.ingest.report import RunReport
from assets.ingest.run_log import record_runs
from assets.lake import Lake
from assets.run_outcomes import RunOutcome
from pipelines import metrics
from serving.contract.tables import SCHEMA_VERSION, TABLES
from tests.factories import AS_OF, publish_small

OUTCOME = RunOutcome("hourly", "1", "", 1000.0, True, 900.0, 60.5, 90.5, 2**30, "", {"catalog/jobs": 1.5}, {"a/b": 3})


def samples(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    found = [sample for family in registry.collect() for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in found}


def ingested(lake: Lake, *, at: dt.datetime, source: str = "board", **reasons: int) -> None:
    report = RunReport()
    counts = report.of(source)
    counts.n_fetched, counts.n_read, counts.n_quarantined = 1, 20, sum(reasons.values())
    counts.n_new = counts.n_read - counts.n_quarantined
    counts.reasons.update(reasons)
    record_runs(lake, report, kind="feeds", as_of=at)


def test_a_run_has_its_result_duration_and_cost() -> None:
    assert samples(metrics.metrics_of_run(OUTCOME)) == {
        ("jobfeed_run_success", "hourly"): 1,
        ("jobfeed_run_end_timestamp_seconds", "hourly"): 1000,
        ("jobfeed_run_last_success_timestamp_seconds", "hourly"): 900,
        ("jobfeed_run_seconds", "hourly"): 60.5,
        ("jobfeed_run_cpu_seconds", "hourly"): 90.5,
        ("jobfeed_run_peak_memory_bytes", "hourly"): 2**30,
        ("jobfeed_step_seconds", "hourly", "catalog/jobs"): 1.5,
        ("jobfeed_asset_rows", "hourly", "a/b"): 3,
    }


def test_the_served_generation_has_its_age_and_rows(tmp_path: Path) -> None:
    publish_small(tmp_path / "published")
    found = samples(metrics.metrics_of_data(Lake(tmp_path / "lake"), tmp_path / "published"))
    assert found[("jobfeed_published_as_of_timestamp_seconds",)] == AS_OF.timestamp()
    assert {name[1] for name in found if name[0] == "jobfeed_published_rows"} == set(TABLES)
    assert ("jobfeed_published_rows", "feeds") in found
    (build,) = [name for name in found if name[0] == "jobfeed_build_info"]
    assert SCHEMA_VERSION in build


def test_without_a_generation_only_the_build_is_known(tmp_path: Path) -> None:
    found = samples(metrics.metrics_of_data(Lake(tmp_path / "lake"), tmp_path / "published"))
    assert {name[0] for name in found} == {"jobfeed_build_info"}


def test_quarantine_is_counted_by_reason_of_the_last_reading(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    ingested(lake, at=AS_OF, bad_json=19)
    ingested(lake, at=AS_OF + dt.timedelta(hours=1), bad_json=2, no_title=14)
    found = samples(metrics.metrics_of_data(lake, tmp_path / "published"))
    assert {name[1:]: n for name, n in found.items() if name[0] == "jobfeed_quarantined_entries"} == {
        ("feeds", "bad_json"): 2, ("feeds", "no_title"): 14,
    }  # fmt: skip
    assert ("jobfeed_source_alarm", "feeds", "board", "quarantined") in found


def test_files_are_replaced_whole_and_readable_by_the_collector(tmp_path: Path) -> None:
    former = os.umask(0o077)
    try:
        for _ in range(2):
            metrics.report_run(OUTCOME, environment={"JOBFEED_METRICS_DIR": str(tmp_path)})
    finally:
        os.umask(former)
    (path,) = tmp_path.iterdir()
    assert path.name == "jobfeed-run-hourly.prom"
    assert path.stat().st_mode & 0o777 == 0o644
    names = {family.name for family in text_string_to_metric_families(path.read_text(encoding="utf-8"))}
    assert names == set(metrics.OF_RUNS)


def test_a_folder_that_is_away_is_logged_and_fails_nothing(tmp_path: Path, written: io.StringIO) -> None:
    metrics.report_run(OUTCOME, environment={"JOBFEED_METRICS_DIR": str(tmp_path / "away")})
    (line,) = [json.loads(line) for line in written.getvalue().splitlines()]
    assert (line["event"], line["level"]) == ("metrics were not written", "warning")
    assert "JOBFEED_METRICS_DIR" in line["reason"]


class Gateway:
    """A Pushgateway that fails `n_failures` times with `status` first."""

    def __init__(self, n_failures: int = 0, status: int = 503) -> None:
        self.pushed: list[tuple[str, str]] = []
        self.n_asked = 0
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                gateway.n_asked += 1
                fails = gateway.n_asked <= n_failures
                if not fails:
                    gateway.pushed.append((self.path, body))
                self.send_response(status if fails else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_BACKOFF_SECONDS", 0)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)


@pytest.mark.parametrize(
    ("n_failures", "status", "n_asked", "is_pushed"),
    [(0, 503, 1, True), (2, 503, 3, True), (9, 503, 3, False), (9, 400, 1, False)],
)
def test_a_gateway_is_asked_again_only_if_that_may_help(
    written: io.StringIO, n_failures: int, status: int, n_asked: int, is_pushed: bool
) -> None:
    gateway = Gateway(n_failures, status)
    metrics.report_run(OUTCOME, environment={"JOBFEED_PUSHGATEWAY": gateway.url})
    gateway.server.shutdown()
    gateway.server.server_close()
    assert gateway.n_asked == n_asked
    assert bool(gateway.pushed) is is_pushed
    assert ("metrics were not pushed" in written.getvalue()) is not is_pushed
    if is_pushed:
        path, body = gateway.pushed[0]
        assert path == "/metrics/job/jobfeed/run_job/hourly"
        assert 'jobfeed_run_seconds{run_job="hourly"} 60.5' in body


def test_a_gateway_that_is_away_does_not_give_away_its_password(written: io.StringIO) -> None:
    metrics.report_run(OUTCOME, environment={"JOBFEED_PUSHGATEWAY": "http://u:53cr3t@127.0.0.1:9"})
    assert "metrics were not pushed" in written.getvalue()
    assert "53cr3t" not in written.getvalue()
