"""A folder on this machine that is brought to what the store says before a run, and stored again after it.

The pipeline works on local files as ever. The store holds the truth: files that differ from the snapshot are replaced,
those that it does not name are removed. A run that is killed leaves the old snapshot, and with it nothing of itself.
"""

import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from assets.lake import Lake, fsync_folder, write_bytes
from assets.storage.local_files import STATE_FOLDER, LocalFiles, beside, free_name, remove_copies
from assets.storage.snapshots import Part, Snapshot, StoredFile, read_snapshot
from features.errors import JobfeedError
from serving.contract.cache import folder_of, lack_of_room
from serving.contract.object_store import SCHEME, ObjectDamagedError, ObjectMissingError, ObjectStore, split_url

_URL_FILE = "url"
_COPY_FILE = "copy"
_AT_ONCE = 8
_TRIES = 4
_FOLDER_MODE = 0o700
_REPAIR = "`jobfeed store repair` puts in its place what this machine has, or has the file made anew"


class WorkingCopyError(JobfeedError, RuntimeError):
    """A working copy can't be brought to what the store says; the message says why."""


@dataclass(frozen=True)
class WorkingCopy:
    """The folder `root` as a copy of the store `url`."""

    root: Path
    url: str

    @cached_property
    def store(self) -> ObjectStore:
        """The store. Nothing is asked of it yet."""
        return ObjectStore(self.url)

    @cached_property
    def copy_id(self) -> str:
        """Tells this folder from other copies of the same store."""
        path = self.root / STATE_FOLDER / _COPY_FILE
        try:
            return path.read_text(encoding="ascii")
        except FileNotFoundError:
            write_bytes(path, uuid.uuid4().hex.encode())
            return path.read_text(encoding="ascii")

    def state_file(self, name: str) -> Path:
        """Where this copy remembers something of the store."""
        return self.root / STATE_FOLDER / name


def working_copy(url: str, cache: Path) -> WorkingCopy:
    """The working copy of a store in the cache folder, which is made if it is not there. Raises StoreUrlError."""
    bucket, prefix = split_url(url)
    full = f"{SCHEME}{bucket}/{prefix}".rstrip("/")
    root = folder_of(url, cache)
    marker = root / STATE_FOLDER / _URL_FILE
    if not marker.exists():
        root.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        write_bytes(marker, full.encode())
    return WorkingCopy(root, full)


def working_copy_at(root: Path) -> WorkingCopy | None:
    """The working copy that a data folder is; None for a folder of its own."""
    try:
        return WorkingCopy(root, (root / STATE_FOLDER / _URL_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def copy_of(lake: Lake) -> WorkingCopy | None:
    """The working copy that a lake lies in; None if its folder is no copy of a store."""
    return working_copy_at(lake.root.parent)


def fetch_files(copy: WorkingCopy, part: Part, snapshot: Snapshot) -> int:
    """Brings the files of a part to the snapshot; returns how many were fetched.

    The caller holds the local lock of the part. Raises ObjectMissingError, ObjectDamagedError and ObjectStoreError.
    """
    remove_copies(copy.root)
    local = LocalFiles.load(copy.root, part)
    for relative in [one for one in local.paths() if one not in snapshot.files]:
        local.remove(relative)
    wanted = [one for one, file in snapshot.files.items() if not local.is_as(one, file.sha256, file.mtime_ns)]
    require_room(copy.root, sum(snapshot.files[one].n_bytes for one in wanted))
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for relative in pool.map(lambda one: _fetch(copy, one, snapshot.files[one]), wanted):
                local.note(relative, snapshot.files[relative].sha256)
    finally:
        local.save()
    return len(wanted)


def _fetch(copy: WorkingCopy, relative: str, file: StoredFile) -> str:
    path = copy.root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = free_name(path)
    try:
        copy.store.download(file.key, temporary, n_bytes=file.n_bytes, sha256=file.sha256)
        os.utime(temporary, ns=(file.mtime_ns, file.mtime_ns))
        for each in beside(path):
            each.unlink(missing_ok=True)
        temporary.replace(path)
        fsync_folder(path.parent)
    except (ObjectMissingError, ObjectDamagedError) as error:
        raise type(error)(f"{error}; it is {relative} of the lake. {_REPAIR}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return relative


def read_until_whole(copy: WorkingCopy, part: Part, fetch: Callable[[Snapshot], None]) -> tuple[Snapshot, str | None]:
    """Fetches the newest snapshot by `fetch`; again if another machine replaced it meanwhile, and with it objects.

    Raises ObjectMissingError for an object that is really missing.
    """
    for attempt in range(_TRIES):
        snapshot, version = read_snapshot(copy.store, part)
        try:
            fetch(snapshot)
            return snapshot, version
        except ObjectMissingError:
            is_replaced = read_snapshot(copy.store, part)[1] != version
            if not is_replaced or attempt == _TRIES - 1:
                raise
    raise AssertionError("not reached")


def require_room(folder: Path, n_bytes: int) -> None:
    """Raises WorkingCopyError if less is free on the disk of `folder`."""
    problem = lack_of_room(folder, n_bytes)
    if problem is not None:
        raise WorkingCopyError(problem)
