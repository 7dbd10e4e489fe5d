"""The files of generations, each known by its inode and verified once: generations share files."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from serving.contract.generation import GenerationError, sha256_of

_BACKGROUND_NICENESS = 10


@dataclass
class KnownFile:
    """A file of look-ups. `is_verified` and `is_damaged` are set when its content is compared with the manifest."""

    path: Path
    sha256: str
    is_verified: bool = False
    is_damaged: bool = False


class KnownFiles:
    """The files seen so far, by inode."""

    def __init__(self) -> None:
        # Weak: a file is forgotten with the last generation that uses it.
        self._known: WeakValueDictionary[tuple[int, int], KnownFile] = WeakValueDictionary()

    def known(self, path: Path, sha256: str) -> KnownFile:
        """The file at `path`, seen before or new. Raises GenerationError."""
        try:
            identity = identity_of(path)
        except OSError as error:
            raise GenerationError(f"{path.parent.name}/{path.name}: is missing") from error
        found = self._known.get(identity)
        if found is None or found.sha256 != sha256:
            found = self._known[identity] = KnownFile(path, sha256)
        found.path = path  # the generation that it was opened for may be removed first
        return found


def identity_of(path: Path) -> tuple[int, int]:
    """The device and inode of a file, whatever its name. Raises OSError."""
    status = path.stat()
    return status.st_dev, status.st_ino


def verify(file: KnownFile, *, report_progress: Callable[[], None] = lambda: None) -> None:
    """Reads the whole file, unless it was found whole before; `report_progress` is called after each block.

    Raises GenerationError when its content differs from the manifest's checksum.
    """
    if file.is_verified:
        return
    name = f"{file.path.parent.name}/{file.path.name}"
    if not file.is_damaged:
        # Generations share files: a damaged one is read once.
        try:
            file.is_damaged = sha256_of(file.path, report_progress=report_progress) != file.sha256
        except OSError as error:
            raise GenerationError(f"{name}: can't be read: {type(error).__name__}") from error
    if file.is_damaged:
        raise GenerationError(f"{name}: content differs from its checksum")
    file.is_verified = True


def yield_to_requests() -> None:
    """Lowers the calling thread's priority, so that verifying gigabytes does not slow answers down (Linux)."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BACKGROUND_NICENESS)
    except OSError:
        return
