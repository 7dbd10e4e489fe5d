import datetime as dt
import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import polars as pl
import pytest

from assets.lake import Lake
from assets.locks import LockedError, LockFileError
from assets.run_turns import NoTurnError, is_running, run_turn, turn_began_at
from features.schemas.table import Column, Table

NUMBERS = Table("numbers", "Numbers; one row each", {"n": Column(pl.Int64, "Number")}, key=("n",))
SHARDS = [f"shard={number:04d}" for number in range(4)]
SPAWN = multiprocessing.get_context("spawn")


def rewrite(lake: Lake, number: int) -> None:
    """Replaces all shards one by one, as the daily run does."""
    for shard in SHARDS:
        lake.replace_partition("ranking", NUMBERS, shard, NUMBERS.conform(pl.DataFrame({"n": [number] * 50})))


def work(root: Path, number: int, rounds: int) -> None:
    lake = Lake(root)
    for turn in range(rounds):
        with run_turn(lake, job=f"job {number}", wait_seconds=60):
            listed = lake.scan("ranking", NUMBERS)
            assert listed.select(pl.col("n").n_unique()).collect().item() == 1
            rewrite(lake, number * 1000 + turn)


def hold(root: Path, has_turn: Event, let_go: Event) -> None:
    with run_turn(Lake(root), job="daily"):
        has_turn.set()
        let_go.wait()


@pytest.fixture
def holder(tmp_path: Path) -> tuple[Lake, multiprocessing.process.BaseProcess, Event]:
    has_turn, let_go = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=hold, args=(tmp_path, has_turn, let_go), daemon=True)
    process.start()
    assert has_turn.wait(60)
    return Lake(tmp_path), process, let_go


def test_three_runs_at_once_never_see_what_another_has_half_written(tmp_path: Path) -> None:
    rewrite(Lake(tmp_path), 0)
    runs = [SPAWN.Process(target=work, args=(tmp_path, number, 25)) for number in (1, 2, 3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0, 0]


def test_a_run_waits_and_says_for_whom(
    holder: tuple[Lake, multiprocessing.process.BaseProcess, Event],
) -> None:
    lake, process, let_go = holder
    told: list[str] = []

    def on_wait(text: str) -> None:
        told.append(text)
        let_go.set()

    with run_turn(lake, job="hourly", wait_seconds=60, on_wait=on_wait):
        process.join()
    assert told == [text for text in told if f"the run of daily that process {process.pid} began at" in text]
    assert len(told) == 1


def test_a_run_whose_turn_does_not_come_is_skipped_and_says_so(
    holder: tuple[Lake, multiprocessing.process.BaseProcess, Event],
) -> None:
    lake, process, let_go = holder
    turn = run_turn(lake, job="frequent", wait_seconds=0)
    with (
        pytest.raises(NoTurnError, match=rf"daily that process {process.pid} .*this run of frequent was skipped"),
        turn,
    ):
        raise AssertionError
    let_go.set()
    process.join()


def test_a_killed_run_gives_its_turn_away(
    holder: tuple[Lake, multiprocessing.process.BaseProcess, Event],
) -> None:
    lake, process, _ = holder
    assert is_running(lake)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    started = time.monotonic()
    with run_turn(lake, job="hourly", wait_seconds=30):
        assert time.monotonic() - started < 5
    assert not is_running(lake)


def test_a_run_inside_of_a_run_of_the_same_process_does_not_wait_for_itself(tmp_path: Path) -> None:
    lake, waited = Lake(tmp_path), list[str]()
    with run_turn(lake, job="daily", wait_seconds=60), run_turn(lake, job="daily", on_wait=waited.append):
        assert not is_running(lake)
    assert waited == []


def test_a_run_knows_when_its_turn_began(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert turn_began_at(lake) is None
    before = dt.datetime.now(dt.UTC)
    with run_turn(lake, job="daily"):
        began_at = turn_began_at(lake)
        assert began_at is not None and before <= began_at <= dt.datetime.now(dt.UTC)
    with run_turn(lake, job="hourly"):
        assert (turn_began_at(lake) or began_at) > began_at


def test_a_run_inside_of_one_may_wait_for_another_time(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with run_turn(lake, job="daily", wait_seconds=7), run_turn(lake, job="daily", wait_seconds=3600):
        assert not is_running(lake)


def test_an_error_of_the_run_is_not_taken_for_a_turn_that_did_not_come(tmp_path: Path) -> None:
    with pytest.raises(LockedError, match="other"), run_turn(Lake(tmp_path), job="daily"):
        raise LockedError("other")


@pytest.mark.parametrize("name", ["run", "bronze/events", "publishing"])
def test_a_folder_in_the_place_of_a_lock_is_named(tmp_path: Path, name: str) -> None:
    lake = Lake(tmp_path)
    lake.lock_file(name).mkdir()
    with pytest.raises(LockFileError, match=rf"{name.replace('/', '-')}\.lock is a folder.*remove the folder"):
        if name == "run":
            with run_turn(lake, job="daily"):
                raise AssertionError
        with lake.lock(name):
            raise AssertionError


def test_locks_of_tables_keep_the_threads_of_a_process_apart(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with lake.lock("bronze/events"), pytest.raises(LockedError), lake.lock("bronze/events", timeout_seconds=0):
        raise AssertionError
