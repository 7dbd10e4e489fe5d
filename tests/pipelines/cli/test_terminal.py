"""What all commands share: texts of others, tables, errors of the system, options before a command."""

import errno
import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.testing import CliRunner

from pipelines.cli import service, terminal
from pipelines.cli.main import app
from pipelines.cli.terminal import print_table, visible
from pipelines.cli.user_feed import print_feed, read_feed
from tests.factories import jobs, publish_small

ESCAPES = (
    "\x1b[2J", "\x9b2J", "\x9d0;title\x9c", "\x90q\x9c", "\x1b]8;;http://a\x07", "\r", "\x08", "\x00", "\x7f", "\x85",
    "\u202e", "\u2066", "\x0e", "\u2028",
)  # fmt: skip


def is_safe(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def console_of_commands(written: io.StringIO, **options: object) -> Console:
    return type(terminal.out)(file=written, color_system=None, **options)  # type: ignore[arg-type]


@given(st.text(st.characters(codec="utf-8")))
def test_no_text_brings_a_control_character_to_the_terminal(text: str) -> None:
    written = io.StringIO()
    console = console_of_commands(written, width=80)
    table = Table("text")
    table.add_row(escape(text))
    console.print(escape(text))
    console.print(text, markup=False)
    print_table(console, table)
    assert is_safe(written.getvalue())
    assert "\n" not in visible(text)
    assert visible(text).isprintable()


@pytest.mark.parametrize("sequence", ESCAPES)
def test_escape_sequences_in_titles_of_a_feed_are_shown_as_text(tmp_path: Path, sequence: str) -> None:
    row = {"title": f"Dev{sequence}eloper", "company": f"{sequence}Co", "city": f"Alma{sequence}ty"}
    name = publish_small(tmp_path, jobs=jobs([{"job_id": "hh:1", **row}])).manifest.generation
    written = io.StringIO()
    print_feed(Console(file=written, width=120), "anna", read_feed(tmp_path / name, "anna", limit=3), language="en")
    assert is_safe(written.getvalue())
    assert visible(f"Dev{sequence}eloper") in written.getvalue()


def test_spaces_of_other_widths_are_spaces() -> None:
    assert visible("10\u00a0000\u202f₽") == "10 000 ₽"
    assert visible("Қарағанды · Київ — 東京 🚀") == "Қарағанды · Київ — 東京 🚀"


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("width", [20, 40, 80, 300])
@pytest.mark.parametrize("no_wrap", [False, True])
def test_no_cell_of_a_table_is_cut(is_terminal: bool, width: int, no_wrap: bool) -> None:
    written = io.StringIO()
    console = console_of_commands(written, width=width, force_terminal=is_terminal)
    table = Table()
    cells = ["20260301T020000Z-1a2b3c4d", "abcdefghij" * 9, "a few words of a sentence"]
    for name in ("generation", "long", "words"):
        table.add_column(name, no_wrap=no_wrap)
    table.add_row(*cells)
    print_table(console, table)
    lines = written.getvalue().splitlines()
    assert "…" not in written.getvalue()
    if is_terminal:
        columns = zip(*(line.strip("│┃").split("│") for line in lines if line.startswith("│")), strict=True)
        assert ["".join("".join(column).split()) for column in columns] == [cell.replace(" ", "") for cell in cells]
    else:
        assert all(cell in lines[3] for cell in cells), "piped, a row is a line"


def test_messages_are_not_wrapped_where_they_are_piped() -> None:
    written = io.StringIO()
    console_of_commands(written, width=40, soft_wrap=True).print("error: " + "word " * 100)
    assert len(written.getvalue().splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (errno.EACCES, "must be allowed to this user"), (errno.EROFS, "a folder that can be written"),
        (errno.ENOSPC, "free some space"), (errno.ENOENT, "JOBFEED_DATA names the data folder"),
        (errno.ENOTDIR, "JOBFEED_DATA names the data folder"), (errno.EIO, "Input/output error"),
    ],
)  # fmt: skip
def test_errors_of_the_system_name_the_file_and_what_to_do(code: int, shown: str) -> None:
    def failing() -> None:
        raise OSError(code, os.strerror(code), "/data/lake")

    group = terminal.command_group("A group.")
    group.command()(failing)
    group.command("other")(lambda: None)
    result = CliRunner().invoke(group, ["failing"])
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert f"error: /data/lake: {os.strerror(code)}" in result.output
    assert shown in result.output


@pytest.mark.parametrize(
    "words",
    [
        ["run", "daily"], ["run", "frequent"], ["generations", "list"], ["quarantine"], ["sources", "list"],
        ["feed", "anna"], ["why", "anna", "hh:1"], ["recipes", "list"], ["recipes", "promote", "x"], ["tune"],
        ["sources", "forget", "habr"], ["generations", "rollback"], ["evaluate"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_file_in_place_of_the_data_folder_never_shows_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    (tmp_path / "data").write_text("")
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    result = CliRunner().invoke(app, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    assert f"JOBFEED_DATA names {tmp_path / 'data'}, which is" in result.output or result.exit_code == 1


@pytest.mark.parametrize("home", ["relative", "/nowhere/at/all", "file"])
def test_a_wrong_home_of_dagster_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / home) if home == "file" else home)
    result = CliRunner().invoke(app, ["run", "daily"])
    assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.exception
    assert "error: DAGSTER_HOME" in result.output


def test_version_is_printed_alone() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.split()[0] == "jobfeed"
    assert len(result.output.split()) == 2


@pytest.mark.parametrize("words", [["new", "--help"], ["sign", "--help"], ["--help"], ["new", "shop", "--user", "a"]])
def test_options_of_token_reach_its_own_program(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(service.os, "execv", lambda _, command: started.append(command))
    CliRunner().invoke(app, ["token", *words])
    assert started == [[sys.executable, "-m", "serving", "token", *words]]


def test_a_damaged_file_ends_a_command_with_its_name_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    damaged = tmp_path / "lake/bronze/quarantine/part-1.parquet"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1")
    result = CliRunner().invoke(app, ["quarantine"])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert f"{damaged} is damaged (" in result.stderr
    assert "`jobfeed run daily` moves what is damaged aside" in result.stderr


def test_a_damaged_database_of_the_served_generation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    name = publish_small(tmp_path / "published").manifest.generation
    (tmp_path / "published" / name / "jobfeed.duckdb").write_bytes(b"\0" * 50)
    result = CliRunner().invoke(app, ["feed", "anna"])
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert f"{name}/jobfeed.duckdb: 50 bytes; expected" in result.stderr
    assert "`jobfeed generations rollback`" in result.stderr


def test_a_mistake_of_ours_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import polars as pl

    def fail() -> None:
        raise pl.exceptions.ColumnNotFoundError("no_such_column")

    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    monkeypatch.setattr("assets.ingest.quarantine.find_quarantined", lambda *_, **__: fail())
    assert isinstance(CliRunner().invoke(app, ["quarantine"]).exception, pl.exceptions.ColumnNotFoundError)
