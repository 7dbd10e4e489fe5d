"""Compiles the join, or loads it if it was compiled from the same sources before."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

from serving.contract.compiled_cache import hash_of_sources, keep_on_disk

_SERVING = Path(__file__).resolve().parent.parent
_COMPILED_IN = ("contract", "feed_join")  # constants, and code


@cache
def sources_hash() -> str:
    """A hash of all sources whose code or constants are compiled into the join."""
    return hash_of_sources((path for package in _COMPILED_IN for path in (_SERVING / package).glob("*.py")), _SERVING)


def compiled_from_cache(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compiles a function for `signature`, unless it was compiled from the same sources before."""

    def compile_(function: Callable[..., Any]) -> Any:
        dispatcher: Any = numba.njit(error_model="numpy")(function)
        keep_on_disk(dispatcher, sources_hash())
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return compile_
