"""An asset's version changes with the code that it computes with, and with no other."""

import ast
import importlib.util
from pathlib import Path
from types import FunctionType, ModuleType
from typing import cast

import pytest

from assets import code_versions

FILES = {
    "assets/stage.py": (
        "from features.used import compute\nfrom features import late, unused\nfrom assets.sql import query\n\n\n"
        "def jobs():\n    return helper()\n\n\n"
        "def helper():\n    from models.deep import fit\n    return compute, fit\n\n\n"
        "def users():\n    return [late.value for _ in range(3)]\n\n\ndef trends():\n    return query('x', unused)\n"
    ),
    "assets/sql.py": "def query(name):\n    return name\n",
    "features/used.py": "from features.shared import (\n    base,\n)\ncompute = base\n",
    "features/shared.py": "base = 1\n",
    "features/late.py": "value = 1\n",
    "features/unused.py": 'NAME = "insight/trends"\n',
    "models/deep.py": "def fit():\n    from features.shared import base\n    return base\n",
    "sql/insight/trends.sql": "select 1",
}
# The file that changes -> the assets whose version must follow.
FOLLOWS = {
    "assets/stage.py": {"jobs", "users", "trends"},
    "assets/sql.py": {"trends"},
    "features/used.py": {"jobs"},
    "features/shared.py": {"jobs"},
    "features/late.py": {"users"},
    "features/unused.py": {"trends"},
    "models/deep.py": {"jobs"},
    "sql/insight/trends.sql": {"trends"},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        (tmp_path / name.split("/")[0] / "__init__.py").write_text("")
    return tmp_path


def stage(project: Path) -> ModuleType:
    """The module under the name that it has in the project; its imports lie in the functions or are stubs here."""
    names = {"compute": 1, "late": ModuleType("late"), "unused": 1, "query": 1}
    spec = importlib.util.spec_from_loader("assets.stage", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    code = (project / "assets/stage.py").read_text(encoding="utf-8").split("\n\n\n", 1)[1]
    exec(compile(code, "stage.py", "exec"), vars(module))
    vars(module).update(names)
    return module


def versions(project: Path) -> dict[str, str]:
    code_versions.Sources.under.__func__.cache_clear()  # type: ignore[attr-defined]
    module = stage(project)
    return {name: code_versions.code_version(cast(FunctionType, getattr(module, name)), project) for name in (
        "jobs", "users", "trends")}  # fmt: skip


@pytest.mark.parametrize("changed", FOLLOWS)
def test_the_version_follows_the_code_that_is_used(project: Path, changed: str) -> None:
    before = versions(project)
    file = project / changed
    file.write_text(file.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    after = versions(project)
    assert {name for name in before if before[name] != after[name]} == FOLLOWS[changed]


def test_versions_do_not_depend_on_where_the_project_lies(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "project"
    project.rename(other)
    moved = versions(other)
    other.rename(project)
    assert moved == versions(project)


def test_the_imports_that_are_read_off_the_text_are_those_of_the_syntax_tree() -> None:
    sources = code_versions.Sources.under(Path(code_versions.__file__).resolve().parent.parent)
    modules = {name: path for name, path in sources.files.items() if path.suffix == ".py"}
    assert len(modules) > 300
    for module, path in modules.items():
        stated = {
            alias.asname or alias.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in code_versions.PACKAGES
            for alias in node.names
        }
        assert set(sources.imported_names(module)) == stated, module
