"""Compiles loops over users to machine code that does not hold the interpreter lock: threads run in parallel."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from serving.contract.compiled_cache import hash_of_sources, keep_on_disk

_MODELS = Path(__file__).resolve().parent.parent
_CONSTANTS = _MODELS / "arrays.py"
_COMPILES = b"import compiled\n"

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """`function` as machine code, compiled at its first call and kept on disk where that is possible.

    Its constants must be defined in a module with compiled functions or in models/arrays.py: code on disk is used as
    long as these are the same. Sums may be reordered within one call, the same way every time: results don't depend on
    threads.
    """
    made: Any = numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")(function)
    keep_on_disk(made, sources_hash())
    return cast(_Function, made)


def compiled_sources() -> list[Path]:
    """The modules whose code or constants are compiled."""
    return [path for path in sorted(_MODELS.rglob("*.py")) if path == _CONSTANTS or _COMPILES in path.read_bytes()]


@cache
def sources_hash() -> str:
    """A hash of the sources that functions are compiled from."""
    return hash_of_sources(compiled_sources(), _MODELS)
