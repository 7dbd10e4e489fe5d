"""The turn of a run or a sender on a store: the lease, the files before it, what is stored after it.

On a data folder of its own nothing of this is needed, and all functions here do nothing. Who calls them holds the local
lock that keeps other processes of this machine away.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

from assets.lake import Lake, write_bytes
from assets.leftovers import remove_half_written
from assets.locks import LockedError, held
from assets.storage import collecting, published
from assets.storage.landing_mirror import mirror_landing
from assets.storage.lease import holder_of
from assets.storage.open_part import OpenPart, opened_part
from assets.storage.snapshots import Part, Snapshot
from assets.storage.working_copy import WorkingCopy, copy_of, fetch_files, read_until_whole
from serving.contract.object_store import ObjectMissingError

# Part -> the lock of this machine that its turn is held under.
LOCKS: Mapping[Part, str] = {Part.LAKE: "run", Part.OUTBOX: "digests/outbox"}
_open: dict[tuple[WorkingCopy, Part], OpenPart] = {}


@contextmanager
def lake_turn(
    lake: Lake, *, job: str, wait_seconds: float, on_wait: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Brings lake, models, generations and landed files here, and stores what differs when the block ends well.

    In a process that has the turn already, only the storing is done. Raises LeaseTakenError, LeaseLostError and
    ObjectStoreError.
    """
    copy = copy_of(lake)
    if copy is None:
        yield
        return
    known = _open.get((copy, Part.LAKE))
    if known is not None:
        yield
        store_lake(known)
        return
    with opened_part(copy, Part.LAKE, job=f"run of {job}", wait_seconds=wait_seconds, on_wait=on_wait) as part:
        published.fetch_generations(copy, part.snapshot.generations, part.snapshot.served)
        published.announce(copy, part.snapshot.served, lease=part.lease)
        mirror_landing(copy)
        _refresh_free(lake, copy, Part.OUTBOX)
        # Another machine may end the erasure of a user whom a killed run of this one was writing of.
        remove_half_written(lake, copy.root / "models", before=dt.datetime.now(dt.UTC))
        _forget(copy, Part.LAKE)  # until the end the files here are of no snapshot
        _open[copy, Part.LAKE] = part
        try:
            yield
            store_lake(part)
        finally:
            del _open[copy, Part.LAKE]


def store_lake(part: OpenPart) -> None:
    """Stores what differs from the snapshot: files, generations, which one is served. Then what is old goes."""
    copy, before = part.copy, part.snapshot
    files = part.store_files()
    found, served = published.local_state(copy)
    stored = {name for name, manifest in before.generations.items() if found.get(name) == manifest}
    for name in found:
        if name not in stored:
            published.store_generation(copy, name, stored=stored, lease=part.lease)
            stored.add(name)
    after = msgspec.structs.replace(before, files=files, generations=found, served=served)
    if after != before:
        part.commit(after)
    published.announce(copy, served, lease=part.lease)
    part.delete_dropped(before)
    published.delete_generations(copy, before.generations.keys() - found.keys(), kept=found, lease=part.lease)
    remember(copy, Part.LAKE, part.version)


def collect_garbage(lake: Lake, *, now: dt.datetime) -> int:
    """Deletes what killed runs left in the store, if this process has its turn; returns how many objects."""
    copy = copy_of(lake)
    if copy is None or (copy, Part.LAKE) not in _open:
        return 0
    store_lake(_open[copy, Part.LAKE])
    return collecting.collect(copy, now=now)


def refresh(lake: Lake) -> None:
    """Brings the local files to the newest snapshots, to look at. What a process of this machine works on stays.

    Raises ObjectStoreError.
    """
    copy = copy_of(lake)
    if copy is not None:
        mirror_landing(copy)
        for part in Part:
            _refresh_free(lake, copy, part)


def running_elsewhere(lake: Lake, part: Part = Part.LAKE) -> str | None:
    """Who holds the lease of a part of the store, on whatever machine; None if nobody does."""
    copy = copy_of(lake)
    return holder_of(copy.store, part.lease_key) if copy is not None else None


def remember(copy: WorkingCopy, part: Part, version: str) -> None:
    """Notes that the local files are those of this version of the snapshot."""
    write_bytes(copy.state_file(f"{part.value}.version"), version.encode())


def _forget(copy: WorkingCopy, part: Part) -> None:
    copy.state_file(f"{part.value}.version").unlink(missing_ok=True)


def _remembered(copy: WorkingCopy, part: Part) -> str | None:
    try:
        return copy.state_file(f"{part.value}.version").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _refresh_free(lake: Lake, copy: WorkingCopy, part: Part) -> None:
    """Brings a part to its newest snapshot unless a process of this machine works on it."""

    def fetch(snapshot: Snapshot) -> None:
        fetch_files(copy, part, snapshot)
        if part is Part.LAKE:
            published.fetch_generations(copy, snapshot.generations, snapshot.served)

    with suppress(LockedError), held(lake.lock_file(LOCKS[part]), timeout_seconds=0, is_of_process=part is Part.LAKE):
        if (copy, part) in _open:
            return
        try:
            if copy.store.read_if_changed(part.snapshot_key, _remembered(copy, part)) is None:
                return
        except ObjectMissingError:
            return  # nothing is stored yet
        _, version = read_until_whole(copy, part, fetch)
        if version is not None:
            remember(copy, part, version)
