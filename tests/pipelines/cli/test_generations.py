import datetime as dt
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from pipelines.cli.generations import app
from tests.factories import AS_OF, feeds, publish_small, publish_small_changes


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    publish_small(tmp_path / "published")
    changed = feeds({"anna": ["hh:5"], "борис": ["hh:5", "hh:6", "hh:7", "hh:8"]})
    publish_small_changes(tmp_path / "published", as_of=AS_OF + dt.timedelta(hours=1), feeds=changed)
    return tmp_path


def shown(*words: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == exit_code, result.output
    return result.output


def test_list_shows_which_generations_are_full_and_which_deltas(data: Path) -> None:
    lines = [line for line in shown("list").splitlines() if "│ 2026" in line]
    assert [("delta" in line, "full" in line, "served" in line) for line in lines] == [
        (True, False, True),
        (False, True, False),
    ]


def test_diff_compares_tables_or_a_users_feed(data: Path) -> None:
    assert [line.split("│")[1:5] for line in shown("diff").splitlines() if "feeds" in line] == [
        [" feeds ", " 0     ", " 0       ", " 1       "]
    ]
    rows = [line.split() for line in shown("diff", "--user", "anna").splitlines() if "hh:5" in line]
    assert rows == [["│", "hh:5", "│", "—", "│", "1", "│", "—", "│", "0.8500", "│"]]


def test_export_writes_a_database_that_needs_nothing_else(data: Path) -> None:
    target = data / "all.duckdb"
    shown("export", str(target))
    with duckdb.connect(str(target), read_only=True) as con:
        assert con.sql("select count(*) from feed_items").fetchall() == [(5,)]
    assert "exists" in shown("export", str(target), exit_code=1)


def test_export_into_a_missing_folder_is_an_error_of_one_line(data: Path) -> None:
    assert "is not a folder" in shown("export", str(data / "nowhere" / "all.duckdb"), exit_code=1)


def test_list_names_generations_that_can_not_be_read(data: Path) -> None:
    full = next(line.split("│")[1].strip() for line in shown("list").splitlines() if "full" in line)
    (data / "published" / full / "manifest.json").write_text("{")
    assert full in shown("list")


def test_rollback_goes_to_the_one_before_and_verify_reads_it(data: Path) -> None:
    assert "is served now" in shown("rollback")
    assert "whole" in shown("verify")
    assert "first generation" in shown("rollback", exit_code=1)
    assert "first generation" in shown("diff", exit_code=1)


def test_wrong_names_are_an_error_of_one_line(data: Path) -> None:
    for words in (["verify", "nonsense"], ["rollback", "nonsense"], ["diff", "nonsense"]):
        assert "is not a generation's name" in shown(*words, exit_code=1)
    (data / "published" / "current").write_text("rubbish")
    for word in ("list", "verify", "diff"):
        assert "expected a generation's name" in shown(word, exit_code=1)
    assert "full" in shown("list", exit_code=1), "what can be announced is listed all the same"
