"""Alerts: a message to a webhook if a run fails, or a check of a run finds something, once a cause.

The webhook is named by JOBFEED_ALERT_WEBHOOK and gets JSON with one key, `text`, as Slack, Mattermost and others read
it. A cause is told again only after `alerts.again_after_hours`, or if it was gone in between.
"""

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from assets.resources import Workspace
from features.errors import JobfeedError
from pipelines.failures import cause_of

WEBHOOK_VARIABLE = "JOBFEED_ALERT_WEBHOOK"
_MAX_CHARACTERS = 2_000
_TIMEOUT_SECONDS = 10
_BACKOFF_SECONDS = 0.5
_KEY = "jobfeed/alert/"
_FIGURES = re.compile(r"[\d:.,+-]*\d[\d:.,+-]*")
_ENABLED = bool(os.environ.get(WEBHOOK_VARIABLE))
_STATUS = dg.DefaultSensorStatus.RUNNING if _ENABLED else dg.DefaultSensorStatus.STOPPED


class AlertError(JobfeedError, RuntimeError):
    """The webhook did not take the message. The webhook's address, which is secret, is not in the text."""


@dataclass(frozen=True)
class Finding:
    """What a run says about `subject`: what is wrong with it, or nothing if all is well."""

    subject: str
    text: str = ""

    @property
    def cause(self) -> str:
        """The text without its figures, which differ from run to run."""
        return _FIGURES.sub("", self.text)[:_MAX_CHARACTERS]


def failure_of(context: dg.RunFailureSensorContext) -> Finding:
    """Why a run failed: its first failed step."""
    job = context.dagster_run.job_name
    for event in context.get_step_failure_events():
        step = (event.step_key or "").replace("__", "/")
        return Finding(f"run {job}", f"{job} failed at {step}: {cause_of(event.step_failure_data)}")
    return Finding(f"run {job}", f"{job} failed: {context.failure_event.message}")


def checks_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[Finding]:
    """What each check of a run found."""
    records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    for record in records:
        if record.event_log_entry.dagster_event is None:
            continue
        check = record.event_log_entry.dagster_event.asset_check_evaluation_data
        name = f"check {check.asset_key.to_user_string()} {check.check_name}"
        text = f"{run.job_name}: {name}: {check.description or 'not passed'}"
        yield Finding(name, "" if check.passed else text)


def tell(instance: dg.DagsterInstance, finding: Finding, *, now: float, again_after_hours: float) -> bool:
    """Sends what is bad and was not told lately; remembers it, or that it is good again. Returns whether it was sent.

    Raises AlertError, and remembers nothing then, so that the next run tells it.
    """
    key = _KEY + finding.subject
    at, _, cause = (instance.run_storage.get_cursor_values({key}).get(key) or "0 ").partition(" ")
    if not finding.text:
        instance.run_storage.set_cursor_values({key: "0 "})
        return False
    if cause == finding.cause and now - float(at) < again_after_hours * 3600:
        return False
    send(f"jobfeed: {finding.text}")
    instance.run_storage.set_cursor_values({key: f"{now} {finding.cause}"})
    return True


def send(text: str) -> None:
    """Posts the message to the webhook, four times at most. Raises AlertError."""
    session = requests.Session()
    retry = Retry(total=3, backoff_factor=_BACKOFF_SECONDS, status_forcelist=[429, 502, 503, 504], allowed_methods=None)
    session.mount("https://", HTTPAdapter(max_retries=retry))
    session.mount("http://", HTTPAdapter(max_retries=retry))
    try:
        answer = session.post(
            os.environ[WEBHOOK_VARIABLE], json={"text": text[:_MAX_CHARACTERS]}, timeout=_TIMEOUT_SECONDS
        )
    except requests.RequestException as error:
        raise AlertError(f"{WEBHOOK_VARIABLE}: {type(error).__name__}; the alert was: {text}") from None
    if not answer.ok:
        raise AlertError(f"{WEBHOOK_VARIABLE}: answered {answer.status_code}; the alert was: {text}")


@dg.run_failure_sensor(default_status=_STATUS, description="Tells the webhook why a run failed.")
def failed_runs(context: dg.RunFailureSensorContext, workspace: Workspace) -> None:
    """One message a cause; see the module."""
    _tell_all(context, workspace, [failure_of(context), *checks_of(context.instance, context.dagster_run)])


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=_STATUS,
    description="Tells the webhook what the checks of a run found, sources that fail or fall silent among it.",
)
def failed_checks(context: dg.RunStatusSensorContext, workspace: Workspace) -> None:
    """One message a cause; causes that are gone may be told again."""
    well = Finding(f"run {context.dagster_run.job_name}")
    _tell_all(context, workspace, [well, *checks_of(context.instance, context.dagster_run)])


SENSORS = [failed_runs, failed_checks]


def _tell_all(context: dg.RunStatusSensorContext, workspace: Workspace, findings: Sequence[Finding]) -> None:
    if not os.environ.get(WEBHOOK_VARIABLE):
        raise AlertError(f"{WEBHOOK_VARIABLE} is not set: nobody can be told")
    hours = workspace.config.pipeline.alerts.again_after_hours
    for finding in findings:
        tell(context.instance, finding, now=time.time(), again_after_hours=hours)
