import ast
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from features.errors import JobfeedError

ROOT = Path(__file__).resolve().parent.parent.parent
ERRORS = [
    (".".join(path.relative_to(ROOT).with_suffix("").parts), node.name)
    for package in ("features", "models", "assets", "pipelines")
    for path in sorted((ROOT / package).rglob("*.py"))
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
]


@pytest.mark.parametrize(("module", "name"), ERRORS)
def test_every_error_has_the_one_root(module: str, name: str) -> None:
    assert issubclass(getattr(import_module(module), name), JobfeedError)


def test_no_two_errors_share_a_name() -> None:
    assert [name for name, n in Counter(name for _, name in ERRORS).items() if n > 1] == []
