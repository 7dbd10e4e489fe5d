"""Follows a run by its events, however it was started: log lines, a trace, its outcome, and metrics at its end."""

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster import DagsterEvent, DagsterEventType
from dagster._core.execution.context.system import PlanOrchestrationContext

from assets.lake import Lake
from assets.resources import AS_OF_TAG
from assets.run_outcomes import RunOutcome, keep_outcome
from pipelines.environment import metrics_are_on
from pipelines.failures import cause_of
from pipelines.traces import RunTrace, trace_if_switched_on
from serving.contract.logs import configure_logs_once, get_logger, without_addresses

_SCHEDULED_TIME_TAG = "dagster/scheduled_execution_time"
_ROWS = "dagster/row_count"
_OUTSIDE = "the run failed outside of its steps"
_RSS_BYTES = 1 if sys.platform == "darwin" else 1024


class RunObserver:
    """What is seen of one run. `see` is called with each event, `end` once."""

    def __init__(self, *, run_id: str, job: str, as_of: str, trace: RunTrace | None, is_logged: bool) -> None:
        self._run_id, self._job, self._as_of = run_id, job, as_of
        self._trace = trace
        self._is_logged = is_logged
        self._log = get_logger("run").bind(run_id=run_id, job=job)
        if trace is not None:
            self._log = self._log.bind(trace_id=trace.trace_id)
        self._started = time.monotonic()
        self._steps: dict[str, float] = {}
        self._rows: dict[str, int] = {}
        self._failed_step = ""
        self._problem: str | None = None
        self._tell("info", "run begins", as_of=as_of)

    def see(self, event: DagsterEvent) -> None:
        """Takes up what an event says."""
        step = (event.step_key or "").replace("__", "/")
        if event.event_type == DagsterEventType.STEP_START and self._trace is not None:
            self._trace.begin_step(step)
        elif event.event_type == DagsterEventType.ASSET_MATERIALIZATION:
            self._note_rows(event)
        elif event.event_type == DagsterEventType.STEP_SUCCESS:
            self._end_step(step, event.step_success_data.duration_ms / 1000)
        elif event.event_type == DagsterEventType.STEP_FAILURE:
            self._fail_step(step, without_addresses(cause_of(event.step_failure_data)))
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                level = "warning" if check.severity == dg.AssetCheckSeverity.WARN else "error"
                asset = check.asset_key.to_user_string()
                self._tell(level, "check failed", asset=asset, check=check.check_name, reason=check.description)

    def end(self, error: BaseException | None) -> RunOutcome:
        """Says how the run ended. `error`: what broke it off, if not the failure of a step."""
        if error is not None and self._problem is None:
            self._problem = f"{_OUTSIDE}: {type(error).__name__}"
        if self._trace is not None:
            self._trace.end(problem=self._problem)
        now, cpu_seconds = time.time(), _cpu_seconds_since_last()
        outcome = RunOutcome(
            job=self._job, run_id=self._run_id, as_of=self._as_of, ended_at=round(now, 3),
            succeeded=self._problem is None, last_success_at=round(now, 3) if self._problem is None else None,
            seconds=round(time.monotonic() - self._started, 3), cpu_seconds=round(cpu_seconds, 3),
            peak_memory_bytes=_peak_memory_bytes(), failed_step=self._failed_step, steps=self._steps, rows=self._rows,
        )  # fmt: skip
        fields = {name: getattr(outcome, name) for name in ("seconds", "cpu_seconds", "peak_memory_bytes")}
        if outcome.succeeded:
            self._tell("info", "run done", n_steps=len(self._steps), **fields)
        else:
            self._tell("error", "run failed", step=self._failed_step, reason=self._problem, **fields)
        return outcome

    def _tell(self, level: str, event: str, **fields: object) -> None:
        if self._is_logged:
            getattr(self._log, level)(event, **fields)

    def _note_rows(self, event: DagsterEvent) -> None:
        made = event.step_materialization_data.materialization
        n_rows = made.metadata[_ROWS].value if _ROWS in made.metadata else None
        if isinstance(n_rows, int):
            self._rows[made.asset_key.to_user_string()] = n_rows

    def _end_step(self, step: str, seconds: float) -> None:
        self._steps[step] = round(seconds, 3)
        n_rows = self._rows.get(step)
        self._tell("info", "step done", step=step, seconds=round(seconds, 3), n_rows=n_rows)
        if self._trace is not None:
            self._trace.end_step(step, n_rows=n_rows)

    def _fail_step(self, step: str, reason: str) -> None:
        if self._problem is None:
            self._failed_step, self._problem = step, reason
        self._tell("error", "step failed", step=step, reason=reason)
        if self._trace is not None:
            self._trace.end_step(step, problem=reason)


@contextmanager
def observed(context: PlanOrchestrationContext, lake: Lake, *, is_logged: bool) -> Iterator[RunObserver]:
    """The observer of the run of `context`; at the end its outcome is kept and its metrics are reported."""
    configure_logs_once()
    run = context.dagster_run
    as_of = run.tags.get(AS_OF_TAG) or run.tags.get(_SCHEDULED_TIME_TAG) or ""
    attributes = {"jobfeed.job": run.job_name, "jobfeed.run_id": run.run_id, "jobfeed.as_of": as_of}
    trace = trace_if_switched_on(name=f"run {run.job_name}", attributes=attributes, environment=os.environ)
    observer = RunObserver(run_id=run.run_id, job=run.job_name, as_of=as_of, trace=trace, is_logged=is_logged)
    error: BaseException | None = None
    try:
        yield observer
    except BaseException as raised:
        error = raised
        raise
    finally:
        _report(observer.end(error), lake)


def _report(outcome: RunOutcome, lake: Lake) -> None:
    try:
        outcome = keep_outcome(lake, outcome)
    except OSError as error:  # a full disk, say, by which the run has failed itself
        get_logger("run").warning("the outcome of the run was not kept", job=outcome.job, reason=str(error))
    if metrics_are_on():
        from pipelines import metrics  # imports what only they need

        metrics.report_run(outcome, environment=os.environ)
        metrics.report_data(lake, lake.root.parent / "published", environment=os.environ)


_counted_cpu_seconds = 0.0


def _cpu_seconds_since_last() -> float:
    """Processor time of this process and its children since the last call; at first since the process began."""
    global _counted_cpu_seconds
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    total = sum(one.ru_utime + one.ru_stime for one in used)
    since, _counted_cpu_seconds = total - _counted_cpu_seconds, total
    return since


def _peak_memory_bytes() -> int:
    used = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(used) * _RSS_BYTES
