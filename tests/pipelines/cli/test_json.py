"""`--json`: every listing prints one line of JSON, whatever its texts hold."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipelines.cli.main import app
from pipelines.cli.terminal import out, print_json

LISTINGS = (
    "sources list", "generations list", "recipes list", "digests list", "quarantine", "status", "config show",
)  # fmt: skip


@pytest.mark.parametrize("command", LISTINGS)
def test_a_listing_of_nothing_is_json_too(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    result = CliRunner().invoke(app, [*command.split(), "--json"])
    assert result.exit_code == (1 if command == "status" else 0), result.output
    (line,) = result.stdout.splitlines()
    assert json.loads(line) is not None


def test_a_refused_file_is_told_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    path = tmp_path / "a.jsonl"
    path.write_text('{"user_id": "u1", "updated_at": "2026-03-01T00:00:00Z"}\n{bad\n')
    result = CliRunner().invoke(app, ["landing", "check", str(path), "--as", "users", "--json"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["n_rows"], told["n_refused"]) == (1, 1)
    assert told["refused"][0]["reason"] == "bad_json"


@pytest.mark.parametrize(
    "text", ["a\x9b31m", "\x1b]0;x\x07", "\u202eevil", "line\nline", "\u2028", "\U000e0041", "Привет"]
)
def test_no_character_breaks_the_json_or_the_terminal(text: str) -> None:
    written = io.StringIO()
    console = type(out)(file=written, soft_wrap=True)
    assert isinstance(console, Console)
    print_json(console, {"title": text})
    printed = written.getvalue()
    assert json.loads(printed) == {"title": text}
    assert printed.removesuffix("\n").isprintable()
