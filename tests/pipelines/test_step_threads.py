"""The executor of runs: steps side by side, in the order of what they need, and none after what failed."""

import gc
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.api import create_execution_plan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.definitions import build_defs
from pipelines.step_threads import _SECONDS, execute, step_threads

_PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def job_of(*assets: dg.AssetsDefinition) -> dg.JobDefinition:
    everything = dg.define_asset_job("everything", dg.AssetSelection.all())
    return dg.Definitions(list(assets), jobs=[everything], executor=step_threads).resolve_job_def("everything")


def asset(name: str, work: Callable[[], object], *needed: str) -> dg.AssetsDefinition:
    @dg.asset(name=name, deps=list(needed))
    def made() -> None:
        work()

    return made


def run(instance: dg.DagsterInstance, *assets: dg.AssetsDefinition) -> dg.ExecuteInProcessResult:
    return execute(job_of(*assets), instance=instance, tags={}, run_config={})


def made_by(result: dg.ExecuteInProcessResult) -> list[str]:
    return [str(event.asset_key.to_user_string()) for event in result.get_asset_materialization_events()]


def status_of(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> dg.DagsterRunStatus:
    record = instance.get_run_by_id(result.run_id)
    assert record is not None
    return record.status


def test_two_steps_that_do_not_need_each_other_work_at_the_same_time(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    both = threading.Barrier(2)
    result = run(
        instance,
        asset("left", lambda: both.wait(_PATIENCE_SECONDS)),
        asset("right", lambda: both.wait(_PATIENCE_SECONDS)),
    )
    assert result.success


def test_one_core_has_one_step_at_a_time(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    working: list[int] = []
    n_working = 0

    def work() -> None:
        nonlocal n_working
        n_working += 1
        working.append(n_working)
        time.sleep(0.05)
        n_working -= 1

    assert run(instance, *(asset(f"step_{number}", work) for number in range(4))).success
    assert working == [1, 1, 1, 1]


class Circle:
    """An object that only a collection frees, as tables in a circle of references are."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_step_leaves_in_circles_is_freed_before_the_next_one_begins(instance: dg.DagsterInstance) -> None:
    left: list[weakref.ref[Circle]] = []
    found: list[Circle | None] = []
    gc.disable()  # so that no collection comes by chance
    try:
        made = asset("made", lambda: left.append(weakref.ref(Circle())))
        assert run(instance, made, asset("after", lambda: found.append(left[0]()), "made")).success
    finally:
        gc.enable()
    assert found == [None]
    assert gc.get_freeze_count() == 0


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(
    needed=st.integers(2, 6).flatmap(
        lambda n: st.tuples(*(st.sets(st.integers(0, number - 1)) if number else st.just(set()) for number in range(n)))
    )
)
def test_a_step_begins_when_all_it_needs_are_done(instance: dg.DagsterInstance, needed: tuple[set[int], ...]) -> None:
    done: set[int] = set()
    begun_early: list[int] = []

    def work(number: int) -> None:
        if not needed[number] <= done:
            begun_early.append(number)
        done.add(number)

    assets = [
        asset(f"step_{number}", lambda number=number: work(number), *(f"step_{one}" for one in needed[number]))
        for number in range(len(needed))
    ]
    assert run(instance, *assets).success
    assert begun_early == []
    assert done == set(range(len(needed)))


def test_a_failure_stops_what_needs_it_and_nothing_else(instance: dg.DagsterInstance) -> None:
    def fail() -> None:
        raise ValueError("no such table")

    result = run(
        instance,
        asset("broken", fail),
        asset("behind", lambda: None, "broken"),
        asset("beside", lambda: None),
        asset("behind_beside", lambda: None, "beside"),
    )
    assert not result.success
    assert sorted(made_by(result)) == ["behind_beside", "beside"]
    failed = [event.step_key for event in result.all_events if event.is_step_failure]
    assert failed == ["broken"]
    assert status_of(instance, result) == dg.DagsterRunStatus.FAILURE


def test_the_steps_with_the_longest_way_behind_them_come_first(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    result = run(
        instance,
        asset("alone", lambda: None),
        asset("first", lambda: None),
        asset("second", lambda: None, "first"),
        asset("third", lambda: None, "second"),
    )
    assert made_by(result) == ["first", "second", "alone", "third"]


def test_the_way_of_a_long_step_is_longer_than_that_of_several_short_ones(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr("pipelines.step_threads._SECONDS", {"long": 10})
    result = run(
        instance,
        asset("first", lambda: None),
        asset("second", lambda: None, "first"),
        asset("before", lambda: None),
        asset("long", lambda: None, "before"),
    )
    assert made_by(result) == ["before", "long", "first", "second"]


def test_all_long_steps_are_steps_of_the_daily_run() -> None:
    plan = create_execution_plan(build_defs().resolve_job_def("daily"))
    assert _SECONDS.keys() <= set(plan.step_keys_to_execute)


def test_an_interrupted_run_stops_every_step_and_begins_no_other(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    stopped: list[str] = []
    begun: list[str] = []

    def work_until_stopped(name: str) -> None:
        try:
            until = time.monotonic() + _PATIENCE_SECONDS
            while time.monotonic() < until:
                time.sleep(0.01)
        except DagsterExecutionInterruptedError:
            stopped.append(name)
            raise

    def interrupt() -> None:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        work_until_stopped("interrupting")

    result = run(
        instance,
        asset("interrupting", interrupt),
        asset("beside", lambda: work_until_stopped("beside")),
        asset("behind", lambda: begun.append("behind"), "beside"),
        asset("later", lambda: begun.append("later")),
    )
    assert status_of(instance, result) == dg.DagsterRunStatus.FAILURE
    assert sorted(stopped) == ["beside", "interrupting"]
    assert begun == []
