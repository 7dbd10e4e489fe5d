"""The README's commands exist, and so do the files that it names."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli.main import app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell_lines(program: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return sorted({line for line in lines if line.startswith(program + " ")})


@pytest.mark.parametrize("line", shell_lines("jobfeed"))
def test_every_command_and_option_in_the_readme_exists(line: str) -> None:
    words = shlex.split(line)[1:]
    names = [word for word in words if re.fullmatch(r"[a-z]+", word)]
    command = names[:2] if names[0] in ("generations", "config", "sources") else names[:1]
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    for option in (word for word in words if word.startswith("--")):
        assert option in result.output, option


@pytest.mark.parametrize("line", shell_lines("make"))
def test_every_make_target_in_the_readme_exists(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{shlex.split(line)[1]}:", makefile, flags=re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(((?!http)[^)#]+)\)", README))))
def test_every_file_that_the_readme_links_to_exists(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_command_is_in_the_readme() -> None:
    documented = {shlex.split(line)[1] for line in shell_lines("jobfeed")}
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    names |= {group.name for group in app.registered_groups if group.name}
    assert names <= documented
