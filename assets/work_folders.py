"""Folders that a process works in for a while, each for it alone. Those that killed processes left are removed.

The owner holds a lock in its folder. The system frees it when the process ends, however it ends: so nobody uses a
folder that can be locked.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from assets.locks import LockedError, held

# Held while folders are made and looked at: a folder that has no lock yet is not taken for one that has none any more.
_GUARD = "folders.lock"
_IN_USE = "in-use.lock"
_PATIENCE_SECONDS = 600.0


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, which its owner alone may read and which is gone after the block.

    Before, abandoned ones are removed.
    """
    with ExitStack() as stack:
        with _guarded(parent):
            _remove_abandoned(parent)
            folder = Path(tempfile.mkdtemp(dir=parent))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(held(folder / _IN_USE, timeout_seconds=0))
        yield folder


def remove_abandoned(parent: Path) -> None:
    """Deletes all in `parent` but the folders that processes work in."""
    if parent.is_dir():
        with _guarded(parent):
            _remove_abandoned(parent)


@contextmanager
def _guarded(parent: Path) -> Iterator[None]:
    parent.mkdir(parents=True, exist_ok=True)
    with held(parent / _GUARD, timeout_seconds=_PATIENCE_SECONDS):
        yield


def _remove_abandoned(parent: Path) -> None:
    for path in parent.iterdir():
        if path.is_dir():
            with suppress(LockedError), held(path / _IN_USE, timeout_seconds=0):
                shutil.rmtree(path, ignore_errors=True)
        elif path.name != _GUARD:
            path.unlink(missing_ok=True)  # of an older version, which had no folders here
