"""Numba's cache on disk for the join, valid while the compiled sources stay the same."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

_SERVING = Path(__file__).resolve().parent.parent
_COMPILED_IN = ("contract", "feed_join")  # constants, and code


class _SourceCache(FunctionCache):
    """Numba compares only the time of the function's own file, and would run code with old constants of other files."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, sources_hash())  # type: ignore[no-untyped-call]


@cache
def sources_hash() -> str:
    """A hash of all sources whose code or constants are compiled into the join."""
    digest = hashlib.sha256()
    for path in sorted(path for package in _COMPILED_IN for path in (_SERVING / package).glob("*.py")):
        digest.update(f"{path.parent.name}/{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def compiled_from_cache(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compiles a function for `signature`, unless it was compiled from the same sources before."""

    def compile_(function: Callable[..., Any]) -> Any:
        dispatcher: Any = numba.njit(error_model="numpy")(function)
        with suppress(RuntimeError):  # no cache folder is writable: compile at every start
            dispatcher._cache = _SourceCache(function)
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return compile_
