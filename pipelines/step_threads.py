"""Executes a run's steps in one process, several at once, each in a thread.

Polars, DuckDB, NumPy and the compiled loops work without the interpreter lock, so that a step in one thread leaves the
other cores to the next step. Processes would have to import everything for each step, which takes longer than most do.
Dagster has no such executor; this one follows its InProcessExecutor.
"""

import ctypes
import gc
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import cache, partial
from queue import Empty, SimpleQueue
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import DagsterEvent
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.execute_in_process import core_execute_in_process
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from threadpoolctl import threadpool_limits

_MOST_STEPS = 2  # each holds its tables: more at once would need more memory than they save time
_MALLOC_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
_INTERRUPT_SECONDS = 0.5  # how often the main thread looks whether the run was interrupted
# Of the longest steps of a first run with 10 million events, about; all others count as one. By a count of steps,
# events waited for postings, and all that follows events did too.
_SECONDS = {
    "bronze__events": 22,
    "bronze__application_log": 13,
    "catalog__job_versions": 27,
    "catalog__daily_interactions": 10,
    "catalog__interactions": 7,
    "training__tuning": 80,
    "training__text_embeddings": 24,
    "training__collaborative": 10,
    "catalog__follow_ups": 17,
    "ranking__feeds": 36,
    "ranking__matches": 13,
    "digests__digests": 17,
    "publishing__generation": 31,
}


class StepThreads(dg.Executor):
    """An executor with at most `n_threads` steps at once."""

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads

    @property
    def retries(self) -> RetryMode:
        """Steps are not retried unless they ask for it."""
        return RetryMode.ENABLED

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """The events of the run, in the order in which they occur."""
        yield from ExecuteRunWithPlanIterable(
            execution_plan=execution_plan,
            iterator=partial(_executed, n_threads=self._n_threads),
            execution_context_manager=PlanExecutionContextManager(
                job=plan_context.job,
                retry_mode=self.retries,
                execution_plan=execution_plan,
                run_config=plan_context.run_config,
                dagster_run=plan_context.dagster_run,
                instance=plan_context.instance,
                raise_on_error=plan_context.raise_on_error,
                output_capture=plan_context.output_capture,
            ),
        )


def execute(
    job: dg.JobDefinition, *, instance: dg.DagsterInstance, tags: Mapping[str, str], run_config: Mapping[str, Any]
) -> dg.ExecuteInProcessResult:
    """Executes `job` in this process by its own executor, unlike its `execute_in_process`. Failures are not raised."""
    # The limit is one of the process: steps that set and reset it side by side would leave it to chance.
    with threadpool_limits(limits=1, user_api="blas"):
        return core_execute_in_process(
            job=InMemoryJob(job),
            instance=instance,
            run_tags=tags,
            run_config=run_config,
            output_capturing_enabled=False,
            raise_on_error=False,
        )


@dg.executor(name="step_threads")
def step_threads(_context: dg.InitExecutorContext) -> StepThreads:
    """As many steps at once as there are cores, at most two."""
    return StepThreads(min(os.cpu_count() or 1, _MOST_STEPS))


def _executed(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan, *, n_threads: int
) -> Iterator[DagsterEvent]:
    with ExitStack() as stack:
        logs = job_context.instance.compute_log_manager
        file_key = create_compute_log_file_key()  # type: ignore[no-untyped-call]
        log_key = logs.build_log_key_for_run(job_context.run_id, file_key)
        captured = stack.enter_context(logs.capture_logs(log_key))
        steps = execution_plan.get_steps_to_execute_in_topo_order()
        yield DagsterEvent.capture_logs(job_context, [step.key for step in steps], log_key, captured)
        claims = stack.enter_context(InstanceConcurrencyContext(job_context.instance, job_context.dagster_run))
        active = stack.enter_context(
            ActiveExecution(
                execution_plan,
                retry_mode=job_context.retry_mode,
                sort_key_fn=_longest_first(execution_plan),
                instance_concurrency_context=claims,
            )
        )
        yield from _Steps(job_context, active, n_threads).events()


