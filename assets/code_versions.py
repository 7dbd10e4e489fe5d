"""Versions of assets that follow the code: an asset is stale in the Dagster UI as soon as what it calls has changed.

A version is a hash of the module of the asset, of the project's modules that its function uses, of all that those
import, and of the queries that any of them names. It is read off the text of the sources; nothing is imported for it.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Self, TypeVar, cast

_ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("assets", "features", "models", "serving")
_IMPORT = re.compile(rf"^[ ]*from ((?:{'|'.join(PACKAGES)})[\w.]*) import (\([^)]*\)|[^\n#]*)", re.MULTILINE)
_Made = TypeVar("_Made")
_QUERY = re.compile(r'"(\w+/\w+)"')


def code_version(function: FunctionType, root: Path = _ROOT) -> str:
    """Twelve digits of the hash; `root` is the folder of the packages."""
    own = function.__module__
    sources = Sources.under(root)
    used = _used_names(function)
    found = {own, *sources.queries(own)}
    for name, modules in sources.imported_names(own).items():
        if name in used:
            for module in modules:
                sources.add_with_imports(module, found)
    digest = hashlib.blake2b(digest_size=6)
    for name in sorted(found):
        digest.update(f"{name}\0".encode() + sources.digest(name))
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


@dataclass(frozen=True)
class Sources:
    """The modules and queries of a project by name, each read once: every process that has definitions pays for it."""

    files: Mapping[str, Path]
    _seen: dict[tuple[str, str], Any] = field(default_factory=dict)

    @classmethod
    @cache
    def under(cls, root: Path) -> Self:
        """All that lie in the folder now."""
        files = {}
        for package in PACKAGES:
            for path in (root / package).rglob("*.py"):
                files[".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")] = path
        for path in (root / "sql").rglob("*.sql"):
            files["/".join(path.relative_to(root / "sql").with_suffix("").parts)] = path
        return cls(files)

    def digest(self, name: str) -> bytes:
        """A digest of the text."""
        return self._once("digest", name, lambda: hashlib.blake2b(self._text(name).encode()).digest())

    def queries(self, module: str) -> set[str]:
        """The queries that a module names."""
        return self._once("queries", module, lambda: {n for n in _QUERY.findall(self._text(module)) if n in self.files})

    def add_with_imports(self, module: str, found: set[str]) -> None:
        """Adds a module, what it imports, directly or not, and the queries that any of them names."""
        if module not in found:
            found.add(module)
            found |= self.queries(module)
            for modules in self.imported_names(module).values():
                for imported in modules:
                    self.add_with_imports(imported, found)

    def imported_names(self, module: str) -> dict[str, list[str]]:
        """Each name that a module imports out of the project, late imports included, with what it may stand for."""
        return self._once("names", module, lambda: dict(self._imported_names(module)))

    def _imported_names(self, module: str) -> Iterator[tuple[str, list[str]]]:
        for package, names in _IMPORT.findall(self._text(module)):
            for name in filter(None, map(str.split, names.strip("()").split(","))):
                modules = (package, f"{package}.{name[0]}")
                yield name[-1], [one for one in modules if one in self.files]

    def _text(self, name: str) -> str:
        return self._once("text", name, lambda: self.files[name].read_text(encoding="utf-8"))

    def _once(self, what: str, name: str, make: Callable[[], _Made]) -> _Made:
        if (what, name) not in self._seen:
            self._seen[what, name] = make()
        return cast(_Made, self._seen[what, name])
