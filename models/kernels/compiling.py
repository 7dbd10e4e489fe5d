"""Compiles loops over users to machine code that does not hold the interpreter lock: threads run in parallel."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """`function` as machine code, compiled at its first call and kept on disk where that is possible.

    Sums may be reordered within one call, the same way every time: results don't depend on threads.
    """
    options: dict[str, Any] = {
        "nogil": True,
        "fastmath": {"reassoc", "contract", "nsz", "arcp"},
        "error_model": "numpy",
    }
    try:
        made: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the project's folder nor the user's cache can be written to
        made = numba.njit(**options)(function)
    return cast(_Function, made)
