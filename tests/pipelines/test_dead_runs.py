"""Records of runs whose process is gone do not count as active for ever."""

import datetime as dt
import fcntl
import io
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from rich.console import Console

from assets.lake import Lake
from pipelines import dead_runs, running
from pipelines.dead_runs import end_dead_runs
from pipelines.executor import in_turn
from pipelines.records import open_instance
from pipelines.step_threads import execute, step_threads

SOON, LATER = dt.timedelta(minutes=9), dt.timedelta(minutes=11)
STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between two looks, which take no time here."""
    waits: list[float] = []
    monkeypatch.setattr(dead_runs, "time", SimpleNamespace(sleep=waits.append))
    return waits


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "lake").mkdir()
    return Lake(tmp_path / "lake")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def add(instance: dg.DagsterInstance, run_id: str, *, status: dg.DagsterRunStatus = STARTED, step: str = "") -> None:
    selected = frozenset({dg.AssetKey(step.split("/"))}) if step else None
    instance.add_run(dg.DagsterRun(job_name="frequent", run_id=run_id, status=status, asset_selection=selected))


def ended(instance: dg.DagsterInstance, lake: Lake, after: dt.timedelta = LATER) -> set[str]:
    """Which runs a look ends that comes `after` now."""
    found = {run.run_id for run in end_dead_runs(instance, lake, now=dt.datetime.now(dt.UTC) + after)}
    assert {run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=[FAILURE]))} == found
    return found


@contextmanager
def held(lake: Lake, name: str) -> Iterator[None]:
    """The lock as another process holds it."""
    with lake.lock_file(name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("status", ["STARTED", "STARTING", "CANCELING"])
def test_a_run_that_began_and_that_nobody_works_on_has_failed(
    instance: dg.DagsterInstance, lake: Lake, status: str
) -> None:
    add(instance, "1", status=dg.DagsterRunStatus[status])
    assert ended(instance, lake) == {"1"}
    (failure,) = instance.get_records_for_run("1", of_type=dg.DagsterEventType.RUN_FAILURE).records
    assert "its process was killed" in (failure.event_log_entry.dagster_event or failure).message
    assert end_dead_runs(instance, lake, now=dt.datetime.now(dt.UTC) + LATER) == []


@pytest.mark.parametrize("status", ["NOT_STARTED", "SUCCESS"])
def test_a_run_that_has_not_begun_or_has_ended_stays(instance: dg.DagsterInstance, lake: Lake, status: str) -> None:
    add(instance, "1", status=dg.DagsterRunStatus[status])
    assert ended(instance, lake) == set()


def test_a_run_that_began_just_now_stays(instance: dg.DagsterInstance, lake: Lake, looks: list[float]) -> None:
    add(instance, "1")
    assert ended(instance, lake, after=SOON) == set()
    assert looks == []


@pytest.mark.parametrize(
    ("lock", "dead"),
    [(None, {"run", "send"}), ("run", set()), ("digests/outbox", {"run"})],
)
def test_runs_stay_while_one_works_and_senders_while_one_sends(
    instance: dg.DagsterInstance, lake: Lake, lock: str | None, dead: set[str]
) -> None:
    add(instance, "run")
    add(instance, "send", step="digests/digest_outbox")
    with nullcontext() if lock is None else held(lake, lock):
        assert ended(instance, lake) == dead


def test_a_run_that_takes_its_turn_or_ends_between_two_looks_stays(
    instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(instance, "1")
    found = iter([None, "the run of frequent"])
    monkeypatch.setattr(dead_runs, "running_now", lambda _: next(found))
    assert ended(instance, lake) == set()
    monkeypatch.setattr(dead_runs, "running_now", lambda _: None)
    monkeypatch.setattr(dead_runs, "time", SimpleNamespace(sleep=lambda _: instance.delete_run("1")))
    assert ended(instance, lake) == set()


def work(home: Path, root: Path, works: threading.Event) -> None:
    os.environ["DAGSTER_HOME"] = str(home)

    @dg.op
    def never_ends() -> None:
        works.set()
        threading.Event().wait(600)

    @dg.job(executor_def=in_turn(step_threads, Lake(root)))
    def daily() -> None:
        never_ends()

    with open_instance(home) as instance:
        execute(daily, instance=instance, tags={}, run_config={})


@pytest.mark.slow
def test_a_killed_run_is_ended_by_the_next_one(tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    spawn = multiprocessing.get_context("spawn")
    works = spawn.Event()
    process = spawn.Process(target=work, args=(tmp_path, lake.root, works))
    process.start()
    assert works.wait(600)
    with open_instance(tmp_path) as instance:
        (run,) = instance.get_runs()
        assert ended(instance, lake) == set()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert [one.status for one in instance.get_runs()] == [STARTED]
    monkeypatch.setattr(dead_runs, "_AFTER", dt.timedelta())
    monkeypatch.setattr(running, "_executed", lambda *_: dg.materialize([], raise_on_error=False))
    told: list[str] = []
    monkeypatch.setattr(running, "tell_of_run", lambda _, run, **how: told.append(f"{run.job_name} {how['succeeded']}"))
    written = io.StringIO()
    running.run_job("frequent", as_of=None, console=Console(file=written, width=200))
    assert f"run {run.run_id} of daily was killed and is recorded as failed now" in written.getvalue()
    assert told == ["daily False"]
    with open_instance(tmp_path) as instance:
        assert [one.status for one in instance.get_runs()] == [FAILURE]
