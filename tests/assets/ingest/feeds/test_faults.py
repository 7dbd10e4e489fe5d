"""One ingest of good, sloppy and bad feeds side by side: every good one whole, every bad one with its own reason."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.assets.ingest.feeds.feed_faults import BAD, FEEDS, GOOD, SLOPPY

ROOT = Path(__file__).resolve().parents[4]
GIBIBYTE = 2**30


@pytest.fixture(scope="module")
def outcome() -> dict[str, Any]:
    """What a process of its own tells of the ingest: its memory is not ours, and a hang of it would end this test."""
    command = [sys.executable, "-m", "tests.assets.ingest.feeds.feed_faults"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_there_are_enough_faults_to_speak_of() -> None:
    assert len(BAD) >= 25 and len(GOOD) >= 8 and len(SLOPPY) >= 15


@pytest.mark.parametrize("name", sorted({**GOOD, **SLOPPY}))
def test_a_feed_that_can_be_read_is_read_whole_and_right_beside_all_the_bad_ones(
    outcome: dict[str, Any], name: str
) -> None:
    feed = FEEDS[name]
    assert re.search(feed.says, outcome["statuses"][name])
    assert outcome["n_rows"].get(name, 0) == feed.n_rows
    assert outcome["reasons"].get(name, []) == sorted(feed.reasons)
    assert outcome["is_right"][name]


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_feed_gives_nothing_but_its_own_reason(outcome: dict[str, Any], name: str) -> None:
    status = outcome["statuses"][name]
    assert re.search(BAD[name].says, status) and "secret" not in status
    assert name not in outcome["n_rows"]
    assert outcome["reasons"].get(name, []) == sorted(BAD[name].reasons)


def test_all_that_was_read_is_accounted_for_and_nothing_leaks(outcome: dict[str, Any]) -> None:
    assert outcome["n_unaccounted"] == 0
    assert outcome["leaks"] == [] and outcome["n_logins"] == 1
    assert not outcome["inside_was_asked_for"]


def test_all_of_it_together_stays_under_a_gibibyte(outcome: dict[str, Any]) -> None:
    assert outcome["peak_bytes"] < GIBIBYTE
