"""Keeps the served generation of an object store on the local disk, where the look-ups read it.

The pointer in the store is read every few seconds. A new generation is fetched aside, checked, and announced in the
local folder, which the store in store.py follows as ever. While the object store is away, the last generation stays.
Files that the store in store.py finds damaged are fetched anew.
"""

import fcntl
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.contract.errors import JobfeedError
from serving.contract.generation import POINTER, GenerationError, read_pointer, served_files
from serving.contract.object_store import OWNER_ONLY, ObjectMissingError, ObjectStore
from serving.contract.stored_generations import (
    FETCHING_PREFIX,
    POINTER_KEY,
    fetch_generation,
    is_whole,
    local_generations,
    name_in_pointer,
)

POLL_SECONDS = 5.0
STATE_FILE = ".mirror.json"
_LOCK_FILE = ".mirror.lock"
_FOLDER_MODE = 0o700
_LONGEST_PAUSE_SECONDS = 300.0


class Mirror:
    """The generations of a store in a local folder."""

    def __init__(self, store: ObjectStore, published: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._published = published
        self._clock = clock
        self._name: str | None = None
        self._version: str | None = None
        self._noted_at = 0.0
        self._noting = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to follow the store, unless another process on this machine does so for the same folder."""
        self._published.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        self._thread = threading.Thread(target=self._follow, name="mirror-store", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops following."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def refresh(self) -> bool:
        """Looks once, and fetches what is announced; returns whether all went well.

        What went wrong is noted in the folder, for `/readyz`.
        """
        try:
            self._bring_announced()
        except (JobfeedError, OSError) as error:
            detail = str(error) if isinstance(error, JobfeedError) else f"{type(error).__name__}: {error.strerror}"
            self._note(f"the object store can't be followed: {detail}")
            return False
        self._note(None)
        return True

    def _bring_announced(self) -> None:
        try:
            found = self._store.read_if_changed(POINTER_KEY, self._version)
        except ObjectMissingError:
            return  # nothing is published yet
        name = self._name if found is None else name_in_pointer(found)
        if name is None:
            return
        is_there = is_whole(self._published / name, wanted=served_files)
        if found is None and is_there:
            return
        if not is_there:
            self._fetch(name)
        if not is_there or _announced(self._published) != name:
            _write(self._published / POINTER, f"{name}\n".encode())
        if found is not None:
            self._name, self._version = name, found.version
        self._remove_old(name)

    def _fetch(self, name: str) -> None:
        is_damaged = (self._published / name).exists()
        trouble = f"{name}: files on this disk are damaged; they are being fetched anew" if is_damaged else None
        self._note(trouble)
        fetch_generation(
            self._store,
            self._published,
            name,
            wanted=served_files,
            report_progress=lambda: self._note_progress(trouble),
        )

    def _remove_old(self, served: str) -> None:
        """Keeps beside the served generation the one before it, which requests may still read."""
        others = [path for path, _ in local_generations(self._published) if path.name != served]
        others.sort(key=lambda path: path.stat().st_mtime_ns)
        for path in (*others[:-1], *self._published.glob(f"{FETCHING_PREFIX}*")):
            shutil.rmtree(path, ignore_errors=True)

    def _follow(self) -> None:
        with _only_one(self._published / _LOCK_FILE, self._stop):
            n_failures = 0
            while not self._stop.is_set():
                n_failures = 0 if self.refresh() else n_failures + 1
                self._stop.wait(min(POLL_SECONDS * 2**n_failures, _LONGEST_PAUSE_SECONDS))

    def _note_progress(self, trouble: str | None) -> None:
        """While gigabytes are fetched, by several threads, nobody looks; readiness must not report that."""
        if self._noting.acquire(blocking=False):
            try:
                if self._clock() - self._noted_at >= POLL_SECONDS:
                    self._note(trouble)
            finally:
                self._noting.release()

    def _note(self, trouble: str | None) -> None:
        self._noted_at = self._clock()
        state = {"checked_at": self._noted_at, "trouble": trouble}
        try:
            _write(self._published / STATE_FILE, json.dumps(state).encode())
        except OSError:
            return  # readiness then sees that nobody looks any more


def is_mirror(published: Path) -> bool:
    """Whether the folder mirrors a store. It then holds the files for look-ups alone."""
    return (published / _LOCK_FILE).exists()


def trouble_with_mirror(published: Path, *, now: float, longest_seconds: float) -> str | None:
    """Why the folder may be behind the store it mirrors; None if it is not, or mirrors none."""
    try:
        state = json.loads((published / STATE_FILE).read_bytes())
        trouble, age = state["trouble"], now - float(state["checked_at"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return f"{STATE_FILE} can't be read"
    if trouble is not None:
        return str(trouble)
    return f"the object store was not looked at for {age:.0f} s" if age > longest_seconds else None


def _announced(published: Path) -> str | None:
    try:
        return read_pointer(published)
    except GenerationError:
        return None


def _write(path: Path, body: bytes) -> None:
    """Replaces a small file atomically."""
    temporary = path.with_name(f"{FETCHING_PREFIX}{path.name}")
    temporary.write_bytes(body)
    temporary.chmod(OWNER_ONLY)
    temporary.replace(path)


@contextmanager
def _only_one(path: Path, stop: threading.Event) -> Iterator[None]:
    """Waits until no other process follows for this folder; the lock ends with the process."""
    with path.open("wb") as file:
        while not stop.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                stop.wait(POLL_SECONDS)
        yield
