"""When the jobs run.

A tick is skipped, not queued, while a run of the same job or of one that does more is active, if nothing is new, or if
it comes so late that the next one is due. Schedules are off until someone switches them on in the UI, or names their
jobs in JOBFEED_SCHEDULES or in `schedules` of pipeline.yaml.
"""

import datetime as dt
import os
from collections.abc import Collection, Sequence

import dagster as dg

from assets.damage import rebuild_due
from assets.resources import AS_OF_TAG, BACKFILL_JOB, DIGESTS_JOB
from assets.run_ledger import COVERED
from features.errors import JobfeedError
from pipelines.dead_runs import end_dead_runs
from pipelines.environment import note_nothing_new, nothing_new_since, workspace_from_environment
from pipelines.jobs import ACTIVE, AFTER_DAILY, DIGEST_STEPS

DIGEST_STEP_TAG = "jobfeed/digest_step"
SEND = "send"
SCHEDULES_VARIABLE = "JOBFEED_SCHEDULES"
# Not all at full hours: a run would wait for the other.
_CRONS = {"daily": "0 2 * * *", "hourly": "10 * * * *", "frequent": "5-59/15 * * * *", "weekly": "0 4 * * 0"}
_LATEST = {
    "daily": dt.timedelta(hours=12),
    "hourly": dt.timedelta(hours=1),
    "frequent": dt.timedelta(minutes=15),
    "weekly": dt.timedelta(days=2),
}


class SchedulesError(JobfeedError, ValueError):
    """JOBFEED_SCHEDULES can't be used; the message says why."""


def request_if_needed(context: dg.ScheduleEvaluationContext, job_name: str) -> dg.RunRequest | dg.SkipReason:
    """A run for the tick's instant, or the reason why not."""
    late = _now() - context.scheduled_execution_time
    if late > _LATEST[job_name]:
        return dg.SkipReason(f"the tick of {context.scheduled_execution_time.isoformat()} is {late} late")
    end_dead_runs(context.instance, workspace_from_environment().lake, now=_now())
    for covering in (job_name, *(job for job, covered in COVERED.items() if job_name in covered)):
        active = context.instance.get_runs(dg.RunsFilter(job_name=covering, statuses=ACTIVE), limit=1)
        if active:
            return dg.SkipReason(f"run {active[0].run_id} of {covering} is still active")
    if job_name in AFTER_DAILY and (reason := _daily_first(context.instance)) is not None:
        return dg.SkipReason(reason)
    last = nothing_new_since(job_name, context.scheduled_execution_time.astimezone(dt.UTC))
    if last is not None:
        note_nothing_new(job_name)
        return dg.SkipReason(f"nothing new for {job_name} since the run as of {last.isoformat()}")
    instant = context.scheduled_execution_time.isoformat()
    return dg.RunRequest(run_key=instant, tags={AS_OF_TAG: instant})


def _daily_first(instance: dg.DagsterInstance) -> str | None:
    """Why only a daily run may come now; None if any may."""
    reason = rebuild_due(workspace_from_environment().lake)
    if reason is not None:
        return f"{reason}: a daily run comes first"
    if instance.get_runs(dg.RunsFilter(job_name=BACKFILL_JOB, statuses=ACTIVE), limit=1):
        return f"runs of {BACKFILL_JOB} are active: a daily run comes after them"
    return None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _schedule(job_name: str, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{job_name}_schedule", job_name=job_name, cron_schedule=_CRONS[job_name], execution_timezone="UTC",
        default_status=status,
    )  # fmt: skip
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_if_needed(context, job_name)

    return tick


def request_digest_step(context: dg.ScheduleEvaluationContext, step: str) -> dg.RunRequest | dg.SkipReason:
    """A run of one step of the job `digests`, or the reason why not."""
    if step == SEND and not workspace_from_environment().config.pipeline.digest.delivery.host:
        return dg.SkipReason("digest.delivery.host in pipeline.yaml names no mail server")
    end_dead_runs(context.instance, workspace_from_environment().lake, now=_now())
    tags = {DIGEST_STEP_TAG: step}
    active = context.instance.get_runs(dg.RunsFilter(job_name=DIGESTS_JOB, statuses=ACTIVE, tags=tags), limit=1)
    if active:
        return dg.SkipReason(f"run {active[0].run_id} of the step {step} is still active")
    if step != SEND and (reason := _daily_first(context.instance)) is not None:
        return dg.SkipReason(reason)
    instant = context.scheduled_execution_time.isoformat()
    assets = DIGEST_STEPS[step].resolve(context.repository_def.asset_graph)
    return dg.RunRequest(run_key=f"{step} {instant}", asset_selection=sorted(assets), tags={AS_OF_TAG: instant, **tags})


def _digest_schedule(step: str, cron: str, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{DIGESTS_JOB}_{step}_schedule", job_name=DIGESTS_JOB, cron_schedule=cron, execution_timezone="UTC",
        default_status=status,
    )  # fmt: skip
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_digest_step(context, step)

    return tick


_DIGEST_CRONS = {
    "ingest": "0 6 * * *",
    "score": "30 6 * * *",
    "build": "0 7 * * *",
    # At 07:30, and at every other hour for users whose own hour comes then.
    SEND: "30 * * * *",
}


def schedules(configured: Collection[str]) -> Sequence[dg.ScheduleDefinition]:
    """All schedules; on are those of the jobs in JOBFEED_SCHEDULES, or without it, of `configured`.

    Raises SchedulesError if the variable names something else.
    """
    jobs = (*_CRONS, DIGESTS_JOB)
    stated = os.environ.get(SCHEDULES_VARIABLE)
    on = configured if stated is None else stated.replace(",", " ").split()
    unknown = sorted(set(on) - set(jobs))
    if unknown:
        allowed = ", ".join(jobs)
        raise SchedulesError(f"{SCHEDULES_VARIABLE} names {', '.join(unknown)}; jobs with schedules are {allowed}")

    def status(job: str) -> dg.DefaultScheduleStatus:
        return dg.DefaultScheduleStatus.RUNNING if job in on else dg.DefaultScheduleStatus.STOPPED

    return [
        *(_schedule(job, status(job)) for job in _CRONS),
        *(_digest_schedule(step, cron, status(DIGESTS_JOB)) for step, cron in _DIGEST_CRONS.items()),
    ]
