"""Objects that nothing refers to: what killed runs left, to be deleted, and to be searched for erased users."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from assets.storage import published
from assets.storage.snapshots import Part, read_snapshot
from assets.storage.working_copy import WorkingCopy
from serving.contract.object_store import ListedObject, ObjectDamagedError, ObjectMissingError
from serving.contract.stored_generations import PUBLISHED

# A sender that still works uploads before it names what it uploaded.
GRACE = dt.timedelta(days=1)


class Unreferenced(NamedTuple):
    """An object that no snapshot refers to. `is_dead`: nobody can refer to it any more."""

    found: ListedObject
    is_dead: bool


def unreferenced(copy: WorkingCopy) -> Iterator[Unreferenced]:
    """The objects of lake, models, outbox and generations that no snapshot refers to. Raises ObjectStoreError.

    Of an earlier lease they are dead: its holder can commit nothing. Those of the present one may be named soon.
    """
    for part in Part:
        snapshot, _ = read_snapshot(copy.store, part)
        referenced = {file.key for file in snapshot.files.values()}
        for one in _others(copy, part.objects_prefix, referenced):
            yield Unreferenced(one, _lease_number(one.key) < snapshot.number)
        if part is Part.LAKE:
            of_generations = published.referenced_keys(copy, snapshot.generations)
            yield from (Unreferenced(one, is_dead=False) for one in _others(copy, PUBLISHED, of_generations))


def collect(copy: WorkingCopy, *, now: dt.datetime) -> int:
    """Deletes what nothing refers to; returns how many objects. The caller holds the lease of the lake.

    So only a sender of digests may be uploading meanwhile.
    """
    outbox = Part.OUTBOX.objects_prefix
    wanted = [
        one.found.key
        for one in unreferenced(copy)
        if one.is_dead or not one.found.key.startswith(outbox) or one.found.modified_at < now - GRACE
    ]
    copy.store.delete(wanted)
    return len(wanted)


def fetch_unreferenced(copy: WorkingCopy, folder: Path) -> Iterator[tuple[Path, str]]:
    """Brings each such object to `folder`, one at a time; yields the file and the object's address."""
    for number, (one, _) in enumerate(unreferenced(copy)):
        path = folder / f"{number}-{Path(one.key).name}"
        try:
            copy.store.download(one.key, path, n_bytes=one.n_bytes)
        except (ObjectMissingError, ObjectDamagedError):
            continue  # deleted since it was listed
        yield path, f"{copy.store.url}/{one.key}"
        path.unlink(missing_ok=True)


def _others(copy: WorkingCopy, prefix: str, referenced: set[str]) -> Iterator[ListedObject]:
    return (one for one in copy.store.list(prefix) if one.key not in referenced)


def _lease_number(key: str) -> int:
    """Under which lease an object was written, as its key says."""
    number = key.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
