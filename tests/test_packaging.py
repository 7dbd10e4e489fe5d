"""What is installed where: the service by its own packages, everything out of the checkout."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def distribution(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(extra: str) -> set[str]:
    names: set[str] = set()
    for requirement in EXTRAS[extra]:
        own = re.fullmatch(r"jobfeed\[(\w+)\]", requirement)
        names |= declared(own[1]) if own else {distribution(re.split(r"[<>=!\[; ]", requirement)[0])}
    return names


def imported(folder: str) -> set[str]:
    return third_party((ROOT / folder).rglob("*.py"))


def third_party(files: Iterable[Path]) -> set[str]:
    modules = {name.split(".")[0] for file in files for name in names_in(file)}
    known = packages_distributions()
    return {_chosen(known[name]) for name in modules - sys.stdlib_module_names if name in known} - {"jobfeed"}


def _chosen(distributions: Iterable[str]) -> str:
    """Of distributions that share a namespace one that is declared, if any is."""
    names = sorted(map(distribution, distributions))
    every = set().union(*map(declared, EXTRAS))
    return next((name for name in names if name in every), names[0])


def names_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_the_service_declares_what_it_imports_and_nothing_else() -> None:
    stream = set((ROOT / "serving/stream").rglob("*.py"))
    # Data in an object store is an option: its client is imported when a URL is given.
    assert third_party(set((ROOT / "serving").rglob("*.py")) - stream) == declared("serve") | declared("s3")
    assert not declared("serve") & declared("s3")
    assert third_party(stream) <= declared("stream")


def test_the_pipeline_declares_what_it_imports() -> None:
    used = set().union(*(imported(folder) for folder in ("features", "models", "assets", "pipelines")))
    others = set().union(*(declared(extra) for extra in ("pipeline", "ui", "postgres", "s3", "otel", "bench")))
    assert used - others == set()


def test_a_wheel_is_refused_with_what_to_do_instead() -> None:
    # The same command that pip runs, without the network that building in isolation would need.
    built = subprocess.run(
        [sys.executable, "-c", "from setuptools import build_meta; build_meta.build_wheel('.')"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode != 0
    assert "pip install -e" in built.stderr


def test_without_a_store_its_client_is_not_imported() -> None:
    watched = "import sys; import serving.service.app, serving.service.source, pipelines.environment; " + (
        "print([name for name in sys.modules if name.startswith('obstore')])"
    )
    shown = subprocess.run([sys.executable, "-c", watched], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
