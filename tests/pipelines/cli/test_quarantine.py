"""`jobfeed quarantine`: what it finds, and that what it prints is harmless."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from assets.ingest.quarantine import count_by_reason, find_quarantined, newest_entries
from assets.lake import Lake
from features.schemas.bronze import QUARANTINE
from pipelines.cli.main import app
from pipelines.cli.print_quarantine import HIDDEN
from pipelines.cli.terminal import visible

DAY = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ROWS = [
    ("board", "https://b.example/feed", "entry a", "missing_title", "", "<item/>", DAY),
    ("board", "https://b.example/feed", "file", "bad_feed", "an HTML page", "\x1b[2J<html>" + "x" * 4000, DAY),
    ("interactions", "interactions/a.jsonl", "line 2", "bad_json", "", '{"email": "anna@example.org"', DAY),
    ("interactions", "interactions/b.jsonl", "line 9", "bad_json", "", "{", DAY + dt.timedelta(days=2)),
]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    made = Lake(tmp_path / "lake")
    made.append("bronze", QUARANTINE, pl.DataFrame(ROWS, schema=dict(QUARANTINE.columns), orient="row"))
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return made


def shown(*options: str) -> str:
    result = CliRunner().invoke(app, ["quarantine", *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_entries_are_counted_by_source_and_reason_the_most_frequent_first(lake: Lake) -> None:
    counted = count_by_reason(find_quarantined(lake)).select("source", "reason", "entries", "files").rows()
    assert counted == [
        ("interactions", "bad_json", 2, 2),
        ("board", "bad_feed", 1, 1),
        ("board", "missing_title", 1, 1),
    ]


@pytest.mark.parametrize(
    ("filters", "n"),
    [
        ({"source": "board"}, 2), ({"reason": "bad_json"}, 2), ({"file": "interactions/a"}, 1),
        ({"since": DAY + dt.timedelta(days=1)}, 1), ({"source": "board", "reason": "bad_json"}, 0),
    ],
)  # fmt: skip
def test_filters_narrow_what_is_shown(lake: Lake, filters: dict[str, Any], n: int) -> None:
    assert newest_entries(find_quarantined(lake, **filters), limit=10).height == n


def test_the_newest_come_first_within_the_limit(lake: Lake) -> None:
    assert newest_entries(find_quarantined(lake), limit=1)["entry"].to_list() == ["line 9"]


def test_the_command_hides_what_may_be_personal_until_it_is_asked_for(lake: Lake) -> None:
    output = shown()
    assert "anna@example.org" not in output and HIDDEN in output and "an HTML page" in output
    assert "anna@example.org" in shown("--raw")


def test_escape_sequences_do_not_reach_the_terminal(lake: Lake) -> None:
    for options in ((), ("--raw",)):
        output = shown("--source", "board", *options)
        assert "\x1b[2J" not in output and "\\x1b[2J<html>" in output


def test_long_entries_are_cut_unless_all_is_asked_for(lake: Lake) -> None:
    assert "x" * 200 not in shown("--source", "board")
    assert "x" * 4000 in shown("--source", "board", "--raw")


def test_the_counts_alone_and_an_empty_quarantine(lake: Lake) -> None:
    assert "line 9" not in shown("--limit", "0") and "4 in quarantine" in shown("--limit", "0")
    assert "nothing is in quarantine" in shown("--source", "nobody")


def test_a_wrong_time_is_wrong_use(lake: Lake) -> None:
    assert CliRunner().invoke(app, ["quarantine", "--since", "yesterday"]).exit_code == 2


@given(st.text())
def test_whatever_is_shown_is_one_printable_line(text: str) -> None:
    assert visible(text).isprintable()


def test_text_in_any_script_stays_legible() -> None:
    for text in ("Повар", "R&D [lead]", json.dumps({"a": "é"}, ensure_ascii=False)):
        assert visible(text) == text
    assert visible("a\u202eb\tc") == "a\\u202eb\\tc"
