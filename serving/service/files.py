"""The files of generations, each known by its inode and read through once: generations share files."""

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

_BLOCK_BYTES = 1 << 20
_BACKGROUND_NICENESS = 10


class NotServableError(RuntimeError):
    """A generation can't be served; the message says why."""


@dataclass
class KnownFile:
    """A file of look-ups. `is_verified`, `is_damaged`: once its content was compared with the manifest."""

    path: Path
    sha256: str
    is_verified: bool = False
    is_damaged: bool = False


class KnownFiles:
    """Files met so far, by inode."""

    def __init__(self) -> None:
        # Weak: a file is forgotten with the last generation that has it.
        self._known: WeakValueDictionary[tuple[int, int], KnownFile] = WeakValueDictionary()

    def known(self, path: Path, sha256: str) -> KnownFile:
        """The file at `path`, met before or now. Raises NotServableError."""
        try:
            identity = identity_of(path)
        except OSError as error:
            raise NotServableError(f"{path.parent.name}/{path.name}: is missing") from error
        found = self._known.get(identity)
        if found is None or found.sha256 != sha256:
            found = self._known[identity] = KnownFile(path, sha256)
        return found


def identity_of(path: Path) -> tuple[int, int]:
    """Tells files apart whatever their names. Raises OSError."""
    status = path.stat()
    return status.st_dev, status.st_ino


def verify(file: KnownFile, *, tell: Callable[[], None] = lambda: None) -> None:
    """Reads the whole file, unless it was found whole before; `tell` is called now and then.

    Raises NotServableError when its content is another.
    """
    if file.is_verified:
        return
    if not file.is_damaged:
        # Generations share files: a damaged one is read once.
        file.is_damaged = _digest(file, tell) != file.sha256
    if file.is_damaged:
        raise NotServableError(f"{file.path.parent.name}/{file.path.name}: content differs from its checksum")
    file.is_verified = True


def _digest(file: KnownFile, tell: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    try:
        with file.path.open("rb") as handle:
            while block := handle.read(_BLOCK_BYTES):
                digest.update(block)
                tell()
    except OSError as error:
        raise NotServableError(f"{file.path.name}: can't be read: {type(error).__name__}") from error
    return digest.hexdigest()


def yield_to_requests() -> None:
    """Lowers the calling thread's priority, so that verifying gigabytes does not slow answers down (Linux)."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BACKGROUND_NICENESS)
    except OSError:
        return
