"""A part of the store while this process may change it: what changed is uploaded, then one snapshot is replaced.

Objects are written before the snapshot that names them and deleted after the one that no longer does. Whoever dies in
between leaves objects that nothing refers to, which collecting.py finds.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from assets.storage.lease import Lease, LeaseLostError, held_lease
from assets.storage.local_files import LocalFiles, content, is_sqlite
from assets.storage.snapshots import Part, Snapshot, StoredFile, next_snapshot, read_snapshot
from assets.storage.working_copy import WorkingCopy, fetch_files
from serving.contract.generation import sha256_of
from serving.contract.object_store import ObjectConflictError

_AT_ONCE = 8


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass
class OpenPart:
    """One part under a lease. `snapshot` is what the store holds now, `version` its version."""

    copy: WorkingCopy
    part: Part
    lease: Lease
    snapshot: Snapshot
    version: str
    now: Callable[[], dt.datetime] = field(default=_now)

    def commit(self, after: Snapshot) -> None:
        """Replaces the snapshot. Raises LeaseLostError if another machine took over meanwhile."""
        self.lease.require()
        made = self._next(after)
        try:
            self.version = self.copy.store.replace(self.part.snapshot_key, made.to_json(), self.version)
        except ObjectConflictError as error:
            raise LeaseLostError(
                f"{error}. Another machine took over while this run was suspended, or could not reach the store; what "
                "it computed is not stored. Run it again"
            ) from error
        self.snapshot = made

    def _next(self, after: Snapshot) -> Snapshot:
        by = f"{self.lease.holder['job']} on {self.lease.holder['host']}"
        return next_snapshot(after, number=self.lease.number, by=by, at=self.now())

    def store_files(self, stored: Mapping[str, StoredFile] | None = None) -> Mapping[str, StoredFile]:
        """Uploads what changed in the part's files; returns all of them. Nothing is committed.

        `stored`: what the store has of them, if not all that the snapshot names.
        """
        stored = self.snapshot.files if stored is None else stored
        local = LocalFiles.load(self.copy.root, self.part)
        keys = {file.sha256: file.key for file in stored.values()}
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                paths = list(local.paths())
                made = pool.map(lambda one: self._stored(local, one, stored.get(one), keys), paths)
                return dict(zip(paths, made, strict=True))
        finally:
            local.save()

    def _stored(
        self, local: LocalFiles, relative: str, known: StoredFile | None, keys: Mapping[str, str]
    ) -> StoredFile:
        digest = local.sha256(relative)
        if known is not None and local.is_as(relative, known.sha256, known.mtime_ns):
            return known
        with content(self.copy.root, relative) as file:
            status = file.stat()
            if is_sqlite(relative):
                digest = sha256_of(file)  # another process may have written to it since it was hashed
            key = keys.get(digest)
            if key is None:
                # A machine that lost its lease may still delete what it dropped, but nothing of a later lease.
                key = f"{self.part.objects_prefix}/{digest[:2]}/{digest}-{self.lease.number}"
                self.lease.require()
                self.copy.store.upload(file, key)
        return StoredFile(status.st_size, digest, status.st_mtime_ns, key)

    def delete_dropped(self, before: Snapshot) -> None:
        """Deletes the objects that an earlier snapshot of this lease named and the present one does not."""
        kept = {file.key for file in self.snapshot.files.values()}
        self.copy.store.delete({file.key for file in before.files.values()} - kept)


@contextmanager
def opened_part(
    copy: WorkingCopy,
    part: Part,
    *,
    job: str,
    wait_seconds: float,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[OpenPart]:
    """A part that only this process may change, with its files on this machine. The caller holds its local lock.

    Raises LeaseTakenError, SnapshotError and ObjectStoreError. What is to be stored, the caller stores.
    """
    with leased_part(copy, part, job=job, wait_seconds=wait_seconds, on_wait=on_wait) as opened:
        fetch_files(copy, part, opened.snapshot)
        yield opened


@contextmanager
def leased_part(
    copy: WorkingCopy,
    part: Part,
    *,
    job: str,
    wait_seconds: float,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[OpenPart]:
    """Like `opened_part`, with the files on this machine as they are."""
    store = copy.store
    with held_lease(
        store, part.lease_key, job=job, copy_id=copy.copy_id, wait_seconds=wait_seconds, on_wait=on_wait
    ) as lease:
        snapshot, version = read_snapshot(store, part)
        opened = OpenPart(copy, part, lease, snapshot, version or "")
        if version is None:
            opened.snapshot = opened._next(snapshot)
            opened.version = store.create(part.snapshot_key, opened.snapshot.to_json())
        else:
            # From here on no earlier holder of the lease can replace the snapshot.
            opened.commit(snapshot)
        yield opened
