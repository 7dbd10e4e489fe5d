"""The executor of runs that Dagster starts: the run waits for its turn, then another executor does its steps."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import dagster as dg
from dagster import DagsterEvent, Executor, InitExecutorContext
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode

from assets.lake import Lake
from assets.run_turns import run_turn
from assets.storage.turns import collect_garbage, refresh
from features.errors import JobfeedError
from pipelines.jobs import AFTER_DAILY
from pipelines.mending import daily_first, is_unexplained, mend, verify
from pipelines.observer import observed
from pipelines.records import drop_old_records

# The sender of digests may work for hours at a bounded rate; it locks the outbox, which it alone writes.
_TIDYING = frozenset({"daily", "weekly"})  # these also drop Dagster's old records
_VERIFYING = "weekly"  # reads every byte of lake and models
_WITH_OWN_LOCK = frozenset({"digests__digest_outbox"})


def in_turn(definition: dg.ExecutorDefinition, lake: Lake, *, is_logged: bool = True) -> dg.ExecutorDefinition:
    """`definition`, for runs that wait until no other run works on `lake`. `is_logged`: steps become lines of logs."""

    def create(context: InitExecutorContext) -> Executor:
        create_steps = definition.executor_creation_fn
        if create_steps is None:
            raise TypeError(f"executor {definition.name} can't be created")
        return _InTurn(create_steps(context), lake, is_logged=is_logged)

    return dg.ExecutorDefinition(
        name=definition.name,
        config_schema=cast(Any, definition.config_schema),  # as `copy_for_configured` of Dagster passes it
        requirements=definition.get_requirements,
        executor_creation_fn=create,
        description=definition.description,
    )


class OtherFolderError(JobfeedError, ValueError):
    """A run's configuration names another data folder than that of the process."""


class DailyFirstError(JobfeedError):
    """A run would add to tables and models that a daily run must make first."""


class _InTurn(Executor):
    def __init__(self, steps: Executor, lake: Lake, *, is_logged: bool) -> None:
        self._steps = steps
        self._lake = lake
        self._is_logged = is_logged

    @property
    def retries(self) -> RetryMode:
        return self._steps.retries

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        # The storage of assets and the lock of runs belong to the process: half of the run would work elsewhere.
        resources = cast(dict[str, Any], plan_context.run_config).get("resources", {})
        stated = resources.get("workspace", {}).get("config", {}).get("data_dir")
        own = self._lake.root.resolve().parent
        if stated is not None and Path(stated).resolve() != own:
            raise OtherFolderError(
                f"resources.workspace.data_dir is {stated}, but this code location works in {own}: start one with "
                "JOBFEED_DATA set to the other folder"
            )
        if _WITH_OWN_LOCK.issuperset(execution_plan.step_keys_to_execute):
            refresh(self._lake)  # other machines may have made the digests
            with observed(plan_context, self._lake, is_logged=self._is_logged) as observer:
                for event in self._steps.execute(plan_context, execution_plan):
                    observer.see(event)
                    yield event
            return
        log = plan_context.log
        with run_turn(self._lake, job=plan_context.job_name, on_wait=log.info, on_damage=log.error):
            has_failed = False
            with observed(plan_context, self._lake, is_logged=self._is_logged) as observer:
                self._require_daily(plan_context.job_name)
                for event in self._steps.execute(plan_context, execution_plan):
                    observer.see(event)
                    has_failed = has_failed or is_unexplained(event)
                    yield event
            for sentence in self._damage(plan_context.job_name, has_failed=has_failed):
                log.error(sentence)
            if plan_context.job_name in _TIDYING:
                now = dt.datetime.now(dt.UTC)
                drop_old_records(plan_context.instance, now=now)
                collect_garbage(self._lake, now=now)

    def _require_daily(self, job: str) -> None:
        """Looked at when the run has its turn: the run that it waited for may have computed a past day."""
        reason = daily_first(self._lake) if job in AFTER_DAILY else None
        if reason is not None:
            raise DailyFirstError(
                f"{reason}; {job} only adds to what daily makes. Run `jobfeed run daily` first, or the job "
                "daily in the UI"
            )

    def _damage(self, job: str, *, has_failed: bool) -> Iterator[str]:
        """What was found damaged and set aside after a run."""
        if has_failed:
            yield from mend(self._lake)
        elif job == _VERIFYING:
            yield from verify(self._lake)
