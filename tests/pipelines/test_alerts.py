"""Failed runs and checks are told to a webhook and by e-mail, once a cause."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import dagster as dg
import pytest

from assets.config.pipeline import Pipeline
from assets.resources import Workspace
from pipelines import alert_channels, alerts
from tests.assets.digests.mail_server import Inbox, mail_server

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
    monkeypatch.setenv(alert_channels.WEBHOOK_VARIABLE, f"http://127.0.0.1:{hook.server.server_port}/{SECRET}")
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_channels, "_BACKOFF_SECONDS", 0)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)


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


def run(instance: dg.DagsterInstance, *, error: str = "", problem: str = "", config: str = "") -> None:
    """A run of the job, and the sensor that its end wakes."""
    STATE.update(error=error, problem=problem)
    result = JOB.execute_in_process(instance=instance, raise_on_error=False)
    kind = dg.DagsterEventType.RUN_FAILURE if error else dg.DagsterEventType.RUN_SUCCESS
    (event,) = [one for one in result.all_events if one.event_type == kind]
    failed_runs, failed_checks = alerts.alert_sensors(Pipeline())
    sensor = failed_runs if error else failed_checks
    context = dg.build_run_status_sensor_context(
        sensor.name, dagster_event=event, dagster_instance=instance, dagster_run=result.dagster_run,
        resources={"workspace": Workspace(data_dir="unused", config_dir=config)},
    )  # fmt: skip
    sensor(context.for_run_failure() if error else context)


def test_a_failed_run_is_told_with_its_step_and_cause(hook: Hook, instance: dg.DagsterInstance) -> None:
    run(instance, error="the disk is full: free 3 GB")
    assert hook.told == ["jobfeed: hourly failed at jobs: the disk is full: free 3 GB"]


def test_a_cause_is_told_once_until_it_is_gone_or_another_comes(hook: Hook, instance: dg.DagsterInstance) -> None:
    for error in ("full: free 3 GB", "full: free 4 GB", "read-only", "", "read-only", "read-only"):
        run(instance, error=error)
    assert [text.rsplit(": ", 1)[-1] for text in hook.told] == [
        "free 3 GB", "read-only", "run hourly is well again", "read-only",
    ]  # fmt: skip


def test_that_all_is_well_again_is_told_once_and_only_after_a_trouble(hook: Hook, instance: dg.DagsterInstance) -> None:
    run(instance)
    assert hook.told == []
    run(instance, problem="board: failing")
    for _ in range(3):
        run(instance)
    assert [text.removeprefix("jobfeed: ") for text in hook.told] == [
        "hourly: check jobs sources_keep_coming: board: failing", "check jobs sources_keep_coming is well again",
    ]  # fmt: skip


def test_addresses_of_people_are_struck_out(hook: Hook, instance: dg.DagsterInstance) -> None:
    run(instance, error="can't parse anna@mail.example")
    assert hook.told == ["jobfeed: hourly failed at jobs: can't parse ***"]


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
    told = [text for text in hook.told if "well again" not in text]
    assert told == [
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
    monkeypatch.setenv(alert_channels.WEBHOOK_VARIABLE, f"http://127.0.0.1:9/{SECRET}")
    with pytest.raises(alerts.AlertError, match="ConnectionError") as caught:
        run(instance, error="full")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_a_webhook_nobody_is_told_and_the_sensor_says_so(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(alert_channels.WEBHOOK_VARIABLE, raising=False)
    with pytest.raises(alerts.AlertError, match="nobody can be told: set JOBFEED_ALERT_WEBHOOK"):
        run(instance, error="full")


@pytest.fixture
def config(tmp_path: Path) -> Iterator[tuple[str, Inbox, list[str]]]:
    """A configuration that names a mail server, its inbox, and the faults of its next mails."""
    faults: list[str] = []
    inbox = Inbox(fault=lambda step, _: faults.pop(0) if step == "rcpt" and faults else None)
    with mail_server(inbox) as port:
        settings = {
            "alerts": {
                "email": {
                    "to": ["ops@example.org", "Night <night@example.org>"],
                    "sender": "jobfeed <jobs@example.org>",
                    "server": {"host": "127.0.0.1", "port": port, "security": "none"},
                }
            }
        }
        (tmp_path / "pipeline.yaml").write_text(json.dumps(settings), encoding="utf-8")
        yield str(tmp_path), inbox, faults


def test_operators_get_one_e_mail_a_cause_and_one_when_it_is_well_again(
    instance: dg.DagsterInstance, config: tuple[str, Inbox, list[str]]
) -> None:
    folder, inbox, _ = config
    for error in ("full: free 3 GB", "full: free 4 GB", "", ""):
        run(instance, error=error, config=folder)
    subjects = [(mail["To"], mail["Subject"]) for mail in inbox.messages]
    assert subjects == [
        (to, subject)
        for subject in ("jobfeed: hourly failed at jobs: full: free 3 GB", "jobfeed: run hourly is well again")
        for to in ("ops@example.org", "Night <night@example.org>")
    ]
    first = inbox.messages[0]
    assert first["From"] == "jobfeed <jobs@example.org>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert "docs/runbook.md" in first.get_content()


@pytest.mark.parametrize(
    ("replies", "n_taken"),
    [
        (["450 4.2.0 later"], 2),
        (["550 5.1.1 unknown"], 1),
        (["550 5.1.1 unknown", "550 5.1.1 unknown"], 0),
        (["450 4.2.0 later"] * 6, 0),
    ],
)
def test_a_refusal_that_may_pass_is_tried_again_and_a_final_one_is_not(
    instance: dg.DagsterInstance, config: tuple[str, Inbox, list[str]], replies: list[str], n_taken: int
) -> None:
    folder, inbox, faults = config
    faults += replies
    if n_taken:
        run(instance, error="full", config=folder)
        assert (len(inbox.mails), faults) == (n_taken, [])
        return
    with pytest.raises(alerts.AlertError, match=r"alerts\.email: the mail server answered (550 5.1.1|450 4.2.0)"):
        run(instance, error="full", config=folder)
    run(instance, error="full", config=folder)  # it was not remembered as told
    assert len(inbox.mails) == 2


def test_a_mail_server_that_is_away_does_not_keep_the_webhook_from_being_told(
    hook: Hook, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    server = {"host": "127.0.0.1", "port": 9, "security": "none"}
    email = {"to": ["ops@example.org"], "sender": "jobs@example.org", "server": server}
    (tmp_path / "pipeline.yaml").write_text(json.dumps({"alerts": {"email": email}}), encoding="utf-8")
    for _ in range(2):
        with pytest.raises(alerts.AlertError, match=r"alerts\.email: 127\.0\.0\.1:9 can.t be used") as caught:
            run(instance, error="full", config=str(tmp_path))
        assert SECRET not in str(caught.value)
    assert len(hook.told) == 1


@pytest.mark.parametrize(
    ("email", "says"),
    [
        ({"to": ["ops"]}, "expected one mailbox"),
        ({"to": [""]}, "expected an address"),
        ({"to": ["ops@example.org"]}, "needs a mail server"),
        ({"to": ["ops@example.org"], "server": {"host": "localhost", "security": "none"}}, "needs alerts.email.sender"),
        ({"to": ["ops@example.org\nBcc: all@example.org"]}, "expected one mailbox"),
    ],
)
def test_settings_that_can_reach_nobody_are_refused(email: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Pipeline.model_validate({"alerts": {"email": email}})


def test_sensors_are_on_where_somebody_can_be_told(hook: Hook) -> None:
    assert {one.default_status for one in alerts.alert_sensors(Pipeline())} == {dg.DefaultSensorStatus.RUNNING}
