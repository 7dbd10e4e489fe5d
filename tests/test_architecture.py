"""Which module may import which, walked over every module."""

import ast
from graphlib import CycleError, TopologicalSorter
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


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_at_start(source: str, modules: set[str]) -> set[str]:
    """The project's modules that a module imports when it is itself imported: not in functions, not for types only."""
    found: set[str] = set()
    statements: list[ast.stmt] = list(ast.parse(source).body)
    while statements:
        node = statements.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            statements += [*node.body, *node.orelse]
        elif isinstance(node, ast.Try):
            statements += [*node.body, *(statement for handler in node.handlers for statement in handler.body)]
    return found & modules


def import_cycle(sources: dict[str, str]) -> list[str]:
    graph = {name: imported_at_start(source, set(sources)) for name, source in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


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


def test_no_modules_import_each_other() -> None:
    assert import_cycle({module_name(path): path.read_text(encoding="utf-8") for path in modules_of(*PACKAGES)}) == []


def test_a_cycle_of_imports_is_found() -> None:
    cycle = import_cycle({"a": "from b import x", "b": "import c", "c": "if True:\n    import a", "d": "import a"})
    assert set(cycle) == {"a", "b", "c"}
    assert import_cycle({"a": "def f():\n    import b", "b": "import a"}) == []


@pytest.mark.parametrize("path", modules_of("models/kernels"), ids=lambda path: path.name)
def test_kernels_know_arrays_only(path: Path) -> None:
    known = ("models.kernels", "models.arrays", "models.sort_keys", "serving.contract.compiled_cache")
    names = {name for name in imported_modules(path.read_text(encoding="utf-8")) if name.startswith(PACKAGES)}
    assert {name for name in names if not name.startswith(known)} == set()


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


MAX_PARAMETERS, MAX_FUNCTION_LINES, MAX_MODULE_LINES = 8, 60, 400


def too_large(source: str, *, max_parameters: int = MAX_PARAMETERS) -> list[str]:
    """The functions of a module that are too long or take too many parameters."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            n_parameters = len([each.arg for each in arguments if each.arg not in ("self", "cls")])
            n_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if n_lines > MAX_FUNCTION_LINES or n_parameters > max_parameters:
                found.append(f"{node.name}: {n_lines} lines, {n_parameters} parameters")
    return found


@pytest.mark.parametrize("path", modules_of(*PACKAGES), ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_and_modules_stay_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    # The parameters of a command are its options.
    is_command_line = path.relative_to(ROOT).parts[:2] == ("pipelines", "cli")
    assert too_large(source, max_parameters=12 if is_command_line else MAX_PARAMETERS) == []
    assert len(source.splitlines()) <= MAX_MODULE_LINES


def test_a_large_function_is_found() -> None:
    assert too_large("def f(a, b, c, d, e, f, g, h, i): ...") == ["f: 1 lines, 9 parameters"]
    assert too_large("def f():\n" + "    pass\n" * MAX_FUNCTION_LINES) == ["f: 61 lines, 0 parameters"]
