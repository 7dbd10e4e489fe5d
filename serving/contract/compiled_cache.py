"""Numba's cache on disk, valid while the sources of the code stay the same. Shared by the join and the kernels."""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile


class _SourceCache(FunctionCache):
    """Numba compares only the time of the function's own file, and would run code with old constants of other files."""

    def __init__(self, function: Callable[..., Any], sources_hash: str) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, sources_hash)  # type: ignore[no-untyped-call]


def keep_on_disk(dispatcher: Any, sources_hash: str) -> None:
    """Lets Numba's `dispatcher` load code that was compiled from the same sources, and keep what it compiles."""
    with suppress(RuntimeError):  # no cache folder is writable: code is compiled at every start
        dispatcher._cache = _SourceCache(dispatcher.py_func, sources_hash)


def hash_of_sources(paths: Iterable[Path], root: Path) -> str:
    """A hash of the names below `root` and the contents of files, whatever their order and times."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()
