"""Locks between processes, each a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from features.errors import JobfeedError


class LockedError(JobfeedError, TimeoutError):
    """Another run holds a lock for longer than this one was to wait."""


class LockFileError(JobfeedError, OSError):
    """A lock file can't be made, because something else has its name."""


@contextmanager
def held(path: Path, *, timeout_seconds: float, is_of_process: bool = False) -> Iterator[None]:
    """Holds the lock file `path`. Raises LockedError, LockFileError.

    `is_of_process`: all threads of a process hold it together, and may take it more than once.
    """
    # The singleton of a process refuses another timeout than its first one.
    lock = FileLock(path, is_singleton=is_of_process, thread_local=not is_of_process)
    try:
        lock.acquire(timeout=timeout_seconds)
    except Timeout:
        raise LockedError(f"{path}: another process has held this lock for {timeout_seconds:.0f} s") from None
    except IsADirectoryError:
        raise LockFileError(f"{path} is a folder, and a lock file belongs there; remove the folder") from None
    try:
        yield
    finally:
        lock.release()
