"""Dagster's records: kept where dagster.yaml says, whatever the working folder is, and not for ever."""

import datetime as dt
import multiprocessing
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from assets.erasing.scan import find_traces
from assets.resources import AS_OF_TAG, RunClock
from pipelines.environment import dagster_folders
from pipelines.records import KEPT, KEPT_OTHERS, drop_old_records, open_instance
from pipelines.step_threads import execute, step_threads

PROJECT = Path(__file__).resolve().parents[2]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return home


def job(name: str, text: str = "") -> dg.JobDefinition:
    @dg.op
    def say(context: dg.OpExecutionContext) -> None:
        context.log.info(f"works on {text}")

    @dg.job(name=name, executor_def=step_threads)
    def made() -> None:
        say()

    return made


def run(instance: dg.DagsterInstance, name: str, text: str = "") -> str:
    return execute(job(name, text), instance=instance, tags={}, run_config={}).run_id


def test_a_database_stays_open_for_all_events_of_a_run(home: Path) -> None:
    opened: list[str] = []

    def note(connection: sqlite3.Connection, _record: object) -> None:
        opened.append(connection.execute("PRAGMA database_list").fetchone()[2])

    with open_instance(home) as instance:
        event.listen(Pool, "connect", note)
        try:
            run_ids = [run(instance, "daily") for _ in range(6)]
        finally:
            event.remove(Pool, "connect", note)
        assert {instance.get_run_by_id(run_id).status for run_id in run_ids} == {dg.DagsterRunStatus.SUCCESS}
        assert all(len(instance.all_logs(run_id)) > 5 for run_id in run_ids)
    # Dagster makes the tables of a new database through a second connection.
    assert all(sum(Path(path).stem == run_id for path in opened) <= 2 for run_id in run_ids)
    assert not list((home / ".dagster").rglob("*.db-wal"))


def test_relative_folders_lie_in_the_home_and_not_where_the_command_was_called(home: Path, tmp_path: Path) -> None:
    with open_instance(home) as instance:
        run(instance, "daily")
    assert dagster_folders() == [home / ".dagster"]
    assert list((home / ".dagster/storage/history/runs").glob("*.db"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_ui_and_the_daemon_keep_their_records_in_the_home_as_well(home: Path, tmp_path: Path) -> None:
    with dg.DagsterInstance.get() as instance:  # as Dagster's programs open it
        run_id = run(instance, "daily")
        ref = instance.get_ref()
    with dg.DagsterInstance.from_ref(ref) as of_the_worker, open_instance(home) as of_the_command:
        assert of_the_worker.get_run_by_id(run_id) is not None
        assert of_the_command.get_run_by_id(run_id) is not None
    assert list((home / ".dagster/storage/history/runs").glob("*.db"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def open_and_close(ready: threading.Barrier) -> None:
    ready.wait()
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs() == []


@pytest.mark.slow
def test_processes_that_open_new_records_at_once_leave_them_whole(home: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(4)
    processes = [spawn.Process(target=open_and_close, args=(ready,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    databases = list((home / ".dagster").rglob("*.db"))
    assert len(databases) == 3
    for path in databases:
        with closing(sqlite3.connect(path)) as con:
            assert con.execute("select count(*) from alembic_version").fetchone() == (1,)


def test_a_home_without_settings_keeps_its_records_and_reports_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with open_instance(tmp_path) as instance:
        assert not instance.telemetry_enabled
        run(instance, "daily")
    assert "No dagster instance configuration file" not in caplog.text
    assert dagster_folders()
    assert all(folder.is_relative_to(tmp_path) for folder in dagster_folders())


@pytest.mark.parametrize(
    ("name", "kept"), [("frequent", KEPT["frequent"]), ("hourly", KEPT["hourly"]), ("daily", KEPT_OTHERS)]
)
def test_records_go_when_their_time_is_over_and_leave_no_byte(home: Path, name: str, kept: dt.timedelta) -> None:
    now = dt.datetime.now(dt.UTC)
    with open_instance(home) as instance:
        old, other = run(instance, name, "canary-7f3e"), run(instance, "weekly")
        assert drop_old_records(instance, now=now + kept - HOUR) == 0
        assert instance.get_run_by_id(old) is not None
        assert drop_old_records(instance, now=now + kept + HOUR) >= 1
        assert instance.get_run_by_id(old) is None
        assert (instance.get_run_by_id(other) is None) is (kept == KEPT_OTHERS)
    assert list(find_traces([home], [old, "canary-7f3e"])) == []


def test_runs_under_way_stay(home: Path) -> None:
    with open_instance(home) as instance:
        instance.add_run(dg.DagsterRun(job_name="frequent", run_id="1", status=dg.DagsterRunStatus.STARTED))
        assert drop_old_records(instance, now=dt.datetime.now(dt.UTC) + 400 * DAY) == 0


@dg.op(required_resource_keys={"clock"})
def ask(context: dg.OpExecutionContext) -> str:
    return context.resources.clock.as_of(context).isoformat()


@dg.job(resource_defs={"clock": RunClock()})
def asking() -> None:
    ask()


def config(instant: object) -> dict[str, object]:
    return {"resources": {"clock": {"config": {"instant": instant}}}}


def test_the_instant_of_a_run_may_be_stated_in_its_configuration() -> None:
    stated = asking.execute_in_process(run_config=config("2026-03-01"), tags={AS_OF_TAG: "2026-02-01"})
    assert stated.output_for_node("ask") == "2026-03-01T00:00:00+00:00"
    by_tag = asking.execute_in_process(run_config=config(""), tags={AS_OF_TAG: "2026-02-01"})
    assert by_tag.output_for_node("ask") == "2026-02-01T00:00:00+00:00"


@pytest.mark.parametrize("wrong", ["soon", "2026-13-01", "01.03.2026", "2026-03-01T25:00:00Z"])
def test_an_instant_that_is_none_is_refused_before_the_first_step(wrong: str) -> None:
    with pytest.raises(dg.DagsterError) as raised:
        asking.execute_in_process(run_config=config(wrong))
    told = []
    error: BaseException | None = raised.value
    while error is not None:
        told.append(str(error))
        error = error.__cause__ or error.__context__
    assert f"as_of {wrong!r} is not a date or an RFC 3339 time" in "\n".join(told)


def test_an_instant_that_is_no_text_is_refused_in_the_launchpad() -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="instant"):
        asking.execute_in_process(run_config=config(7))


def test_a_run_that_is_executed_again_computes_for_the_same_instant() -> None:
    earlier = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        first = dg.DagsterRun(job_name="asking", run_id="first", status=dg.DagsterRunStatus.FAILURE)
        instance.run_storage.add_historical_run(first, run_creation_time=earlier)
        tags = {"dagster/parent_run_id": "first", "dagster/root_run_id": "first"}
        again = asking.execute_in_process(instance=instance, tags=tags)
    assert again.output_for_node("ask") == earlier.isoformat()
