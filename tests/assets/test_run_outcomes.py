"""How the last run of each job ended is kept, across failures and runs with nothing to do."""

from dataclasses import replace
from pathlib import Path

import pytest

from assets.lake import Lake
from assets.run_outcomes import RunOutcome, keep_outcome, note_nothing_new, read_outcome, read_outcomes

DONE = RunOutcome("daily", "1", "2026-03-01", 1000.0, True, 1000.0, 60.0, 90.0, 2**30, "", {"a/b": 1.5}, {"c": 3})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_what_was_kept_is_read_again(lake: Lake) -> None:
    keep_outcome(lake, DONE)
    keep_outcome(lake, replace(DONE, job="hourly"))
    assert read_outcomes(lake) == [DONE, replace(DONE, job="hourly")]


def test_a_failure_keeps_when_a_run_last_succeeded(lake: Lake) -> None:
    keep_outcome(lake, DONE)
    failed = replace(DONE, ended_at=2000.0, succeeded=False, last_success_at=None, failed_step="a/b")
    assert keep_outcome(lake, failed).last_success_at == 1000.0
    assert read_outcome(lake, "daily") == replace(failed, last_success_at=1000.0)


def test_a_run_with_nothing_to_do_counts_as_a_success_after_one_only(lake: Lake) -> None:
    assert note_nothing_new(lake, "daily", at=1500.0) is None
    keep_outcome(lake, DONE)
    assert note_nothing_new(lake, "daily", at=1500.0) == replace(DONE, last_success_at=1500.0)
    keep_outcome(lake, replace(DONE, succeeded=False, last_success_at=None))
    assert note_nothing_new(lake, "daily", at=1800.0) is None
    assert read_outcome(lake, "daily").last_success_at == 1500.0  # type: ignore[union-attr]


@pytest.mark.parametrize("damaged", [b"", b"\0\0", b"[]", b'{"job": "daily"}', b'{"other": 1}'])
def test_a_damaged_file_counts_as_none(lake: Lake, damaged: bytes) -> None:
    keep_outcome(lake, DONE)
    (lake.root / ".runs/outcomes/daily.json").write_bytes(damaged)
    assert read_outcomes(lake) == []


def test_runs_of_chosen_assets_are_not_kept(lake: Lake) -> None:
    keep_outcome(lake, replace(DONE, job="__ASSET_JOB"))
    assert read_outcomes(lake) == []
