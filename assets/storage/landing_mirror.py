"""Landed files of a store on this machine: what was added or changed is fetched, what is gone is removed.

Only a listing is read to see it. The store's time of the last write becomes that of the file, so that a file counts as
read on every machine.
"""

import datetime as dt
import os
import shutil
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath

import msgspec

from assets.lake import write_bytes
from assets.storage.local_files import free_name
from assets.storage.working_copy import WorkingCopy, require_room
from serving.contract.object_store import (
    ListedObject,
    ObjectConflictError,
    ObjectDamagedError,
    ObjectMissingError,
    StoreUrlError,
)

LANDING = "landing"
LANDING_VARIABLE = "JOBFEED_LANDING"
_INDEX = "landing.json"
_AT_ONCE = 8


class _Known(msgspec.Struct, frozen=True, array_like=True):
    version: str
    n_bytes: int


def own_landing_folder() -> Path | None:
    """The folder of landed files that JOBFEED_LANDING names, which no store has; None without it."""
    named = os.environ.get(LANDING_VARIABLE)
    if not named:
        return None
    if "://" in named:
        raise StoreUrlError(
            f"{LANDING_VARIABLE} is {named!r}; it names a folder of this machine. Without it the landed files of a "
            f"store are those below {LANDING}/ in the prefix that JOBFEED_DATA names"
        )
    return Path(named).resolve()


def mirror_landing(copy: WorkingCopy, *, kinds: Collection[str] | None = None) -> int:
    """Makes the local landed files those of the store, or those of some kinds only; returns how many were fetched.

    Does nothing if JOBFEED_LANDING names a folder of its own. Raises ObjectStoreError.
    """
    if own_landing_folder() is not None:
        return 0
    folder = copy.root / LANDING
    folder.mkdir(parents=True, exist_ok=True)
    known, listed = _load(copy), {}
    for kind in kinds if kinds is not None else [""]:
        for one in copy.store.list(f"{LANDING}/{kind}".rstrip("/")):
            listed[one.key] = one
    for key in listed.keys() & _folders_of(listed):
        del listed[key]
    wanted = [one for key, one in listed.items() if not _is_here(copy, one, known.get(key))]
    require_room(copy.root, sum(one.n_bytes for one in wanted))
    gone = [key for key in known if key not in listed and (kinds is None or key.split("/")[1] in kinds)]
    for key in gone:
        (copy.root / key).unlink(missing_ok=True)
        del known[key]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for one, is_here in zip(wanted, pool.map(lambda one: _fetch(copy, one), wanted), strict=True):
            if is_here:
                known[one.key] = _Known(one.version, one.n_bytes)
    if wanted or gone:
        write_bytes(copy.state_file(_INDEX), msgspec.json.encode(known))
    return len(wanted)


def _folders_of(keys: Iterable[str]) -> set[str]:
    """Keys that no file can have. Consoles of stores keep an empty object for each folder that was made there."""
    folders = {LANDING}
    for folder in {key.rpartition("/")[0] for key in keys}:
        folders |= {folder, *(parent.as_posix() for parent in PurePosixPath(folder).parents)}
    return folders


def _is_here(copy: WorkingCopy, one: ListedObject, known: _Known | None) -> bool:
    if known is None or known.version != one.version:
        return False
    try:
        status = (copy.root / one.key).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (one.n_bytes, _nanoseconds(one.modified_at))


def _fetch(copy: WorkingCopy, one: ListedObject) -> bool:
    """Whether the object is here now. One that was deleted or replaced since it was listed comes with the next run."""
    path = copy.root / one.key
    if path.is_dir() or any(parent.is_file() for parent in path.parents):
        _make_way(copy, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = free_name(path)
    try:
        copy.store.download(one.key, temporary, n_bytes=one.n_bytes, version=one.version)
        os.utime(temporary, ns=(_nanoseconds(one.modified_at),) * 2)
        temporary.replace(path)
    except (ObjectConflictError, ObjectMissingError, ObjectDamagedError):
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _make_way(copy: WorkingCopy, path: Path) -> None:
    """Removes a folder where a file is to lie, or a file where a folder is to lie."""
    if path.is_dir():
        shutil.rmtree(path)
    for parent in path.parents:
        if parent.is_relative_to(copy.root / LANDING) and parent.is_file():
            parent.unlink()


def _load(copy: WorkingCopy) -> dict[str, _Known]:
    with suppress(FileNotFoundError, msgspec.MsgspecError):
        return msgspec.json.decode(copy.state_file(_INDEX).read_bytes(), type=dict[str, _Known])
    return {}


def _nanoseconds(instant: dt.datetime) -> int:
    return int(instant.timestamp()) * 1_000_000_000 + instant.microsecond * 1000
