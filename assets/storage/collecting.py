"""Objects that nothing refers to: what killed runs left, to be deleted, and to be searched for erased users."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from assets.storage import published
from assets.storage.snapshots import Part, read_snapshot
from assets.storage.working_copy import WorkingCopy
from serving.contract.object_store import ListedObject, ObjectDamagedError, ObjectMissingError
from serving.contract.stored_generations import PUBLISHED

# A run that still works uploads before it names what it uploaded.
GRACE = dt.timedelta(days=1)


def unreferenced(copy: WorkingCopy) -> Iterator[ListedObject]:
    """The objects of lake, models, outbox and generations that no snapshot refers to. Raises ObjectStoreError."""
    for part in Part:
        snapshot, _ = read_snapshot(copy.store, part)
        referenced = {file.key for file in snapshot.files.values()}
        if part is Part.LAKE:
            # In this order: a generation that is stored now is listed by nobody's snapshot yet.
            names = snapshot.generations
            yield from _others(copy, PUBLISHED, published.referenced_keys(copy, names))
        yield from _others(copy, part.objects_prefix, referenced)


def collect(copy: WorkingCopy, *, now: dt.datetime) -> int:
    """Deletes what nothing has referred to for a day; returns how many objects. The caller holds the lease."""
    old = [one.key for one in unreferenced(copy) if one.modified_at < now - GRACE]
    copy.store.delete(old)
    return len(old)


def fetch_unreferenced(copy: WorkingCopy, folder: Path) -> Iterator[tuple[Path, str]]:
    """Brings each such object to `folder`, one at a time; yields the file and the object's address."""
    for number, one in enumerate(unreferenced(copy)):
        path = folder / f"{number}-{Path(one.key).name}"
        try:
            copy.store.download(one.key, path, n_bytes=one.n_bytes)
        except (ObjectMissingError, ObjectDamagedError):
            continue  # deleted since it was listed
        yield path, f"{copy.store.url}/{one.key}"
        path.unlink(missing_ok=True)


def _others(copy: WorkingCopy, prefix: str, referenced: set[str]) -> Iterator[ListedObject]:
    return (one for one in copy.store.list(prefix) if one.key not in referenced)
