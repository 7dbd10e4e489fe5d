"""What vanished or was altered between two runs is noticed by name, whatever a run itself removes is not."""

import os
from pathlib import Path

import polars as pl
import pytest

from assets.damage import rebuild_due
from assets.inventory import altered_files, forget_inventory, missing_files
from assets.lake import Lake
from assets.run_turns import run_turn
from features.schemas.bronze import EVENTS, LANDING_FILES
from features.schemas.catalog import JOBS

DAY = "date=2026-03-01"


def events(*ids: str) -> pl.DataFrame:
    return EVENTS.conform(pl.DataFrame({"event_id": ids, "user_id": ids}))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """As a run left it: two parts of events, one of jobs, and what was read of interactions."""
    lake = Lake(tmp_path / "lake")
    with run_turn(lake, job="daily"):
        for one in ("a", "b"):
            lake.append("bronze", EVENTS, events(one), partition=DAY)
        lake.replace("catalog", JOBS, JOBS.empty())
        lake.replace_partition("bronze", LANDING_FILES, "interactions", LANDING_FILES.empty())
    return lake


def part(lake: Lake) -> Path:
    return lake.files("bronze", EVENTS.name)[0]


def flip_a_byte(path: Path) -> None:
    body, times = bytearray(path.read_bytes()), path.stat()
    body[len(body) // 3] ^= 1
    with path.open("r+b") as file:
        file.write(body)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a disk does it, which tells nobody


def turn(lake: Lake) -> list[str]:
    told: list[str] = []
    with run_turn(lake, job="frequent", on_damage=told.append):
        pass
    return told


def test_nothing_is_missed_after_a_run(lake: Lake) -> None:
    assert (missing_files(lake), altered_files(lake), turn(lake)) == ([], [], [])
    assert not rebuild_due(lake)


def test_a_part_that_is_gone_is_named_once_and_read_again(lake: Lake) -> None:
    gone = part(lake)
    gone.unlink()
    assert missing_files(lake) == [gone]
    (told,) = turn(lake)
    assert f"{gone} is missing (it is gone); the next run reads landing/interactions/ again" in told
    assert not (lake.folder("bronze", LANDING_FILES.name) / "interactions.parquet").exists()
    assert rebuild_due(lake)
    assert (missing_files(lake), turn(lake)) == ([], [])


def test_a_file_that_was_cut_off_in_place_is_set_aside(lake: Lake) -> None:
    os.truncate(part(lake), 10)
    cut = part(lake)
    (told,) = turn(lake)
    assert f"{cut} is damaged (it has another size) and was moved to" in told
    assert not cut.exists()


def test_a_flipped_bit_is_found_by_reading_though_no_time_tells_of_it(lake: Lake) -> None:
    path = part(lake)
    flip_a_byte(path)
    assert missing_files(lake) == []
    assert altered_files(lake) == [path]


def test_a_file_that_something_else_put_in_its_place_is_taken_as_it_is(lake: Lake) -> None:
    (replaced,) = lake.files("catalog", JOBS.name)
    JOBS.conform(pl.DataFrame({"job_id": ["x"]})).write_parquet(replaced.with_name("other"))
    replaced.with_name("other").replace(replaced)
    assert (missing_files(lake), altered_files(lake), turn(lake)) == ([], [], [])


def test_what_a_run_itself_removes_is_not_missed(lake: Lake) -> None:
    with run_turn(lake, job="weekly"):
        part(lake).unlink()
    assert (missing_files(lake), turn(lake)) == ([], [])


def test_after_a_run_that_was_killed_nothing_is_taken_for_missing(lake: Lake) -> None:
    with pytest.raises(KeyboardInterrupt), run_turn(lake, job="weekly"):
        part(lake).unlink()
        raise KeyboardInterrupt
    assert (missing_files(lake), turn(lake)) == ([], [])
    part(lake).unlink()
    assert len(turn(lake)) == 1


def test_a_turn_within_a_turn_ends_with_the_outer_one(lake: Lake) -> None:
    with run_turn(lake, job="daily"):
        with run_turn(lake, job="daily"):
            part(lake).unlink()
        part(lake).unlink()
    assert missing_files(lake) == []


def test_many_missing_files_are_counted(lake: Lake) -> None:
    with run_turn(lake, job="daily"):
        for number in range(12):
            lake.append("bronze", EVENTS, events(f"more {number}"), partition=DAY)
    for path in lake.files("bronze", EVENTS.name):
        path.unlink()
    told = turn(lake)
    assert len(told) == 11
    assert told[-1] == "and 4 more"


def test_a_folder_whose_inventory_was_forgotten_misses_nothing(lake: Lake) -> None:
    forget_inventory(lake.root.parent)
    part(lake).unlink()
    assert (missing_files(lake), turn(lake)) == ([], [])
