"""Numba's cache on disk for the join, valid for as long as the sources that are compiled in stay the same."""

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
    """Numba alone compares the time of the one file that holds the function, and would run code of old constants."""

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
        with suppress(RuntimeError):  # no folder that a cache could be written to: compiled at every start
            dispatcher._cache = _SourceCache(function)
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return compile_
