"""What pages name exists: commands, links, files. Pages list every module, and docs/tables.md every table as it is."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipelines import table_reference
from pipelines.cli.main import app
from serving.service import tokens

ROOT = Path(__file__).resolve().parent.parent
GUIDES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)
RECORDS = ("CHANGELOG.md", *sorted(f"docs/adr/{path.name}" for path in (ROOT / "docs/adr").glob("*.md")))
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in (*GUIDES, *RECORDS)}
PACKAGES = ("features", "models", "assets", "serving", "pipelines")
FOLDERS = (*PACKAGES, "sql", "tests", "docs", "data")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def shell_lines(program: str, *pages: str) -> list[str]:
    """The lines of the pages' shell blocks (of all pages if none is named) that run `program`, without comments."""
    text = "\n".join(PAGES[page] for page in pages or PAGES)
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return sorted({line for line in lines if line.startswith(program + " ")})


def make_commands() -> list[str]:
    """What pages tell to run with make, in shell blocks and in the text."""
    inline = re.findall(r"`(make [a-z][^`]*)`", "\n".join(PAGES.values()))
    return sorted({*shell_lines("make"), *inline})


@pytest.mark.parametrize("line", shell_lines("jobfeed"))
def test_every_command_and_option_in_the_pages_exists(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line)[1:]
    names = [word for word in words if re.fullmatch(r"[a-z]+", word)]
    command = (
        names[:2]
        if names[0] in ("digests", "generations", "landing", "recipes", "config", "sources", "store", "token")
        else names[:1]
    )
    if command[0] == "token":  # its command would put the service's program in the place of this process
        with pytest.raises(SystemExit, match=r"^0$"):
            tokens.main([*command[1:], "--help"])
        shown = capsys.readouterr().out
    else:
        result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
        assert result.exit_code == 0, result.output
        shown = result.output
    for option in (word for word in words if word.startswith("--")):
        assert option in shown, option


@pytest.mark.parametrize("line", make_commands())
def test_every_make_target_and_variable_in_the_pages_exists(line: str) -> None:
    for word in shlex.split(line)[1:]:
        name, is_variable, value = word.partition("=")
        pattern = rf"^{name} \?=" if is_variable else rf"^{name}:"
        assert re.search(pattern, MAKEFILE, flags=re.MULTILINE), word
        if name == "PYTEST_OPTIONS":
            assert (ROOT / shlex.split(value)[0]).is_dir(), value


@pytest.mark.parametrize("line", shell_lines(".venv/bin/python") + shell_lines("python"))
def test_every_module_in_the_pages_exists(line: str) -> None:
    _, option, module, *_ = shlex.split(line)
    assert option == "-m"
    assert find_spec(module) is not None


@pytest.mark.parametrize(
    ("page", "link"),
    sorted({(page, link) for page, text in PAGES.items() for link in re.findall(r"\]\(((?!http)[^)#]+)\)", text)}),
)
def test_every_file_that_the_pages_link_to_exists(page: str, link: str) -> None:
    assert ((ROOT / page).parent / link).exists()


def named_paths(text: str) -> set[str]:
    """The files (with a suffix) and folders (with a slash at the end) of the project that a page names as code."""
    names = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`", text)
    return {name for name in names if name.endswith("/") or Path(name).suffix}


@pytest.mark.parametrize(
    ("page", "path"), sorted((page, path) for page in GUIDES for path in named_paths(PAGES[page]) if path != "data/")
)
def test_every_file_that_the_guides_name_exists(page: str, path: str) -> None:
    assert (ROOT / path).exists()


def test_the_map_lists_every_module_once() -> None:
    listed, folder = [], ""
    for line in PAGES["docs/architecture.md"].split("## Every module")[1].splitlines():
        if line.startswith("### "):
            folder = line.removeprefix("### ")
        elif name := re.match(r"\| `(\w+\.py)` \| \S", line):
            listed.append(folder + name[1])
    modules = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py")
    assert sorted(listed) == sorted(str(path.relative_to(ROOT)) for path in modules)


def test_the_reference_of_the_tables_is_up_to_date() -> None:
    assert table_reference.PAGE.read_text(encoding="utf-8") == table_reference.page(), "run `make docs`"


def test_every_command_is_in_the_readme() -> None:
    documented = {shlex.split(line)[1] for line in shell_lines("jobfeed", "README.md")}
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    names |= {group.name for group in app.registered_groups if group.name}
    assert names <= documented


def test_the_hooks_before_a_commit_run_what_make_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    entries = [shlex.split(hook["entry"]) for repo in hooks for hook in repo["hooks"]]
    run_by_hooks = {tuple(word for word in entry if word != "--force-exclude") for entry in entries}
    lint = re.search(r"^lint: setup\n((?:\t.*\n)+)", MAKEFILE, flags=re.MULTILINE)
    assert lint is not None
    lines = lint[1].replace("$(BIN)", ".venv/bin").splitlines()
    assert run_by_hooks == {tuple(word for word in shlex.split(line) if word != ".") for line in lines}
    assert {repo["repo"] for repo in hooks} == {"local"}, "hooks fetch nothing"
