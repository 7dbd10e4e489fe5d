import ast
import importlib
import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from numba.core.dispatcher import Dispatcher

from models.kernels import compiling

ROOT = Path(compiling.__file__).resolve().parents[2]


@pytest.fixture
def compile_again(tmp_path: Path) -> Callable[[], Any]:
    """Compiles a small function as a new process would; its cache lies in the folder of the test."""
    module = tmp_path / "doubling.py"
    module.write_text("def double(value):\n    return 2 * value\n")

    def compile_() -> Any:
        made: Any = compiling.compiled(runpy.run_path(str(module))["double"])
        assert made(21) == 42
        return made.stats

    return compile_


def test_code_is_compiled_anew_only_if_a_source_changed(
    compile_again: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not compile_again().cache_hits
    assert compile_again().cache_hits
    monkeypatch.setattr(compiling, "sources_hash", lambda: "of other sources")
    assert not compile_again().cache_hits
    assert compile_again().cache_hits


def test_the_hash_follows_the_content_of_every_module_that_is_compiled_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "_MODELS", tmp_path)
    monkeypatch.setattr(compiling, "_CONSTANTS", tmp_path / "arrays.py")
    (tmp_path / "ranking").mkdir()
    kernel, other = tmp_path / "ranking" / "kernel.py", tmp_path / "ranking" / "other.py"
    kernel.write_text("from models.kernels.compiling import compiled\n")
    (tmp_path / "arrays.py").write_text("MICRO = 10\n")
    other.write_text("N = 1\n")
    of_sources = compiling.sources_hash.__wrapped__
    first = of_sources()
    os.utime(kernel, (1, 1))
    other.write_text("N = 2\n")
    assert of_sources() == first
    (tmp_path / "arrays.py").write_text("MICRO = 20\n")
    second = of_sources()
    kernel.write_text(kernel.read_text() + "SHARE = 0.5\n")
    assert len({first, second, of_sources()}) == 3


def compiled_functions() -> Iterator[Any]:
    for path in compiling.compiled_sources():
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        yield from (
            value.py_func
            for value in vars(module).values()
            if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__
        )


def test_every_compiled_constant_is_defined_in_a_source_of_the_hash() -> None:
    defined = {
        target.id
        for path in compiling.compiled_sources()
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Assign)
        for node in statement.targets
        for target in ast.walk(node)
        if isinstance(target, ast.Name)
    }
    functions = list(compiled_functions())
    assert len(functions) > 10
    for function in functions:
        used = {name: function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__}
        constants = {name for name, value in used.items() if not isinstance(value, Dispatcher | ModuleType)}
        assert constants <= defined, f"{function.__module__}.{function.__name__}"
        modules = {value.__name__ for value in used.values() if isinstance(value, ModuleType)}
        assert modules <= {"numpy"}, "constants of a module that is imported whole are not found here"
