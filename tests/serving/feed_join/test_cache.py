import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numba import types

from serving.contract import compiled_cache
from serving.feed_join import cache


@pytest.fixture
def compile_again(tmp_path: Path) -> Callable[[], Any]:
    """Compiles a small function as a new process would; its cache lies in the folder of the test."""
    module = tmp_path / "doubling.py"
    module.write_text("def double(value):\n    return 2 * value\n")

    def compile_() -> Any:
        made = cache.compiled_from_cache(types.int64(types.int64))(runpy.run_path(str(module))["double"])
        assert made(21) == 42
        return made.stats

    return compile_


def test_a_later_start_does_not_compile(compile_again: Callable[[], Any]) -> None:
    assert not compile_again().cache_hits
    assert compile_again().cache_hits


def test_code_of_other_sources_is_compiled_anew(
    compile_again: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_again()
    monkeypatch.setattr(cache, "sources_hash", lambda: "of other sources")
    assert not compile_again().cache_hits
    assert compile_again().cache_hits


def test_without_a_writable_folder_the_code_is_compiled_at_every_start(
    compile_again: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("no locator available")

    monkeypatch.setattr(compiled_cache._SourceCache, "__init__", refuse)
    for _ in range(2):
        assert not compile_again().cache_hits


def test_the_hash_follows_the_content_of_the_sources_not_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("contract", "feed_join"):
        (tmp_path / package).mkdir()
    constants = tmp_path / "contract" / "feed_codec.py"
    constants.write_text("SCORE_STEPS = 10\n")
    monkeypatch.setattr(cache, "_SERVING", tmp_path)
    of_sources = cache.sources_hash.__wrapped__
    first = of_sources()
    os.utime(constants, (1, 1))
    assert of_sources() == first
    constants.write_text("SCORE_STEPS = 20\n")
    second = of_sources()
    (tmp_path / "feed_join" / "join.py").write_text("\n")
    assert len({first, second, of_sources()}) == 3
