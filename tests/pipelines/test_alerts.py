"""Failed runs and checks are told to a webhook, once a cause."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import dagster as dg
import pytest

from assets.resources import Workspace
from pipelines import alerts

SECRET = "hook-53cr3t"


class Hook:
    """A webhook that keeps what it was told, and answers with `status`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.status == 200:
                    hook.told.append(json.loads(body)["text"])
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    hook = Hook()
    monkeypatch.setenv(alerts.WEBHOOK_VARIABLE, f"http://127.0.0.1:{hook.server.server_port}/{SECRET}")
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


STATE = {"error": "", "problem": ""}


@dg.asset
def jobs() -> None:
    if STATE["error"]:
        raise dg.Failure(STATE["error"])


@dg.asset_check(asset=jobs)
def sources_keep_coming() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not STATE["problem"], severity=dg.AssetCheckSeverity.WARN, description=STATE["problem"] or "well"
    )


JOB = dg.Definitions(
    [jobs], asset_checks=[sources_keep_coming], jobs=[dg.define_asset_job("hourly", dg.AssetSelection.all())]
).resolve_job_def("hourly")


def run(instance: dg.DagsterInstance, *, error: str = "", problem: str = "") -> None:
    """A run of the job, and the sensor that its end wakes."""
    STATE.update(error=error, problem=problem)
    result = JOB.execute_in_process(instance=instance, raise_on_error=False)
    kind = dg.DagsterEventType.RUN_FAILURE if error else dg.DagsterEventType.RUN_SUCCESS
    (event,) = [one for one in result.all_events if one.event_type == kind]
    sensor = alerts.failed_runs if error else alerts.failed_checks
    context = dg.build_run_status_sensor_context(
        sensor.name, dagster_event=event, dagster_instance=instance, dagster_run=result.dagster_run,
        resources={"workspace": Workspace(data_dir="unused")},
    )  # fmt: skip
    sensor(context.for_run_failure() if error else context)


def test_a_failed_run_is_told_with_its_step_and_cause(hook: Hook, instance: dg.DagsterInstance) -> None:
    run(instance, error="the disk is full: free 3 GB")
    assert hook.told == ["jobfeed: hourly failed at jobs: the disk is full: free 3 GB"]


def test_a_cause_is_told_once_until_it_is_gone_or_another_comes(hook: Hook, instance: dg.DagsterInstance) -> None:
    for error in ("full: free 3 GB", "full: free 4 GB", "read-only", "", "read-only", "read-only"):
        run(instance, error=error)
    assert [text.rsplit(": ", 1)[-1] for text in hook.told] == ["free 3 GB", "read-only", "read-only"]


def test_a_cause_that_stays_is_told_again_after_a_day(
    hook: Hook, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours in (0, 23, 25, 26):
        monkeypatch.setattr(alerts.time, "time", lambda hours=hours: 1e9 + hours * 3600.0)
        run(instance, error="full")
    assert len(hook.told) == 2


def test_a_check_that_warns_is_told_with_what_it_found(hook: Hook, instance: dg.DagsterInstance) -> None:
    for problem in (
        "board: failing (2 runs)",
        "board: failing (3 runs)",
        "board, hh: failing (3 runs)",
        "",
        "board: failing",
    ):
        run(instance, problem=problem)
    assert hook.told == [
        f"jobfeed: hourly: check jobs sources_keep_coming: {text}"
        for text in ("board: failing (2 runs)", "board, hh: failing (3 runs)", "board: failing")
    ]


@pytest.mark.parametrize("status", [400, 404])
def test_what_was_not_taken_is_told_by_the_next_run_and_the_address_stays_secret(
    hook: Hook, instance: dg.DagsterInstance, status: int
) -> None:
    hook.status = status
    with pytest.raises(alerts.AlertError, match=f"answered {status}") as caught:
        run(instance, error="full")
    assert SECRET not in str(caught.value)
    hook.status = 200
    run(instance, error="full")
    assert len(hook.told) == 1


def test_a_webhook_that_is_away_keeps_its_address_secret(
    hook: Hook, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(alerts.WEBHOOK_VARIABLE, f"http://127.0.0.1:9/{SECRET}")
    monkeypatch.setattr(alerts, "_BACKOFF_SECONDS", 0)
    with pytest.raises(alerts.AlertError, match="ConnectionError") as caught:
        run(instance, error="full")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_a_webhook_nobody_is_told_and_the_sensor_says_so(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(alerts.WEBHOOK_VARIABLE, raising=False)
    with pytest.raises(alerts.AlertError, match="is not set"):
        run(instance, error="full")
