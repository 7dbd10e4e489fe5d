"""Versions of assets that follow the code: an asset is stale in the Dagster UI as soon as what it calls has changed.

A version is a hash of the module of the asset, of the project's modules that its function uses, of all that those
import, and of the queries that any of them names. It is read off the text of the sources; nothing is imported for it.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType

_ROOT = Path(__file__).resolve().parent.parent
_IMPORT = re.compile(r"^\s*from ((?:assets|features|models|serving)[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_QUERY = re.compile(r'"(\w+/\w+)"')


def code_version(function: FunctionType, root: Path = _ROOT) -> str:
    """Twelve digits of the hash; `root` is the folder of the packages."""
    own = _module_file(function.__module__, root)
    used = _used_names(function)
    files = {own}
    for name, module_files in _imported_names(own, root).items():
        if name in used:
            for file in module_files:
                _add_with_imports(file, root, files)
    files |= _queries(own, root)
    digest = hashlib.blake2b(digest_size=6)
    for file in sorted(files):
        digest.update(f"{file.relative_to(root)}\0".encode() + _digest(file))
    return digest.hexdigest()


def _used_names(function: FunctionType) -> set[str]:
    """The names that a function and those that it calls in its own module use, late imports included."""
    names: set[str] = set()
    functions, seen = [function], set()
    while functions:
        one = functions.pop()
        if one in seen:
            continue
        seen.add(one)
        for code in _nested(one.__code__):
            names.update(code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars)
            for name in code.co_names:
                other = one.__globals__.get(name)
                if isinstance(other, FunctionType) and other.__module__ == one.__module__:
                    functions.append(other)
    return names


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


@cache
def _imported_names(file: Path, root: Path) -> dict[str, list[Path]]:
    """Each name that a module imports out of the project, with the files that it may stand for."""
    found: dict[str, list[Path]] = {}
    for node in ast.walk(ast.parse(_text(file))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                files = [_module_file(name, root) for name in (node.module, f"{node.module}.{alias.name}")]
                found[alias.asname or alias.name] = [one for one in files if one.is_file()]
    return found


def _add_with_imports(file: Path, root: Path, files: set[Path]) -> None:
    if file not in files:
        files.add(file)
        files.update(_queries(file, root))
        for imported in _imports(file, root):
            _add_with_imports(imported, root, files)


@cache
def _imports(file: Path, root: Path) -> frozenset[Path]:
    """The files that a module imports by itself, late imports included."""
    found: set[Path] = set()
    for module, names in _IMPORT.findall(_text(file)):
        of_names = (f"{module}.{name.split()[0]}" for name in names.strip("()").split(",") if name.strip())
        found.update(_module_file(candidate, root) for candidate in (module, *of_names))
    return frozenset(file for file in found if file.is_file())


@cache
def _queries(file: Path, root: Path) -> frozenset[Path]:
    paths = {root / "sql" / f"{name}.sql" for name in _QUERY.findall(_text(file))}
    return frozenset(path for path in paths if path.is_file())


@cache
def _module_file(module: str, root: Path) -> Path:
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def _digest(file: Path) -> bytes:
    return hashlib.blake2b(file.read_bytes()).digest()
