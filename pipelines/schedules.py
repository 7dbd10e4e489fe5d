"""When the jobs run.

A tick is skipped, not queued, while a run of the same job or of one that does more is active, or if nothing is new.
"""

import datetime as dt

import dagster as dg

from assets.resources import AS_OF_TAG, DIGESTS_JOB
from assets.run_ledger import COVERED
from pipelines.environment import nothing_new_since, workspace_from_environment
from pipelines.jobs import DIGEST_STEPS

DIGEST_STEP_TAG = "jobfeed/digest_step"
SEND = "send"
_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def request_if_needed(context: dg.ScheduleEvaluationContext, job_name: str) -> dg.RunRequest | dg.SkipReason:
    """A run for the tick's instant, or the reason why not."""
    for covering in (job_name, *(job for job, covered in COVERED.items() if job_name in covered)):
        active = context.instance.get_runs(dg.RunsFilter(job_name=covering, statuses=_ACTIVE), limit=1)
        if active:
            return dg.SkipReason(f"run {active[0].run_id} of {covering} is still active")
    last = nothing_new_since(job_name, context.scheduled_execution_time.astimezone(dt.UTC))
    if last is not None:
        return dg.SkipReason(f"nothing new for {job_name} since the run as of {last.isoformat()}")
    instant = context.scheduled_execution_time.isoformat()
    return dg.RunRequest(run_key=instant, tags={AS_OF_TAG: instant})


def _schedule(job_name: str, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(name=f"{job_name}_schedule", job_name=job_name, cron_schedule=cron, execution_timezone="UTC")
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_if_needed(context, job_name)

    return tick


def request_digest_step(context: dg.ScheduleEvaluationContext, step: str) -> dg.RunRequest | dg.SkipReason:
    """A run of one step of the job `digests`, or the reason why not: it is off unless the configuration says otherwise.

    While another run of the step is active, none is added.
    """
    delivery = workspace_from_environment().config.pipeline.digest.delivery
    if not delivery.scheduled:
        return dg.SkipReason("digest.delivery.scheduled in pipeline.yaml is false")
    if step == SEND and not delivery.host:
        return dg.SkipReason("digest.delivery.host in pipeline.yaml names no mail server")
    tags = {DIGEST_STEP_TAG: step}
    active = context.instance.get_runs(dg.RunsFilter(job_name=DIGESTS_JOB, statuses=_ACTIVE, tags=tags), limit=1)
    if active:
        return dg.SkipReason(f"run {active[0].run_id} of the step {step} is still active")
    instant = context.scheduled_execution_time.isoformat()
    assets = DIGEST_STEPS[step].resolve(context.repository_def.asset_graph)
    return dg.RunRequest(run_key=f"{step} {instant}", asset_selection=sorted(assets), tags={AS_OF_TAG: instant, **tags})


def _digest_schedule(step: str, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{DIGESTS_JOB}_{step}_schedule", job_name=DIGESTS_JOB, cron_schedule=cron, execution_timezone="UTC"
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_digest_step(context, step)

    return tick


SCHEDULES = [
    _schedule("daily", "0 2 * * *"),
    _schedule("hourly", "0 * * * *"),
    _schedule("frequent", "*/15 * * * *"),
    _schedule("weekly", "0 4 * * 0"),
    _digest_schedule("ingest", "0 6 * * *"),
    _digest_schedule("score", "30 6 * * *"),
    _digest_schedule("build", "0 7 * * *"),
    # At 07:30, and at every other hour for users whose own hour comes then.
    _digest_schedule(SEND, "30 * * * *"),
]
