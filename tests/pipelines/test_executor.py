"""Runs that Dagster starts: not only those of the command line take turns."""

import datetime as dt
import os
from pathlib import Path

import dagster as dg
import pytest

from assets.damage import note_past
from assets.lake import Lake
from assets.run_turns import is_running, run_turn
from pipelines.executor import in_turn
from tests.factories import publish_small

FOLDER = "JOBFEED_TEST_LAKE"
AS_OF = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@dg.op
def ask_for_the_turn(context: dg.OpExecutionContext) -> None:
    lake = Lake(Path(os.environ[FOLDER]))
    context.log.info("works")
    holder = lake.lock_file("run").with_suffix(".json").read_text()
    assert f'"job": "alone", "process": {os.getpid()}' in holder


def alone() -> dg.JobDefinition:
    @dg.job(executor_def=in_turn(dg.in_process_executor, Lake(Path(os.environ[FOLDER]))))
    def alone() -> None:
        ask_for_the_turn()

    return alone


def _executed(instance: dg.DagsterInstance) -> dg.JobExecutionResult:
    return dg.execute_job(dg.reconstructable(alone), instance)


def test_a_run_that_dagster_starts_has_the_turn_while_it_works_and_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "lake"))
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance, _executed(instance) as result:
        assert result.success
    assert not is_running(Lake(tmp_path / "lake"))
    with run_turn(Lake(tmp_path / "lake"), job="daily", wait_seconds=0):
        pass


@dg.op
def add() -> None:
    raise AssertionError("must not begin")


def hourly() -> dg.JobDefinition:
    @dg.job(executor_def=in_turn(dg.in_process_executor, Lake(Path(os.environ[FOLDER]))))
    def hourly() -> None:
        add()

    return hourly


def frequent() -> dg.JobDefinition:
    @dg.job(executor_def=in_turn(dg.in_process_executor, Lake(Path(os.environ[FOLDER]))))
    def frequent() -> None:
        add()

    return frequent


def test_a_run_adds_nothing_to_tables_of_a_past_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "lake"))
    publish_small(tmp_path / "published", as_of=AS_OF)
    note_past(Lake(tmp_path / "lake"), tmp_path / "published", as_of=AS_OF - dt.timedelta(days=1))
    with (
        dg.instance_for_test(temp_dir=str(tmp_path)) as instance,
        dg.execute_job(dg.reconstructable(hourly), instance, raise_on_error=False) as result,
    ):
        assert not result.success
        said = " ".join(str(event.event_specific_data) for event in result.all_events)
    assert "the tables are as of 2026-02-28 00:00, and what is served is newer" in said
    assert "Run `jobfeed run daily` first" in said


def test_a_first_run_that_would_add_to_nothing_says_what_to_do_before_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "lake"))
    with (
        dg.instance_for_test(temp_dir=str(tmp_path)) as instance,
        dg.execute_job(dg.reconstructable(frequent), instance, raise_on_error=False) as result,
    ):
        assert not result.success
        said = " ".join(str(event.event_specific_data) for event in result.all_events)
    assert f"{tmp_path} has no models of a daily run yet" in said
    assert "the job daily in the UI" in said


class Folders(dg.ConfigurableResource[object]):
    data_dir: str


@dg.op
def look(workspace: Folders) -> None:
    assert workspace.data_dir


def moved() -> dg.JobDefinition:
    lake = Lake(Path(os.environ[FOLDER]))

    @dg.job(
        executor_def=in_turn(dg.in_process_executor, lake),
        resource_defs={"workspace": Folders(data_dir=str(lake.root.parent))},
    )
    def moved() -> None:
        look()

    return moved


def test_a_run_whose_configuration_names_another_data_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "lake"))

    def run(folder: Path, instance: dg.DagsterInstance) -> dg.JobExecutionResult:
        config = {"resources": {"workspace": {"config": {"data_dir": str(folder)}}}}
        return dg.execute_job(dg.reconstructable(moved), instance, run_config=config, raise_on_error=False)

    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        with run(tmp_path, instance) as result:
            assert result.success
        with run(tmp_path / "other", instance) as result:
            assert not result.success
            said = " ".join(str(event.event_specific_data) for event in result.all_events)
            assert "start one with JOBFEED_DATA" in said
