"""When the jobs run.

A tick is skipped, not queued, while a run of the same job or of one that does more is active, or if nothing is new.
"""

import datetime as dt

import dagster as dg

from assets.resources import AS_OF_TAG
from assets.run_ledger import COVERED
from pipelines.environment import nothing_new_since

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


SCHEDULES = [
    _schedule("daily", "0 2 * * *"),
    _schedule("hourly", "0 * * * *"),
    _schedule("frequent", "*/15 * * * *"),
    _schedule("weekly", "0 4 * * 0"),
]
