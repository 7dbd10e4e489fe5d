"""Runs that Dagster starts: not only those of the command line take turns."""

import os
from pathlib import Path

import dagster as dg
import pytest

from assets.lake import Lake
from assets.run_turns import is_running, run_turn
from pipelines.executor import in_turn

FOLDER = "JOBFEED_TEST_LAKE"


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
