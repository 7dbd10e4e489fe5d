"""The way of the imports, walked over every module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {"pipelines": 4, "assets": 3, "models": 2, "features": 1}
PACKAGES = (*LAYERS, "serving")
PURE = ("features", "models")
IMPURE_MODULES = {"dagster", "requests", "os", "logging", "time", "random", "socket", "subprocess"}


def imported_modules(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def wrong_imports(package: str, source: str) -> list[str]:
    wrong = []
    for name in imported_modules(source):
        target = name.split(".")[0]
        if target not in PACKAGES or target == package:
            continue
        if package == "serving":
            wrong.append(name)
        elif target == "serving":
            if not name.startswith("serving.contract."):
                wrong.append(name)
        elif LAYERS[target] > LAYERS[package]:
            wrong.append(name)
    return wrong


def modules_of(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", modules_of(*PACKAGES), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert wrong_imports(package, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", modules_of(*PURE), ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_packages_reach_for_nothing_outside(path: Path) -> None:
    tops = {name.split(".")[0] for name in imported_modules(path.read_text(encoding="utf-8"))}
    assert tops & IMPURE_MODULES == set()


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("features", "from models.fitting.als import AlsModel"),
        ("models", "import assets.lake"),
        ("assets", "from pipelines import jobs"),
        ("serving", "from features.schemas import JOBS"),
        ("assets", "from serving.service.store import Store"),
    ],
)
def test_an_import_against_the_way_is_found(package: str, line: str) -> None:
    assert wrong_imports(package, line) != []