class _Steps:
    """The threads of a run's steps. They pass their events on; only the thread of `events` changes the run's state."""

    def __init__(self, job_context: PlanExecutionContext, active: ActiveExecution, n_threads: int) -> None:
        self._job_context, self._active, self._n_threads = job_context, active, n_threads
        self._threads: dict[str, threading.Thread] = {}
        self._passed_on: SimpleQueue[tuple[str, DagsterEvent | BaseException | None]] = SimpleQueue()
        self._error: BaseException | None = None

    def events(self) -> Iterator[DagsterEvent]:
        """Starts steps as their inputs are there, and yields what they report until all are done.

        What a step raises beyond a failure is raised after those beside it have ended.
        """
        gc.freeze()  # a collection of all modules and definitions would take a quarter of a second after each step
        try:
            while not self._active.is_complete or self._threads:
                self._start_steps()
                yield from self._active.concurrency_event_iterator(self._job_context)
                if self._threads:
                    yield from self._next_events()
                elif self._error is not None:
                    raise self._error
                else:
                    self._active.sleep_til_ready()
        finally:
            self._interrupt(DagsterExecutionInterruptedError)
            for thread in self._threads.values():
                thread.join()
            gc.unfreeze()

    def _start_steps(self) -> None:
        n_free = self._n_threads - len(self._threads)
        if self._error is not None or self._active.is_complete or n_free <= 0:
            return
        for step in self._active.get_steps_to_execute(limit=n_free):
            context = self._job_context.for_step(step, self._active.get_known_state())
            self._threads[step.key] = threading.Thread(
                target=self._run_step, args=(step.key, partial(dagster_event_sequence_for_step, context)), name=step.key
            )
            self._threads[step.key].start()

    def _run_step(self, key: str, events_of_step: Callable[[], Iterator[DagsterEvent]]) -> None:
        try:
            for event in events_of_step():
                self._passed_on.put((key, event))
        except BaseException as error:  # the main thread raises it
            self._passed_on.put((key, error))
        else:
            self._passed_on.put((key, None))

    def _next_events(self) -> Iterator[DagsterEvent]:
        if self._active.check_for_interrupts():
            self._active.mark_interrupted()
            self._error = self._error or DagsterExecutionInterruptedError()
            self._interrupt(DagsterExecutionInterruptedError)
        try:
            key, passed = self._passed_on.get(timeout=_INTERRUPT_SECONDS)
        except Empty:
            return
        if isinstance(passed, DagsterEvent):
            yield passed
            self._active.handle_event(passed)
            return
        self._threads.pop(key).join()
        _release_memory()
        self._error = self._error or passed
        self._active.verify_complete(self._job_context, key)
        yield from self._active.plan_events_iterator(self._job_context)

    def _interrupt(self, error: type[BaseException]) -> None:
        """Raises `error` in each step that still works, as soon as it is back in Python."""
        for thread in self._threads.values():
            if thread.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(error))


def _release_memory() -> None:
    """Gives the system back what ended steps held: what only circles of references hold, and free memory of malloc.

    Python collects such circles by the number of objects, however large their tables are, and malloc keeps what was
    freed. The next steps would come on top of both: at size S 0.4 GiB before publishing.
    """
    gc.collect()
    if _MALLOC_TRIM is not None:
        _MALLOC_TRIM(0)


def _longest_first(plan: ExecutionPlan) -> Callable[[ExecutionStep], float]:
    """A sort key by which the steps come first that begin the longest way of steps to the end, in seconds."""
    followers: dict[str, set[str]] = {key: set() for key in plan.step_keys_to_execute}
    for key, needed in plan.get_executable_step_deps().items():
        for one in needed & followers.keys():
            followers[one].add(key)

    @cache
    def length(key: str) -> float:
        return _SECONDS.get(key, 1) + max(map(length, followers[key]), default=0)

    return lambda step: -length(step.key)
