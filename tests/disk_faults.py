"""Faults of a disk and sudden ends for tests, at the n-th change that a process makes under one folder.

Changes are what Python code asks of the system to write: opening a file to write, fsync, rename, link, unlink, mkdir.
Native code that writes by a path of its own is seen when its file is renamed. Nothing of the project reads this.
"""

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES")
_OF_TWO_PATHS = ("replace", "rename", "link", "symlink")
_OF_ONE_PATH = ("mkdir", "unlink", "remove", "rmdir")


@dataclass
class DiskFault:
    """What happens at change number `at` (from 1) under `folder`: "kill", or the error of a name such as ENOSPC.

    A fault that `lasts` also meets all later changes. `on_change` is called before each change with its name and path.
    """

    folder: Path
    what: str = ""
    at: int = 0
    lasts: bool = False
    on_change: Callable[[str, str], None] = lambda _name, _path: None
    n_changes: int = 0

    def meet(self, name: str, path: Any) -> None:
        """Counts a change of `path`, and kills the process or raises OSError if it is the one."""
        text = _text(path)
        if not text.startswith(f"{self.folder}/"):
            return
        self.n_changes += 1
        self.on_change(name, text)
        if self.at == 0 or self.n_changes < self.at or (self.n_changes > self.at and not self.lasts):
            return
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self.what)
        raise OSError(number, os.strerror(number), text)


def install(fault: DiskFault) -> Callable[[], None]:
    """Lets all changes of this process meet `fault`, until the function that is returned is called."""
    before = [(os, name, getattr(os, name)) for name in (*_OF_TWO_PATHS, *_OF_ONE_PATH, "fsync", "open")]
    before += [(io, "open", io.open), (builtins, "open", builtins.open)]
    for name in (*_OF_TWO_PATHS, *_OF_ONE_PATH):
        setattr(os, name, _changing(fault, name, getattr(os, name)))
    fsync, os_open, io_open = os.fsync, os.open, io.open

    def met_fsync(file: Any) -> None:
        number = file if isinstance(file, int) else file.fileno()
        fault.meet("fsync", Path(f"/proc/self/fd/{number}").readlink())
        fsync(file)

    def met_os_open(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and not _is_lock(path):
            fault.meet("open", path)
        return os_open(path, flags, *arguments, **options)

    def met_io_open(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if set(mode) & set("wax+") and not isinstance(file, int):
            fault.meet("open", file)
        return io_open(file, mode, *arguments, **options)

    setattr(os, "fsync", met_fsync)  # noqa: B010
    setattr(os, "open", met_os_open)  # noqa: B010
    setattr(io, "open", met_io_open)  # noqa: B010
    setattr(builtins, "open", met_io_open)  # noqa: B010

    def uninstall() -> None:
        for module, name, function in before:
            setattr(module, name, function)

    return uninstall


def _changing(fault: DiskFault, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def met(path: Any, *arguments: Any, **options: Any) -> Any:
        target = arguments[0] if name in _OF_TWO_PATHS and arguments else path
        fault.meet(name, target)
        return function(path, *arguments, **options)

    return met


def _is_lock(path: Any) -> bool:
    """Locks are opened to read, too; a disk that is full does not keep a process from taking them."""
    return _text(path).endswith(".lock")


def _text(path: Any) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
