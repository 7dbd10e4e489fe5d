"""Alerts: a message if a run fails, or a check of a run finds something, and one when that is well again.

Each cause is told once: again only after `alerts.again_after_hours`, or if it was gone in between. Dagster's sensors
tell of runs that its daemon started, `jobfeed run` tells of its own. Where messages go is in alert_channels.py.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterEventType

from assets.config.pipeline import Pipeline
from assets.resources import Workspace
from pipelines.alert_channels import AlertError, Channel, channels_of
from pipelines.failures import cause_of
from serving.contract.logs import without_addresses

_MAX_CHARACTERS = 2_000
_KEY = "jobfeed/alert/"
_FIGURES = re.compile(r"[\d:.,+-]*\d[\d:.,+-]*")
_NOBODY = "nobody can be told: set JOBFEED_ALERT_WEBHOOK, or alerts.email.to in pipeline.yaml"


@dataclass(frozen=True)
class Finding:
    """What a run says about `subject`: what is wrong with it, or nothing if all is well."""

    subject: str
    text: str = ""

    @property
    def cause(self) -> str:
        """The text without its figures, which differ from run to run."""
        return _FIGURES.sub("", self.text)[:_MAX_CHARACTERS]


def findings_of(instance: dg.DagsterInstance, run: dg.DagsterRun, *, succeeded: bool) -> Iterator[Finding]:
    """What there is to tell of a run that ended: why it failed, and what each of its checks found."""
    yield Finding(f"run {run.job_name}") if succeeded else _failure_of(instance, run)
    for record in _events(instance, run, DagsterEventType.ASSET_CHECK_EVALUATION):
        check = record.asset_check_evaluation_data
        name = f"check {check.asset_key.to_user_string()} {check.check_name}"
        text = f"{run.job_name}: {name}: {check.description or 'not passed'}"
        yield Finding(name, "" if check.passed else text)


def _failure_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Finding:
    """The first failed step, or what Dagster says of a run that failed outside of its steps."""
    subject = f"run {run.job_name}"
    for event in _events(instance, run, DagsterEventType.STEP_FAILURE):
        step = (event.step_key or "").replace("__", "/")
        return Finding(subject, f"{run.job_name} failed at {step}: {cause_of(event.step_failure_data)}")
    for event in _events(instance, run, DagsterEventType.RUN_FAILURE):
        return Finding(subject, f"{run.job_name} failed: {event.message}")
    return Finding(subject, f"{run.job_name} failed: it ended without saying why")


def _events(instance: dg.DagsterInstance, run: dg.DagsterRun, kind: DagsterEventType) -> Iterator[dg.DagsterEvent]:
    for record in instance.get_records_for_run(run.run_id, of_type=kind).records:
        if record.event_log_entry.dagster_event is not None:
            yield record.event_log_entry.dagster_event


def tell(
    instance: dg.DagsterInstance, channel: Channel, finding: Finding, *, now: float, again_after_hours: float
) -> bool:
    """Sends what is bad and was not told lately, or that it is well again; remembers it. Returns whether it was sent.

    Raises AlertError, and remembers nothing then, so that the next run tells it.
    """
    key = f"{_KEY}{channel.name}/{finding.subject}"
    at, _, cause = (instance.run_storage.get_cursor_values({key}).get(key) or "0 ").partition(" ")
    if not finding.text:
        if cause:
            channel.send(f"jobfeed: {finding.subject} is well again")
            instance.run_storage.set_cursor_values({key: "0 "})
        return bool(cause)
    if cause == finding.cause and now - float(at) < again_after_hours * 3600:
        return False
    channel.send(without_addresses(f"jobfeed: {finding.text}")[:_MAX_CHARACTERS])
    instance.run_storage.set_cursor_values({key: f"{now} {finding.cause}"})
    return True


def tell_of_run(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    *,
    succeeded: bool,
    settings: Pipeline,
    environment: Mapping[str, str],
) -> None:
    """Tells everybody of a run that ended. Raises AlertError after all were tried."""
    channels = channels_of(settings, environment)
    findings = list(findings_of(instance, run, succeeded=succeeded)) if channels else []
    problems = []
    for channel in channels:
        try:
            for finding in findings:
                tell(instance, channel, finding, now=time.time(), again_after_hours=settings.alerts.again_after_hours)
        except AlertError as error:  # its other findings would fail alike
            problems.append(str(error))
    if problems:
        raise AlertError("; ".join(problems))


def alert_sensors(settings: Pipeline) -> Sequence[dg.SensorDefinition]:
    """The sensors of failed runs and of checks; they are on from the start if there is somebody to tell."""
    is_on = bool(channels_of(settings, os.environ))
    status = dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED

    @dg.run_failure_sensor(default_status=status, description="Tells operators why a run failed.")
    def failed_runs(context: dg.RunFailureSensorContext, workspace: Workspace) -> None:
        """One message a cause; see the module."""
        _tell_all(context, workspace, succeeded=False)

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        default_status=status,
        description="Tells operators what the checks of a run found, sources that fail or fall silent among it.",
    )
    def failed_checks(context: dg.RunStatusSensorContext, workspace: Workspace) -> None:
        """One message a cause; what is well again is told once."""
        _tell_all(context, workspace, succeeded=True)

    return [failed_runs, failed_checks]


def _tell_all(context: dg.RunStatusSensorContext, workspace: Workspace, *, succeeded: bool) -> None:
    settings = workspace.config.pipeline
    if not channels_of(settings, os.environ):
        raise AlertError(_NOBODY)
    tell_of_run(context.instance, context.dagster_run, succeeded=succeeded, settings=settings, environment=os.environ)
